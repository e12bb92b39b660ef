"""The one place where the compiled mesh meets this machine."""

from mesh.local.state import State
from mesh.local.topology import Topology


def configure(topology: Topology, state: State) -> None:
    """Write every pod's and the edge's bootstrap and their certificates, before any of them starts."""
