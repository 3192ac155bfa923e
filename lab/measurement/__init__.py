"""The same scenario on real software: render it, start it, drive Locust over it, collect a Run.

The lab and the reference backend meet in files alone: a deployment, a schedule of requests, traces.
"""
