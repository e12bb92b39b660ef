"""The one place where the compiled mesh meets this machine."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from mesh.compile import resources
from mesh.contracts import openapi
from mesh.identity.store import ensure
from mesh.local import places
from mesh.local.state import REPOSITORY, State, write_private
from mesh.resources.bootstrap import bootstrap_file, secret_file, watched_file
from mesh.resources.tls import PUBLIC, TRUST
from mesh.topology import EDGE, IDENTITIES, OPERATOR, Contracts, EdgePlace, Issuer, Topology

GENERATED = REPOSITORY / "gen" / "florin"


def configure(state: State, ports: Mapping[str, int]) -> None:
    """Write every Envoy's bootstrap and everybody's certificates, before anybody starts who reads them."""
    identities, sources = state.secrets / "mesh", state.conf / "envoy" / "secrets"
    sources.mkdir(mode=0o700, parents=True, exist_ok=True)
    ensure(identities, IDENTITIES, datetime.now(UTC))
    for name in (*IDENTITIES, TRUST, PUBLIC):
        write_private(sources / f"{name}.json", secret_file(name, identities))
    for one in resources(topology(state, ports), partial(watched_file, sources)):
        path = places.bootstrap(state, one.node)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_private(path, bootstrap_file(one))


def topology(state: State, ports: Mapping[str, int]) -> Topology:
    """Return the contracts at this run's addresses, with the issuer that provisioning made."""
    issuer = json.loads((state.conf / "issuer.json").read_text())
    return Topology(
        contracts=Contracts((GENERATED / "florin.binpb").read_bytes()),
        places=places.pods(state, ports),
        edge=EdgePlace(
            address=places.HOST,
            port=ports[EDGE],
            admin=places.admin(state, EDGE),
            issuer=Issuer(issuer["issuer"], issuer["jwks_uri"], tuple(issuer.get("audiences", ()))),
            openapi=openapi.served((GENERATED / "openapi.json").read_text(), issuer["token_endpoint"]),
        ),
        operator_mesh=places.mesh(state, OPERATOR),
        operator_admin=places.admin(state, OPERATOR),
    )
