"""Slots whose number follows how long requests take: the rules, and what feeds them."""
