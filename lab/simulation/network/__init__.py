"""The network between clients and the entry."""
