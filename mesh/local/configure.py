"""The one place where the compiled mesh meets this machine."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from mesh.contracts import openapi
from mesh.control_plane.inputs import AppMeshInput, Inputs
from mesh.identity.store import ensure
from mesh.local import places
from mesh.local.state import REPOSITORY, State, write_private
from mesh.topology import EDGE, IDENTITIES, OPERATOR, EdgePlace, Issuer

GENERATED = REPOSITORY / "gen" / "florin"


def configure(state: State, ports: Mapping[str, int]) -> None:
    """Write what the control plane is told, and everybody's certificates, before anybody starts who reads them."""
    ensure(places.identities(state), IDENTITIES, datetime.now(UTC))
    write_private(places.control_plane_inputs(state), inputs(state, ports).model_dump_json(indent=1))


def inputs(state: State, ports: Mapping[str, int]) -> Inputs:
    """Return the contracts at this run's addresses, with the issuer that provisioning made.

    FLORIN_ORIGINS, when the gateway is started, names the web origins whose scripts may call it, between spaces;
    FLORIN_APPMESH names files and folders of App Mesh resources that are served too, between colons.
    """
    issuer = json.loads((state.conf / "issuer.json").read_text())
    return Inputs(
        contracts=GENERATED / "florin.binpb",
        places=places.pods(state, ports),
        edge=EdgePlace(
            address=places.HOST,
            port=ports[EDGE],
            terminals_port=ports[places.TERMINALS],
            admin=places.admin(state, EDGE),
            issuer=Issuer(issuer["issuer"], issuer["jwks_uri"], tuple(issuer.get("audiences", ()))),
            openapi=openapi.served((GENERATED / "openapi.json").read_text(), issuer["token_endpoint"]),
            origins=tuple(os.environ.get("FLORIN_ORIGINS", "").split()),
        ),
        operator_mesh=places.mesh(state, OPERATOR),
        operator_admin=places.admin(state, OPERATOR),
        identities=places.identities(state),
        socket=places.control_plane(state),
        bootstraps=state.conf / "envoy",
        appmesh=_appmesh(state),
    )


def _appmesh(state: State) -> AppMeshInput | None:
    files = tuple(Path(one).resolve() for one in os.environ.get("FLORIN_APPMESH", "").split(os.pathsep) if one)
    return AppMeshInput(files=files, refusals=places.refusals(state)) if files else None
