"""The edge's routes: one for each REST form of a public rpc, and an answer for everything else.

The transcoder keeps the route of the REST request, so what is asked of a token is decided once, by the path that came.
A gRPC path has a route of its own, for requests that say they are gRPC.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.http.ext_authz import v3 as ext_authz
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn import v3 as jwt_authn
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import LuaPerRoute
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google.protobuf import Any

from mesh.edge.browsers import READABLE, from_one_of, is_preflight, policy
from mesh.edge.firewall import FIREWALL
from mesh.edge.headers import ASKED_FOR, GRPC_HEADERS, REST_HEADERS
from mesh.edge.limits import descriptors
from mesh.edge.transcoding import unwrapped
from mesh.resources import routing
from mesh.resources.typed import OVERWRITE, exact, header, milliseconds, packed
from mesh.topology import Binding, Contracts, Method

JWT_AUTHN: Final = "envoy.filters.http.jwt_authn"
EXT_AUTHZ: Final = "envoy.filters.http.ext_authz"
TRANSCODER: Final = "envoy.filters.http.grpc_json_transcoder"
UNWRAPPED: Final = "envoy.filters.http.lua"
REQUIREMENT: Final = "token"

RPC: Final = "rpc"
BINDING: Final = "binding"
"""The names under which the authorizer is told which rpc, and which of its REST forms, a request is for."""

# The service answers at the contract's deadline; the edge cuts only what came to no answer at all.
MARGIN_MS: Final = 500

LARGEST_DOCUMENT_BYTES: Final = 1 << 20

OFF: Final = packed(route.FilterConfig(disabled=True))

OPEN: Final[dict[str, Any]] = {JWT_AUTHN: OFF, EXT_AUTHZ: OFF}
"""Asks nobody for a token."""

ANSWERED: Final[dict[str, Any]] = OPEN | {FIREWALL: OFF, TRANSCODER: OFF}
"""Is answered by the edge itself."""

GRPC: Final = "grpc"
"""What the authorizer is told in the place of a REST form."""

AS_GRPC: Final[dict[str, Any]] = {TRANSCODER: OFF, REST_HEADERS: OFF, GRPC_HEADERS: ASKED_FOR}
"""Is gRPC already, and stays it."""

SEGMENT: Final = re.compile(r"{[a-z0-9_.]+(?:=([^}]*))?}|([^{]+)")


@dataclass(frozen=True, slots=True)
class Public:
    """One REST form of one public rpc."""

    method: Method
    binding: Binding
    number: int
    unwrapped: LuaPerRoute | None

    @property
    def regex(self) -> str:
        """The paths of this form, as a regular expression (RE2)."""
        return path_regex(self.binding.template)


def routes(contracts: Contracts, openapi: str, origins: Iterable[str] = ()) -> route.RouteConfiguration:
    """Return all routes: documents, rpcs, then 405 for a known path and 404 for any other."""
    forms = by_precision(public(contracts))
    named = tuple(origins)
    documents = [
        *([_document("/openapi.json", openapi, named), _preflight(forms[0].method, named)] if named else []),
        _document("/openapi.json", openapi),
        _document("/healthz", '{"status":"SERVING"}'),
    ]
    host = route.VirtualHost(
        name="edge",
        domains=["*"],
        routes=[
            *documents,
            *map(_native, contracts.with_token()),
            _unknown(AS_GRPC, routing.SAYS_GRPC),
            *map(_rpc, forms),
            *_wrong_verbs(forms),
            _unknown({}),
        ],
        typed_per_filter_config=policy(named, ["POST", *(form.binding.verb for form in forms)]),
        # An rpc's own credentials end here; the callee is told who calls by the authorizer's headers.
        request_headers_to_remove=["cookie", "authorization"],
    )
    return route.RouteConfiguration(
        name="edge", virtual_hosts=[host], max_direct_response_body_size_bytes=LARGEST_DOCUMENT_BYTES
    )


def public(contracts: Contracts) -> Iterator[Public]:
    """Return every REST form of every public rpc."""
    for method in contracts.public():
        for number, binding in enumerate(method.bindings):
            yield Public(method, binding, number, unwrapped(contracts, method, binding))


def by_precision(forms: Iterable[Public]) -> list[Public]:
    """Return the forms so that a literal segment is tried before a variable, and a custom verb before none."""
    return sorted(forms, key=lambda form: [_vague(segment) for segment in form.binding.template.split("/")])


def path_regex(template: str) -> str:
    """Return the regular expression of a path template (google.api.http): a variable is one segment unless it says."""
    return "".join(_segment_regex(match) for match in SEGMENT.finditer(template))


def _segment_regex(match: re.Match[str]) -> str:
    pattern, literal = match.groups()
    if literal is not None:
        return re.escape(literal)
    parts = (pattern or "*").split("/")
    return "/".join({"*": "[^/]+", "**": ".+"}.get(part, re.escape(part)) for part in parts)


def _vague(segment: str) -> tuple[bool, bool]:
    return "{" in segment, not segment.partition("}")[2]


def _rpc(form: Public) -> route.Route:
    method = form.method
    longest = milliseconds(method.deadline_ms + MARGIN_MS)
    return route.Route(
        name=method.name,
        match=_match(form.regex, form.binding.verb),
        route=route.RouteAction(
            cluster=method.owner,
            timeout=longest,
            idle_timeout=longest,
            retry_policy=routing.retries(method),
            rate_limits=descriptors(method),
        ),
        request_headers_to_add=[routing.deadline(method, OVERWRITE)],
        typed_per_filter_config=(OPEN if method.signed_by_sender else _guarded(method, str(form.number)))
        | _named(method)
        | _shaped(form),
    )


def _native(method: Method) -> route.Route:
    """Return the route of an rpc for gRPC and gRPC-Web, by the same token as for REST."""
    return routing.call(
        method,
        method.owner,
        said=[routing.SAYS_GRPC],
        counted=descriptors(method),
        filters=AS_GRPC | _guarded(method, GRPC) | _named(method),
    )


def _shaped(form: Public) -> dict[str, Any]:
    if form.unwrapped is None:
        return {}
    return {UNWRAPPED: packed(route.FilterConfig(config=packed(form.unwrapped)))}


def _guarded(method: Method, form: str) -> dict[str, Any]:
    told = {RPC: method.name, BINDING: form}
    settings = ext_authz.CheckSettings(context_extensions=told)
    return {
        JWT_AUTHN: packed(jwt_authn.PerRouteConfig(requirement_name=REQUIREMENT)),
        EXT_AUTHZ: packed(ext_authz.ExtAuthzPerRoute(check_settings=settings)),
    }


def _named(method: Method) -> dict[str, Any]:
    """Tell the firewall which rpc it is: that is what it logs."""
    settings = ext_authz.CheckSettings(context_extensions={RPC: method.name})
    return {FIREWALL: packed(ext_authz.ExtAuthzPerRoute(check_settings=settings))}


def _wrong_verbs(forms: list[Public]) -> Iterator[route.Route]:
    verbs: dict[str, set[str]] = {}
    for form in forms:
        verbs.setdefault(form.regex, set()).add(form.binding.verb)
    for regex, taken in verbs.items():
        yield route.Route(
            name="method not allowed",
            match=_match(regex),
            direct_response=route.DirectResponseAction(status=405),
            response_headers_to_add=[header("allow", ", ".join(sorted(taken)))],
            typed_per_filter_config=ANSWERED,
        )


def _preflight(some: Method, origins: tuple[str, ...]) -> route.Route:
    """Return the route of preflights, because the filter looks at no route that is an answer itself.

    Should it let one go on nevertheless, the authorizer refuses it: no contract has a form of this name.
    """
    return route.Route(
        name="preflight",
        match=route.RouteMatch(prefix="/", headers=is_preflight(origins)),
        route=route.RouteAction(cluster=some.owner),
        typed_per_filter_config=_guarded(some, "preflight"),
    )


def _document(path: str, content: str, origins: tuple[str, ...] = ()) -> route.Route:
    get = route.HeaderMatcher(name=":method", string_match=exact("GET"))
    return route.Route(
        name=path,
        match=route.RouteMatch(path=path, headers=[get, *([from_one_of(origins)] if origins else [])]),
        response_headers_to_add=list(READABLE) if origins else [],
        direct_response=route.DirectResponseAction(status=200, body=core.DataSource(inline_string=content)),
        typed_per_filter_config=ANSWERED,
    )


def _unknown(shape: dict[str, Any], *said: route.HeaderMatcher) -> route.Route:
    return route.Route(
        name="unknown",
        match=route.RouteMatch(prefix="/", headers=list(said)),
        direct_response=route.DirectResponseAction(status=404),
        typed_per_filter_config=ANSWERED | shape,
    )


def _match(regex: str, verb: str | None = None) -> route.RouteMatch:
    verbs = [route.HeaderMatcher(name=":method", string_match=exact(verb))] if verb else []
    return route.RouteMatch(safe_regex=matcher.RegexMatcher(regex=regex), headers=verbs)
