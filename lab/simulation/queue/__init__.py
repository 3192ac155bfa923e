"""A message queue: who gets the next message (``consumers``), and what becomes of it (``broker``)."""
