"""What goes wrong between a replica and its stores."""


class StoreFailed(Exception):
    """A cache or database did not do what it was asked; the request answers 500."""
