"""Somebody who goes around the outbound side of a sidecar, straight to the callee's port."""

import ssl
from pathlib import Path

import httpx

from tests.mesh.world import HOST, World


def direct(mesh: World, callee: str, identities: Path, identity: str | None) -> httpx.Client:
    """A client with the certificate that lies in a folder, or with none."""
    context = ssl.create_default_context(cafile=str(mesh.identities / "bundle.pem"))
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    if identity:
        context.load_cert_chain(identities / identity / "cert.pem", identities / identity / "key.pem")
    url = f"https://{HOST}:{mesh.topology.places[callee].port}"
    return httpx.Client(verify=context, http1=False, http2=True, base_url=url, timeout=20)


def knock(client: httpx.Client, path: str) -> httpx.Response:
    """Call an rpc with an empty message. An answer that is a refusal says so in its headers, any other in trailers."""
    headers = {"content-type": "application/grpc", "te": "trailers"}
    return client.post(path, headers=headers, content=bytes(5))
