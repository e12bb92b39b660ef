"""Who belongs to whom: namespaces to meshes, gateway routes to gateways, pods to nodes; all by labels."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from mesh.appmesh.refusals import Problem, RefusedError
from mesh.appmesh.schema.base import LabelSelector, Namespace, SelectorRequirement
from mesh.appmesh.schema.nodes import Mesh, VirtualGateway, VirtualNode
from mesh.appmesh.schema.routes import GatewayRoute

Labels = Mapping[str, str]
Selected = TypeVar("Selected", Mesh, VirtualGateway, VirtualNode)


def selects(selector: LabelSelector | None, labels: Labels) -> bool:
    """Say whether a selector selects these labels; no selector selects nothing, an empty one everything."""
    if selector is None:
        return False
    pairs = (selector.match_labels or {}).items()
    return all(labels.get(key) == value for key, value in pairs) and all(
        _holds(term, labels) for term in selector.match_expressions or ()
    )


def mesh_of(namespace: Namespace, meshes: Iterable[Mesh]) -> Mesh:
    """Return the mesh whose selector selects the namespace. Raises RefusedError unless it is exactly one."""
    labels, name = namespace.metadata.labels, namespace.metadata.name
    found = [mesh for mesh in meshes if selects(mesh.spec.namespace_selector, labels)]
    return _only(found, f"matching mesh for namespace: {name}", "metadata.namespace")


def gateway_of(route: GatewayRoute, namespace: Namespace, gateways: Iterable[VirtualGateway]) -> VirtualGateway:
    """Return the gateway that takes the route. Raises RefusedError unless it is exactly one."""
    found = [
        gateway
        for gateway in gateways
        if selects(gateway.spec.namespace_selector, namespace.metadata.labels)
        and selects(gateway.spec.gateway_route_selector or LabelSelector(), route.metadata.labels)
    ]
    return _only(found, f"matching virtualGateway for gatewayRoute: {route.metadata.name}", "metadata")


def member_of(
    namespace: str, labels: Labels, candidates: Iterable[VirtualNode | VirtualGateway]
) -> VirtualNode | VirtualGateway | None:
    """Return the node or gateway that a pod stands for; None for a pod outside the mesh.

    Raises RefusedError where several select it.
    """
    found = [
        one for one in candidates if one.metadata.namespace == namespace and selects(one.spec.pod_selector, labels)
    ]
    if len(found) > 1:
        names = ", ".join(one.title for one in found)
        raise RefusedError([Problem("metadata.labels", f"several select this pod, expecting one: {names}")])
    return found[0] if found else None


def selector_problems(selector: LabelSelector | None, path: str) -> Iterable[Problem]:
    """Return what is wrong with a selector."""
    for index, term in enumerate((selector and selector.match_expressions) or ()):
        here = f"{path}.matchExpressions[{index}]"
        if term.operator not in {"In", "NotIn", "Exists", "DoesNotExist"}:
            yield Problem(f"{here}.operator", f"{term.operator!r} is no operator of label selectors")
        elif term.operator in {"In", "NotIn"} and not term.values:
            yield Problem(f"{here}.values", f"{term.operator} needs values")
        elif term.operator in {"Exists", "DoesNotExist"} and term.values:
            yield Problem(f"{here}.values", f"{term.operator} takes no values")


def _holds(term: SelectorRequirement, labels: Labels) -> bool:
    values = term.values or ()
    match term.operator:
        case "In":
            return labels.get(term.key) in values
        case "NotIn":
            return labels.get(term.key) not in values
        case "Exists":
            return term.key in labels
        case _:
            return term.key not in labels


def _only(found: list[Selected], what: str, path: str) -> Selected:
    if not found:
        raise RefusedError([Problem(path, f"failed to find {what}, expecting 1 but found 0")])
    if len(found) > 1:
        names = ",".join(one.metadata.name for one in found)
        raise RefusedError([Problem(path, f"found multiple {what}, expecting 1 but found {len(found)}: {names}")])
    return found[0]
