"""What the edge may ask: Envoy's rate limit service (envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit)."""

from collections.abc import Sequence
from typing import Any, Final

import grpc
from florin.limiter.v1.rate_limit_pb2 import HeaderValue, RateLimitDescriptor, RateLimitRequest, RateLimitResponse
from opentelemetry.trace import SpanKind

from services.chassis import observe
from services.chassis.clock import Clock
from services.limiter.domain import Limit, Standing, Unit, Verdict, judge
from services.limiter.fields import fields
from services.limiter.limitfile import Entry, Limits
from services.limiter.outside import Counters, Meter

RATE_LIMIT_SERVICE: Final = "envoy.service.ratelimit.v3.RateLimitService"
CALLER: Final = "x-florin-caller"
EDGE: Final = "spiffe://florin.internal/edge"

OK: Final = RateLimitResponse.CODE_OK
OVER_LIMIT: Final = RateLimitResponse.CODE_OVER_LIMIT

UNITS: Final = {
    Unit.SECOND: RateLimitResponse.RateLimit.UNIT_SECOND,
    Unit.MINUTE: RateLimitResponse.RateLimit.UNIT_MINUTE,
    Unit.HOUR: RateLimitResponse.RateLimit.UNIT_HOUR,
    Unit.DAY: RateLimitResponse.RateLimit.UNIT_DAY,
}


class RateLimiter:
    """Answers the edge's question for each request. Without counters every request passes, and no limit is told."""

    def __init__(self, limits: Limits, counters: Counters, clock: Clock) -> None:
        self._limits = limits
        self._counters = counters
        self._clock = clock

    async def ShouldRateLimit(self, asked: RateLimitRequest, context: Any) -> RateLimitResponse:
        """Count a request and say whether it may pass. Whom the question is not from hears nothing."""
        metadata = dict(context.invocation_metadata() or ())
        if metadata.get(CALLER) != EDGE:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "only the edge asks")
        with observe.span_from(metadata, f"{RATE_LIMIT_SERVICE}/ShouldRateLimit", SpanKind.SERVER, {}) as span:
            meters = [self._meter(asked.domain, descriptor) for descriptor in asked.descriptors]
            verdict = await self._judged([meter for meter in meters if meter], asked.hits_addend or 1)
            if not verdict.passes:
                span.set_attribute("florin.limits", [limit.name for limit in verdict.refusing])
            return _answer(verdict, meters)

    def _meter(self, domain: str, descriptor: RateLimitDescriptor) -> Meter | None:
        entries: tuple[Entry, ...] = tuple((entry.key, entry.value) for entry in descriptor.entries)
        limit = self._limits.find(entries) if domain == self._limits.domain else None
        return Meter(limit, entries) if limit else None

    async def _judged(self, meters: Sequence[Meter], hits: int) -> Verdict:
        now_ms = int(self._clock().timestamp() * 1000)
        taken = await self._counters.take(meters, hits, now_ms) if meters else None
        if taken is None:
            return judge([], hits, counted=True)
        counted, standings = taken
        return judge(standings, hits, counted)


def handler(limiter: RateLimiter) -> grpc.GenericRpcHandler:
    """Return the handler of Envoy's service, whose contract is not Florin's."""
    should = grpc.unary_unary_rpc_method_handler(
        limiter.ShouldRateLimit,
        request_deserializer=RateLimitRequest.FromString,
        response_serializer=RateLimitResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(RATE_LIMIT_SERVICE, {"ShouldRateLimit": should})


def _answer(verdict: Verdict, meters: Sequence[Meter | None]) -> RateLimitResponse:
    standings = iter(verdict.standings)
    # Where the counters are away there are fewer standings than meters: the rest of the descriptors have no verdict.
    statuses = [_status(verdict, next(standings, None) if meter else None) for meter in meters]
    headers = [HeaderValue(key=name, value=value) for name, value in fields(verdict).items()]
    return RateLimitResponse(
        overall_code=OK if verdict.passes else OVER_LIMIT, statuses=statuses, response_headers_to_add=headers
    )


def _status(verdict: Verdict, standing: Standing | None) -> RateLimitResponse.DescriptorStatus:
    if standing is None:
        return RateLimitResponse.DescriptorStatus(code=OK)
    room = max(0, standing.room)
    status = RateLimitResponse.DescriptorStatus(
        code=OVER_LIMIT if standing.limit in verdict.refusing else OK,
        current_limit=_limit(standing.limit),
        limit_remaining=room,
    )
    status.duration_until_reset.FromMilliseconds(standing.wait_ms(room + 1))
    return status


def _limit(limit: Limit) -> RateLimitResponse.RateLimit:
    return RateLimitResponse.RateLimit(requests_per_unit=limit.requests, unit=UNITS[limit.unit], name=limit.name)
