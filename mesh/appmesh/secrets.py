"""Which secrets a proxy asks for."""

from collections.abc import Iterable

from mesh.appmesh.envoy.tls import secret_names
from mesh.appmesh.schema.nodes import VirtualGateway, VirtualNode
from mesh.appmesh.services import Called


def secrets_of(owner: VirtualNode | VirtualGateway, called: Iterable[Called]) -> tuple[str, ...]:
    """Return the names of the secrets behind a proxy's listeners and client policies, in their order."""
    found: set[str] = set()
    for listener in owner.spec.listeners or ():
        if listener.tls and listener.tls.mode != "DISABLED":
            validation = listener.tls.validation
            found |= secret_names(listener.tls.certificate, validation.trust if validation else None)
    for one in called:
        if one.policy and one.policy.tls:
            found |= secret_names(one.policy.tls.certificate, one.policy.tls.validation.trust)
    return tuple(sorted(found))
