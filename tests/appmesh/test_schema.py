"""The models say exactly what AWS's CustomResourceDefinitions say: the same fields, bounds and obligations."""

from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from mesh.appmesh.schema.nodes import BackendGroup, Mesh, VirtualGateway, VirtualNode, VirtualService
from mesh.appmesh.schema.routes import GatewayRoute, VirtualRouter
from tests.appmesh.vectors import APPMESH, needed

KINDS = {
    "meshes": Mesh,
    "virtualnodes": VirtualNode,
    "virtualgateways": VirtualGateway,
    "virtualservices": VirtualService,
    "virtualrouters": VirtualRouter,
    "gatewayroutes": GatewayRoute,
    "backendgroups": BackendGroup,
}
BOUNDS = ("minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")


def theirs(plural: str) -> dict[str, Any]:
    definition = yaml.safe_load((APPMESH / "crds" / f"appmesh.k8s.aws_{plural}.yaml").read_text())
    (version,) = definition["spec"]["versions"]
    return dict(version["schema"]["openAPIV3Schema"]["properties"]["spec"])


def ours(model: type[BaseModel]) -> dict[str, Any]:
    whole = model.model_json_schema()
    return dict(resolved(whole["properties"]["spec"], whole.get("$defs", {})))


def resolved(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with references followed and `or null` left out, as CRDs leave it out."""
    if "$ref" in schema:
        return resolved(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    if "anyOf" in schema:
        (one,) = (branch for branch in schema["anyOf"] if branch != {"type": "null"})
        return resolved(one, definitions)
    nested = {
        "properties": {name: resolved(part, definitions) for name, part in schema.get("properties", {}).items()},
        "items": resolved(schema["items"], definitions) if "items" in schema else None,
    }
    return {**schema, **{key: value for key, value in nested.items() if value}}


def facts(schema: dict[str, Any], path: str = "spec") -> dict[str, Any]:
    """Everything a schema demands, by path."""
    choices = schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    here = {
        "type": schema["type"],
        "required": sorted(schema.get("required", [])),
        "enum": sorted(choice for choice in choices if choice),
        # No items at least is no bound.
        **{bound: schema[bound] for bound in BOUNDS if bound in schema and (bound, schema[bound]) != ("minItems", 0)},
    }
    found = {path: here}
    for name, part in schema.get("properties", {}).items():
        found |= facts(part, f"{path}.{name}")
    if "items" in schema:
        found |= facts(schema["items"], f"{path}[]")
    return found


@needed
@pytest.mark.parametrize("plural", KINDS)
def test_a_kind_has_the_fields_bounds_and_obligations_of_its_definition(plural: str) -> None:
    assert facts(ours(KINDS[plural])) == facts(theirs(plural))


@needed
def test_the_comparison_sees_a_bound_that_differs() -> None:
    changed = theirs("virtualnodes")
    changed["properties"]["listeners"]["items"]["properties"]["portMapping"]["properties"]["port"]["maximum"] = 65536

    assert facts(ours(VirtualNode)) != facts(changed)
