"""Resources that are not made yet."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

import betterproto2
from florin.mesh.v1.endpoints_pb2 import ClusterLoadAssignment

Made = betterproto2.Message | ClusterLoadAssignment
"""A resource that is made."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make resources, and of what: two recipes of equal `inputs` make the same."""

    inputs: Hashable
    make: Callable[[], Iterable[Made]]
