"""The file of limits: what is found in it, what is refused, and that it speaks of rpcs that exist."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.edge.limits import DOMAIN
from mesh.topology import EDGE
from services.limiter.domain import Limit, Unit
from services.limiter.limitfile import BadLimitsError, Descriptor, Entry, Limits, load
from tests.mesh.world import contracts

SHIPPED = Path(__file__).parents[2] / "services" / "limiter" / "limits.yaml"

EXAMPLE = """
domain: edge
descriptors:
  - key: client
    rate_limit: {name: client, unit: minute, requests_per_unit: 100}
  - {key: client, value: big, rate_limit: {unit: hour, requests_per_unit: 9000}}
  - {key: client, value: ours, rate_limit: {unlimited: true}}
  - key: rpc
    value: florin.upi.v1.*
    descriptors:
      - {key: client, rate_limit: {unit: second, requests_per_unit: 5}, shadow_mode: true}
  - key: rpc
    value: florin.upi.v1.UpiService.GetQrCode
    descriptors:
      - {key: client, rate_limit: {unit: day, requests_per_unit: 7}}
  - {key: rpc}
"""


def limits(folder: Path, text: str = EXAMPLE) -> Limits:
    path = folder / "limits.yaml"
    path.write_text(text)
    return load(path)


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ([("client", "small")], Limit("client", 100, Unit.MINUTE)),
        ([("client", "")], Limit("client", 100, Unit.MINUTE)),
        ([("client", "big")], Limit("client", 9000, Unit.HOUR)),
        ([("client", "ours")], None),
        ([("rpc", "florin.upi.v1.UpiService.X"), ("client", "a")], Limit("rpc/client", 5, Unit.SECOND, shadow=True)),
        ([("rpc", "florin.upi.v1.UpiService.GetQrCode"), ("client", "a")], Limit("rpc/client", 7, Unit.DAY)),
        ([("rpc", "florin.upi.v1.UpiService.GetQrCode")], None),
        ([("rpc", "florin.other"), ("client", "a")], None),
        ([("client", "small"), ("rpc", "x")], None),
        ([("address", "::1")], None),
        ([], None),
    ],
)
def test_a_descriptor_finds_its_limit(tmp_path: Path, entries: list[Entry], found: Limit | None) -> None:
    assert limits(tmp_path).find(entries) == found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("domain: [", "not readable as YAML"),
        ("", "valid dictionary"),
        ("domain: ''", "domain: String should have at least 1 character"),
        ("domain: edge\nlimits: []", "limits: Extra inputs are not permitted"),
        ("domain: edge\ndescriptors: [{key: client, rate_limit: {unit: minute}}]", "client > rate_limit: requests_per"),
        (
            "domain: edge\ndescriptors: [{key: a, value: b, rate_limit: {unit: fortnight, requests_per_unit: 1}}]",
            "a b > rate_limit > unit: Input should be 'second', 'minute', 'hour' or 'day'",
        ),
        (
            "domain: edge\ndescriptors: [{key: a, rate_limit: {unit: day, requests_per_unit: -1}}]",
            "a > rate_limit > requests_per_unit: Input should be greater than or equal to 0",
        ),
        (
            "domain: edge\ndescriptors: [{key: a, rate_limit: {unit: day, requests_per_unit: 1, unlimited: true}}]",
            "a > rate_limit: unlimited stands alone",
        ),
        (
            "domain: edge\ndescriptors: [{key: a, rate_limit: {unlimited: true, replaces: [{name: b}]}}]",
            "a > rate_limit > replaces: Extra inputs are not permitted",
        ),
        (
            'domain: edge\ndescriptors: [{key: a, rate_limit: {unit: day, requests_per_unit: 1, name: a"b}}]',
            "a > rate_limit > name: String should match pattern",
        ),
        ("domain: edge\ndescriptors: [{key: a}, {key: a}]", "a stands there twice"),
        (
            "domain: edge\ndescriptors: [{key: a, descriptors: [{key: b, value: c}, {key: b, value: c}]}]",
            "a: b c stands there twice",
        ),
        ("domain: edge\ndescriptors: [{value: a}]", "a > key: Field required"),
        ("domain: edge\ndescriptors: [{}]", "number 1 > key: Field required"),
    ],
)
def test_a_file_with_a_mistake_is_refused_and_says_where(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(BadLimitsError) as refused:
        limits(tmp_path, text)
    assert problem in str(refused.value)
    assert str(refused.value).startswith("limits.yaml: ")


def test_one_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadLimitsError, match="not readable"):
        load(tmp_path / "none.yaml")


def named(level: tuple[Descriptor, ...], key: str) -> Iterator[str]:
    for one in level:
        if one.key == key and one.value:
            yield one.value
        yield from named(one.descriptors, key)


def test_the_shipped_file_speaks_of_what_the_edge_asks_about() -> None:
    shipped = load(SHIPPED)
    public = [method for method in contracts().callable_by(EDGE) if method.bindings]
    assert shipped.domain == DOMAIN
    assert set(named(shipped.descriptors, "rpc")) <= {method.name for method in public}
    assert set(named(shipped.descriptors, "scope")) <= {method.scope for method in public}
    assert shipped.find([("client", "anybody")]) == Limit("client", 30_000, Unit.MINUTE)
