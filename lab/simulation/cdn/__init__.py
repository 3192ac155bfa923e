"""A tier of a content delivery network.

:class:`Cdn` is the part with its one verb; each of its points of presence is a :class:`Point` with contents and
fetches of its own.
"""

from lab.simulation.cdn.cdn import Cdn
from lab.simulation.cdn.point import Point

__all__ = ["Cdn", "Point"]
