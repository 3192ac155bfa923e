"""The load generator: it runs inside Locust's own process and is never imported by the rest."""
