"""What mathematics says about queues, caches and samples: pure functions, no clock, no randomness.

One file is one model, and is read with its name: ``mmc.waiting_time_s_mean(...)``. Times are in
seconds, rates in events per second. A queue that has no steady state raises ``Unstable`` with the
arithmetic; an argument outside its domain raises ``DomainError``.
"""
