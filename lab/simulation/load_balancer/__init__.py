"""HAProxy before the replicas of a service: choice of a server, limits, two levels of queue.

Source of the rules: HAProxy 2.8, src/lb_*.c, backend.c, queue.c, check.c.
"""
