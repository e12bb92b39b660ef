"""AWS's own files: the CustomResourceDefinitions and the walkthroughs' manifests."""

from collections.abc import Iterable
from pathlib import Path
from string import Template
from textwrap import dedent
from typing import Any

import pytest
import yaml

from mesh.appmesh.admission import admit
from mesh.appmesh.inventory import Inventory
from mesh.appmesh.refusals import Document

APPMESH = Path(__file__).parents[3] / "shared" / "vectors" / "appmesh"
VARIABLES = {"APP_NAMESPACE": "demo", "MESH_NAME": "demo", "CLOUDMAP_NAMESPACE": "demo.local"}

needed = pytest.mark.skipif(not APPMESH.is_dir(), reason="AWS's manifests and CRDs are not beside this repository")

Objects = list[dict[str, Any]]


def walkthrough(name: str) -> Objects:
    """The objects of a walkthrough's manifest, in namespace and mesh `demo`."""
    return objects(Template((APPMESH / f"{name}.yaml.template").read_text()).safe_substitute(VARIABLES))


def objects(text: str) -> Objects:
    return [one for one in yaml.safe_load_all(dedent(text)) if one]


def documents(contents: Iterable[dict[str, Any]]) -> list[Document]:
    return [Document(f"test.yaml, document {number}", content) for number, content in enumerate(contents, start=1)]


def admitted(contents: Iterable[dict[str, Any]]) -> Inventory:
    return admit(documents(contents)).whole()


def find(contents: Objects, kind: str, name: str) -> dict[str, Any]:
    """The specification of one object."""
    return next(one["spec"] for one in contents if (one["kind"], one["metadata"]["name"]) == (kind, name))
