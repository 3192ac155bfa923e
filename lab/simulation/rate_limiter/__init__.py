"""Rate limiters: what each algorithm lets pass, and the part that asks it."""
