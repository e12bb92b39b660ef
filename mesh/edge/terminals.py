"""The edge's side for terminals: who calls is what the certificate says, and which rpcs there are is the contracts'.

That a certificate was issued by the terminals' authority, and was not revoked, is checked when a connection is made;
that it is still good is checked again with each call, so that a revoked terminal's open connections are of no use.
"""

from collections.abc import Iterable
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.http.buffer.v3 import Buffer
from envoy_data_plane.envoy.extensions.filters.http.lua import v3 as lua
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager

from mesh.edge import headers
from mesh.edge.limits import backstop, limiting, of_terminals
from mesh.edge.transcoding import LARGEST_REQUEST_BYTES
from mesh.resources import routing
from mesh.resources.http import http_filter
from mesh.resources.typed import packed, struct
from mesh.topology import TRUST_DOMAIN, Contracts, Method

TERMINALS: Final = "terminals"
"""The name of the listener and of its route table."""

IDENTITY: Final = "terminal"

FROM_THE_CERTIFICATE: Final = f"""
function envoy_on_request(handle)
  local certificate = handle:streamInfo():downstreamSslConnection()
  local names = certificate:uriSanPeerCertificate()
  local pattern = "^spiffe://{TRUST_DOMAIN.replace(".", "%.")}/terminal/([%w_-]+)/([%w_-]+)$"
  local merchant, terminal = (#names == 1 and names[1] or ""):match(pattern)
  local revoked = handle:filterContext():get(certificate:serialNumberPeerCertificate())
  if not merchant or revoked or certificate:expirationPeerCertificate() <= os.time() then
    handle:respond({{[":status"] = "401"}}, "")
    return
  end
  handle:headers():replace("x-florin-tenant", merchant)
  handle:headers():replace("x-florin-terminal", terminal)
  handle:headers():replace("x-florin-client", merchant .. "/" .. terminal)
  handle:headers():replace("x-florin-terminal-serial", certificate:serialNumberPeerCertificate())
  handle:headers():replace("x-florin-terminal-expires", tostring(certificate:expirationPeerCertificate()))
end
"""
"""Puts merchant and terminal in the headers that services read, after whatever the caller put there was removed."""


def filters() -> list[manager.HttpFilter]:
    """Return the filters in front of the router."""
    whole = Buffer(max_request_bytes=LARGEST_REQUEST_BYTES)
    return [
        http_filter("envoy.filters.http.header_mutation", headers.native()),
        headers.start_of_trace(),
        backstop(),
        http_filter(IDENTITY, lua.Lua(default_source_code=core.DataSource(inline_string=FROM_THE_CERTIFICATE))),
        limiting(),
        http_filter("envoy.filters.http.buffer", whole),
    ]


def routes(contracts: Contracts, revoked: Iterable[str] = ()) -> route.RouteConfiguration:
    """Return the routes of the rpcs that terminals may call; there are no others.

    `revoked` are the serial numbers of certificates that are good no more, in hexadecimal: lower case, whole bytes.
    """
    no_more = lua.LuaPerRoute(filter_context=struct(dict.fromkeys(revoked, "revoked")))
    host = route.VirtualHost(
        name=TERMINALS,
        domains=["*"],
        routes=[*map(_rpc, contracts.for_terminals()), routing.refusal(404, "unknown")],
        request_headers_to_remove=["cookie", "authorization"],
        typed_per_filter_config={IDENTITY: packed(no_more)},
    )
    return route.RouteConfiguration(name=TERMINALS, virtual_hosts=[host])


def _rpc(method: Method) -> route.Route:
    return routing.call(method, method.owner, said=[routing.SAYS_GRPC], counted=of_terminals(method))
