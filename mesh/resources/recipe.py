"""Resources that are not made yet."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

import betterproto2


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make resources, and of what: two recipes of equal `inputs` make the same."""

    inputs: Hashable
    make: Callable[[], Iterable[betterproto2.Message]]
