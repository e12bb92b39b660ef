"""What a client reads of its limits: the header fields of draft-ietf-httpapi-ratelimit-headers-10 and Retry-After.

`RateLimit-Policy` lists every limit the request falls under; `RateLimit` says of the one that will be reached first how
many requests are left (`r`) and in how many seconds there will be more (`t`). Both are lists in the sense of RFC 9651.
"""

from services.limiter.domain import Limit, Standing, Verdict, nearest

POLICY = "ratelimit-policy"
LIMIT = "ratelimit"
RETRY_AFTER = "retry-after"


def fields(verdict: Verdict) -> dict[str, str]:
    """Return the header fields of an answer; none where no limit applies. A limit in shadow is not told."""
    told = [one for one in verdict.standings if not one.limit.shadow]
    if not told:
        return {}
    stated = {
        POLICY: ", ".join(_policy(one.limit) for one in told),
        LIMIT: _standing(nearest(one for one in told if verdict.passes or one.limit in verdict.refusing)),
    }
    return stated if verdict.passes else {**stated, RETRY_AFTER: str(seconds(verdict.wait_ms))}


def seconds(wait_ms: int) -> int:
    """Return a time to wait in whole seconds, never too short."""
    return -(-wait_ms // 1000)


def _policy(limit: Limit) -> str:
    return f'"{limit.name}";q={limit.requests};w={limit.window_ms // 1000}'


def _standing(standing: Standing) -> str:
    room = max(0, standing.room)
    return f'"{standing.limit.name}";r={room};t={seconds(standing.wait_ms(room + 1))}'
