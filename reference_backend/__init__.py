"""A real mobile backend, built from a deployment file, with the load test that drives it.

It starts real servers (HAProxy, uvicorn, Valkey, PostgreSQL), sends a schedule of requests at them with Locust, and
writes what every part saw. It knows nothing of any model of itself: it meets the rest of the repository in files alone.
"""
