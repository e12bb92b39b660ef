"""What lies in the AWS emulator."""

from mesh.local.provision import cognito, kms
from mesh.local.state import State


def provision(endpoint: str, state: State) -> None:
    """Make the keys and the user pool."""
    kms.provision(endpoint)
    cognito.provision(endpoint, state)
