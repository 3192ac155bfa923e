"""Mailboxes: what is kept for each recipient (``box``), and how it is delivered (``mailbox``)."""
