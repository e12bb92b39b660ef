"""The limiter's answers, read and written with Envoy's own types: the same bytes under two names."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from envoy_data_plane.envoy.extensions.common.ratelimit import v3 as common
from envoy_data_plane.envoy.service.ratelimit import v3 as envoy
from florin.limiter.v1.rate_limit_pb2 import RateLimitRequest

from services.limiter.domain import Counted, Standing
from services.limiter.limitfile import Limits, load
from services.limiter.outside import Meter
from services.limiter.service import EDGE, RateLimiter
from tests.kit.time import NOON

FILE = """
domain: edge
descriptors:
  - key: client
    rate_limit: {name: client, unit: minute, requests_per_unit: 10}
  - key: rpc
    descriptors:
      - {key: client, rate_limit: {name: writes, unit: hour, requests_per_unit: 3}}
"""
CLIENT, WRITE, OTHER = [("client", "a")], [("rpc", "Create"), ("client", "a")], [("scope", "s"), ("client", "a")]
CODE = envoy.RateLimitResponseCode


class Kept:
    """Stands for the counters: so many requests have passed already under every limit."""

    def __init__(self, before: int | None) -> None:
        self.before = before
        self.asked: list[tuple[Sequence[Meter], int]] = []

    async def take(self, meters: Sequence[Meter], hits: int, now_ms: int) -> tuple[bool, list[Standing]] | None:
        self.asked.append((meters, hits))
        assert now_ms == int(NOON.timestamp() * 1000)
        if self.before is None:
            return None
        before = [Standing(meter.limit, Counted(0, self.before), 0) for meter in meters]
        if any(one.room < hits for one in before):
            return False, before
        return True, [Standing(one.limit, Counted(0, self.before + hits), 0) for one in before]


class Context:
    """One call's surroundings."""

    def __init__(self, caller: str = EDGE) -> None:
        self.caller = caller

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return (("x-florin-caller", self.caller),)

    async def abort(self, code: grpc.StatusCode, _details: str) -> None:
        raise PermissionError(code)


@pytest.fixture
def limits(tmp_path: Path) -> Limits:
    (tmp_path / "limits.yaml").write_text(FILE)
    return load(tmp_path / "limits.yaml")


def question(*descriptors: list[tuple[str, str]], domain: str = "edge", hits: int = 0) -> RateLimitRequest:
    described = [
        common.RateLimitDescriptor(
            entries=[common.RateLimitDescriptorEntry(key=key, value=value) for key, value in entries]
        )
        for entries in descriptors
    ]
    asked = envoy.RateLimitRequest(domain=domain, descriptors=described, hits_addend=hits)
    return RateLimitRequest.FromString(bytes(asked))


async def answered(limits: Limits, kept: Kept, asked: RateLimitRequest, caller: str = EDGE) -> envoy.RateLimitResponse:
    limiter = RateLimiter(limits, kept, lambda: NOON)  # type: ignore[arg-type]
    answer = await limiter.ShouldRateLimit(asked, Context(caller))
    return envoy.RateLimitResponse.parse(answer.SerializeToString())


def headers(answer: envoy.RateLimitResponse) -> dict[str, str]:
    return {header.key: header.value for header in answer.response_headers_to_add}


async def test_a_request_with_room_passes_and_is_told_its_limits(limits: Limits) -> None:
    answer = await answered(limits, Kept(1), question(CLIENT, OTHER, WRITE))
    assert answer.overall_code == CODE.OK
    client, other, write = answer.statuses
    unit = envoy.RateLimitResponseRateLimitUnit
    assert client.current_limit == envoy.RateLimitResponseRateLimit("client", 10, unit.MINUTE)
    assert (client.code, client.limit_remaining) == (CODE.OK, 8)
    assert client.duration_until_reset == timedelta(milliseconds=60_001)
    assert (other.code, other.current_limit) == (CODE.OK, None)
    assert write.current_limit == envoy.RateLimitResponseRateLimit("writes", 3, unit.HOUR)
    assert headers(answer) == {
        "ratelimit-policy": '"client";q=10;w=60, "writes";q=3;w=3600',
        "ratelimit": '"writes";r=1;t=3601',
    }


async def test_one_without_room_is_over_the_limit_and_told_when_to_come_back(limits: Limits) -> None:
    answer = await answered(limits, Kept(3), question(CLIENT, WRITE))
    assert answer.overall_code == CODE.OVER_LIMIT
    assert [status.code for status in answer.statuses] == [CODE.OK, CODE.OVER_LIMIT]
    assert headers(answer)["retry-after"] == "3601"
    assert headers(answer)["ratelimit"] == '"writes";r=0;t=3601'


async def test_without_counters_it_passes_and_nothing_is_told(limits: Limits) -> None:
    answer = await answered(limits, Kept(None), question(CLIENT, WRITE))
    assert answer.overall_code == CODE.OK
    assert [status.code for status in answer.statuses] == [CODE.OK, CODE.OK]
    assert headers(answer) == {}


@pytest.mark.parametrize("asked", [question(), question(OTHER), question(CLIENT, domain="other")])
async def test_what_no_limit_is_set_for_passes_without_a_look_at_the_counters(
    limits: Limits, asked: RateLimitRequest
) -> None:
    kept = Kept(99)
    answer = await answered(limits, kept, asked)
    assert (answer.overall_code, headers(answer), kept.asked) == (CODE.OK, {}, [])


@pytest.mark.parametrize(("said", "counted"), [(0, 1), (1, 1), (5, 5)])
async def test_a_request_counts_as_many_as_it_says(limits: Limits, said: int, counted: int) -> None:
    kept = Kept(0)
    await answered(limits, kept, question(CLIENT, hits=said))
    assert kept.asked[0][1] == counted


@pytest.mark.parametrize("caller", ["", "spiffe://florin.internal/payments", "edge"])
async def test_only_the_edge_may_ask(limits: Limits, caller: str) -> None:
    with pytest.raises(PermissionError):
        await answered(limits, Kept(0), question(CLIENT), caller)
