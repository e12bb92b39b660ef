"""The inbound side of a sidecar: who may reach the service, by the contracts, and what the service is told of them."""

from collections.abc import Iterable
from typing import Final

from envoy_data_plane.envoy.config.common.mutation_rules import v3 as mutation
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.rbac import v3 as rbac
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.common.matching.v3 import ExtensionWithMatcher
from envoy_data_plane.envoy.extensions.filters.common.matcher.action.v3 import SkipFilter
from envoy_data_plane.envoy.extensions.filters.http.header_mutation import v3 as header_mutation
from envoy_data_plane.envoy.extensions.filters.http.rbac import v3 as rbac_filter
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.extensions.matching.common_inputs.ssl.v3 import UriSanInput
from envoy_data_plane.envoy.extensions.rbac.principals.mtls_authenticated.v3 import Config as MutuallyAuthenticated
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.xds.core import v3 as xds_core
from envoy_data_plane.xds.type.matcher import v3 as xds_matcher

from mesh.resources import ads, http, routing
from mesh.resources.clusters import LOCAL
from mesh.resources.tls import Secrets, taking
from mesh.resources.typed import exact, extension, header, packed, tcp
from mesh.topology import EDGE, IDENTITIES, OPERATOR, TRUST_DOMAIN, Contracts, Method, Topology, spiffe_id

INBOUND: Final = "inbound"
"""The name of the listener and of its route table."""

CALLER: Final = "x-florin-caller"
FROM_THE_EDGE: Final = (
    "x-florin-client",
    "x-florin-scopes",
    "x-florin-terminal",
    "x-florin-terminal-serial",
    "x-florin-terminal-expires",
)
"""What the edge learnt from the caller's token or certificate. Said by anybody else it is a forgery."""

TENANT: Final = "x-florin-tenant"
"""Whom a call is made for: the edge says it, and whom a contract lets speak on behalf of others."""


def inbound(topology: Topology, name: str, secrets: Secrets) -> listener.Listener:
    """Return the listener on which others reach a service: mutual TLS, and RBAC per rpc."""
    place = topology.places[name]
    speakers = sorted({EDGE}.union(*(method.on_behalf for method in topology.contracts.of(name))))
    filters = [
        one_identity(),
        authorization(topology.contracts, name),
        _removed("unless_the_edge", FROM_THE_EDGE, unless=[EDGE]),
        _removed("unless_on_behalf", [TENANT], unless=speakers),
    ]
    connection = http.grpc_listener(INBOUND, ads.routes(INBOUND), filters)
    return listener.Listener(
        name=INBOUND,
        address=tcp(place.address, place.port),
        traffic_direction=core.TrafficDirection.INBOUND,
        filter_chains=[
            listener.FilterChain(transport_socket=taking(name, secrets), filters=[http.network_filter(connection)])
        ],
    )


def routes(contracts: Contracts, name: str) -> route.RouteConfiguration:
    """Return the routes to a service: its rpcs, health and reflection; the caller's identity goes with each call."""
    known = [routing.arrival(method, LOCAL) for method in contracts.of(name)]
    tools = [routing.everything_under(prefix, LOCAL) for prefix in (routing.HEALTH, *routing.REFLECTION)]
    return route.RouteConfiguration(
        name=INBOUND,
        virtual_hosts=[
            route.VirtualHost(name=name, domains=["*"], routes=[*known, *tools, routing.refusal(404, "unknown")])
        ],
        request_headers_to_add=[header(CALLER, "%DOWNSTREAM_PEER_URI_SAN%")],
    )


def one_identity() -> manager.HttpFilter:
    """Return the filter that lets in only a certificate whose one URI SAN is an identity of the mesh (X509-SVID, 2).

    TLS and the rules of RBAC ask whether some name of a certificate fits; this asks whether it is all that is there.
    """
    admit = xds_matcher.MatcherOnMatch(action=_verdict("admitted", rbac.RbacAction.ALLOW))
    tree = xds_matcher.MatcherMatcherTree(
        input=xds_core.TypedExtensionConfig(name="caller", typed_config=packed(UriSanInput())),
        exact_match_map=xds_matcher.MatcherMatcherTreeMatchMap(map={spiffe_id(name): admit for name in IDENTITIES}),
    )
    refuse = xds_matcher.MatcherOnMatch(action=_verdict("refused", rbac.RbacAction.DENY))
    matcher_of_names = xds_matcher.Matcher(matcher_tree=tree, on_no_match=refuse)
    return http.http_filter("one_identity", rbac_filter.Rbac(matcher=matcher_of_names))


def _verdict(name: str, action: rbac.RbacAction) -> xds_core.TypedExtensionConfig:
    return xds_core.TypedExtensionConfig(name=name, typed_config=packed(rbac.Action(name=name, action=action)))


def authorization(contracts: Contracts, name: str) -> manager.HttpFilter:
    """Return the filter that lets an rpc be called by the identities its contract names, and by nobody else."""
    policies = {method.name: _policy(method) for method in contracts.of(name)}
    policies["health"] = rbac.Policy(permissions=[_under(routing.HEALTH)], principals=[_anyone()])
    policies["reflection"] = rbac.Policy(
        permissions=[_under(prefix) for prefix in routing.REFLECTION], principals=[_identity(OPERATOR)]
    )
    rules = rbac.Rbac(action=rbac.RbacAction.ALLOW, policies=policies)
    return http.http_filter("envoy.filters.http.rbac", rbac_filter.Rbac(rules=rules))


def _policy(method: Method) -> rbac.Policy:
    path = matcher.PathMatcher(path=exact(method.path))
    return rbac.Policy(
        permissions=[rbac.Permission(url_path=path)],
        principals=[_identity(caller) for caller in sorted(method.identities)],
    )


def _under(prefix: str) -> rbac.Permission:
    return rbac.Permission(url_path=matcher.PathMatcher(path=matcher.StringMatcher(prefix=prefix)))


def _identity(name: str) -> rbac.Principal:
    return _presenting(exact(spiffe_id(name)))


def _anyone() -> rbac.Principal:
    return _presenting(matcher.StringMatcher(prefix=f"spiffe://{TRUST_DOMAIN}/"))


def _presenting(uri: matcher.StringMatcher) -> rbac.Principal:
    san = tls.SubjectAltNameMatcher(san_type=tls.SubjectAltNameMatcherSanType.URI, matcher=uri)
    return rbac.Principal(
        custom=extension("envoy.rbac.principals.mtls_authenticated", MutuallyAuthenticated(san_matcher=san))
    )


def _removed(filter_name: str, names: Iterable[str], *, unless: Iterable[str]) -> manager.HttpFilter:
    """Return the filter that removes headers which would be forgeries; calls of those who may say them skip it."""
    removed = [mutation.HeaderMutation(remove=name) for name in names]
    configuration = header_mutation.HeaderMutation(mutations=header_mutation.Mutations(request_mutations=removed))
    skip = xds_matcher.MatcherOnMatch(
        action=xds_core.TypedExtensionConfig(name="skip", typed_config=packed(SkipFilter()))
    )
    tree = xds_matcher.MatcherMatcherTree(
        input=xds_core.TypedExtensionConfig(name="caller", typed_config=packed(UriSanInput())),
        exact_match_map=xds_matcher.MatcherMatcherTreeMatchMap(map={spiffe_id(caller): skip for caller in unless}),
    )
    return http.http_filter(
        filter_name,
        ExtensionWithMatcher(
            xds_matcher=xds_matcher.Matcher(matcher_tree=tree),
            extension_config=extension("envoy.filters.http.header_mutation", configuration),
        ),
    )
