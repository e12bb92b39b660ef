"""Free ports, chosen once per checkout and kept while they stay free, so that two checkouts run side by side."""

import json
import random
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from itertools import chain

from mesh.local.state import State, write_private

# Below the range from which the kernel takes the ports of outgoing connections: there any could be taken meanwhile.
RANGE = range(20_000, 32_000)


def choose(
    names: Iterable[str], recorded: Mapping[str, int], is_free: Callable[[int], bool], candidates: Iterable[int]
) -> dict[str, int]:
    """Return a port for every name: the recorded one if it is still free, else the first candidate that is.

    Raises OSError when no candidate is left.
    """
    kept = {name: port for name, port in recorded.items() if is_free(port)}
    fresh = (port for port in candidates if port not in kept.values() and is_free(port))
    chosen = {name: kept.get(name) or next(fresh, 0) for name in names}
    if not all(chosen.values()):
        raise OSError("no free port is left for a part")
    return chosen


def is_free(port: int) -> bool:
    """Return whether nothing listens on `port` at any address of this machine."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True


def recorded(state: State) -> dict[str, int]:
    """Return the ports of this checkout's last start; none before the first."""
    path = state.root / "ports.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def allocate(state: State, names: Iterable[str]) -> dict[str, int]:
    """Return and record a free port for every name."""
    # Seeded by the folder, so that neighbouring checkouts start looking in different places.
    candidates = random.Random(str(state.root)).sample(RANGE, len(RANGE))  # noqa: S311 - nothing secret
    before = recorded(state)
    ports = choose(tuple(dict.fromkeys(chain(before, names))), before, is_free, candidates)
    write_private(state.root / "ports.json", json.dumps(ports, indent=2) + "\n")
    return ports
