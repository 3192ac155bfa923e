"""A cache: what is in it, what goes when it is full, and who may recompute.

:class:`Cache` is the part with its one verb; :class:`~lab.simulation.cache.contents.Contents` keeps the entries, one
of the policies in :mod:`~lab.simulation.cache.eviction` and :mod:`~lab.simulation.cache.sampled` says which goes.
"""

from lab.simulation.cache.cache import Cache
from lab.simulation.cache.contents import Contents
from lab.simulation.cache.local import LocalCaches
from lab.simulation.cache.nodes import Nodes

__all__ = ["Cache", "Contents", "LocalCaches", "Nodes"]
