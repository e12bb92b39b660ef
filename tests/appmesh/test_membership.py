"""Labels decide who belongs to whom."""

import json

import pytest
import yaml

from mesh.appmesh.membership import member_of, selects
from mesh.appmesh.refusals import RefusedError
from mesh.appmesh.schema.base import LabelSelector
from mesh.appmesh.schema.nodes import VirtualNode
from tests.appmesh.shop import (
    admitted,
    edited,
)


@pytest.mark.parametrize(
    ("selector", "labels", "selected"),
    [
        ("null", {"a": "1"}, False),
        ("{}", {}, True),
        ("{matchLabels: {a: '1'}}", {"a": "1", "b": "2"}, True),
        ("{matchLabels: {a: '1'}}", {"a": "2"}, False),
        ("{matchExpressions: [{key: a, operator: In, values: ['1', '2']}]}", {"a": "2"}, True),
        ("{matchExpressions: [{key: a, operator: In, values: ['1']}]}", {}, False),
        ("{matchExpressions: [{key: a, operator: NotIn, values: ['1']}]}", {}, True),
        ("{matchExpressions: [{key: a, operator: NotIn, values: ['1']}]}", {"a": "1"}, False),
        ("{matchExpressions: [{key: a, operator: Exists}]}", {"a": ""}, True),
        ("{matchExpressions: [{key: a, operator: DoesNotExist}]}", {"a": ""}, False),
        ("{matchLabels: {a: '1'}, matchExpressions: [{key: b, operator: Exists}]}", {"a": "1"}, False),
    ],
)
def test_selectors_select_as_in_kubernetes(selector: str, labels: dict[str, str], selected: bool) -> None:
    content = yaml.safe_load(selector)
    parsed = None if content is None else LabelSelector.model_validate_json(json.dumps(content))

    assert selects(parsed, labels) is selected


def test_a_pod_belongs_to_the_one_node_that_selects_it() -> None:
    nodes = list(admitted().whole().all(VirtualNode))

    member = member_of("demo", {"app": "stock"}, nodes)
    assert member
    assert member.metadata.name == "stock"
    assert member_of("elsewhere", {"app": "stock"}, nodes) is None
    greedy = list(admitted(edited("VirtualNode/basket.podSelector", "{}")).whole().all(VirtualNode))
    with pytest.raises(RefusedError, match="expecting one: VirtualNode demo/basket, VirtualNode demo/stock"):
        member_of("demo", {"app": "stock"}, greedy)
