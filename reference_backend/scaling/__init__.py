"""What changes the number of replicas while the backend runs: an autoscaler, or a platform that scales from zero.

::

    supervisor --starts--> controller (or platform) --start r3, stop r2--> supervisor --spawns, ends--> replicas
                                |                                                                        ^
                                `--HAProxy: add server, drain, del server (the platform: passes on) -----+

Both are processes of their own that decide; the supervisor alone starts and ends processes, because what it forks ends
with it.
"""
