"""Whom the risk engine speaks to: Redis, which counts, and the model behind a SageMaker endpoint.

Each has a time budget, and there is an answer for when it is away: neither ever holds a payment up.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import boto3
from botocore.config import Config
from circuitbreaker import CircuitBreaker
from pydantic import Field, StringConstraints, TypeAdapter
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.chassis import log
from services.risk.domain import Facts, Score, Tallies, Tally
from services.risk.rules import MOST_REMEMBERED

if TYPE_CHECKING:
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient

_VELOCITY = Path(__file__).with_name("velocity.lua").read_text(encoding="utf-8")
CONNECTIONS = 32
# Enough for a model that answers in milliseconds; more would only contend, and queueing counts against the budget.
THREADS = 8

# A model that has failed so often in a row is left alone for so long.
FAILURES_TO_OPEN = 5
OPEN_S = 5


class Counters:
    """Velocity counters in Redis, safe to repeat: they are sets of payments."""

    def __init__(self, redis: Redis, budget_s: float) -> None:
        self._redis = redis
        self._budget_s = budget_s

    async def count(self, facts: Facts) -> Tallies:
        """Count a payment once under each of its subjects, and return what is counted as of its initiation.

        None when Redis does not answer within the budget.
        """
        subjects = facts.subjects()
        pipeline = self._redis.pipeline(transaction=False)
        for subject, name in subjects.items():
            # The braces keep both keys of a subject in one slot of a cluster.
            tag = f"risk:{{{subject}:{name}}}"
            pipeline.eval(_VELOCITY, 2, f"{tag}:payments", f"{tag}:sums", *_arguments(facts))
        try:
            async with asyncio.timeout(self._budget_s):
                answers = await pipeline.execute()
        except (RedisError, TimeoutError, OSError) as error:
            log().warning("counters unavailable", payment_id=facts.payment_id, error=type(error).__name__)
            return None
        return {subject: _tally(answer) for subject, answer in zip(subjects, answers, strict=True)}


@asynccontextmanager
async def counters(url: str, budget_ms: int) -> AsyncIterator[Counters]:
    """Open the counters at a Redis URL; nothing is connected before it is needed."""
    budget_s = budget_ms / 1000
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=budget_s,
        socket_timeout=budget_s,
        socket_connect_timeout=budget_s,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )
    redis = Redis.from_pool(pool)
    try:
        yield Counters(redis, budget_s)
    finally:
        await redis.aclose()


def _arguments(facts: Facts) -> tuple[str, ...]:
    at_ms = int(facts.at.timestamp() * 1000)
    return facts.currency, str(facts.amount_minor), facts.payment_id, str(at_ms), str(MOST_REMEMBERED)


def _tally(answer: tuple[int, int, int, str]) -> Tally:
    count_1m, count_1h, count_24h, sum_24h = answer
    return Tally(count_1m, count_1h, count_24h, int(sum_24h))


@dataclass(frozen=True, slots=True)
class _Prediction:
    score: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    reasons: Annotated[tuple[Annotated[str, StringConstraints(max_length=200)], ...], Field(max_length=20)]
    model_version: Annotated[str, StringConstraints(max_length=100)]


@dataclass(frozen=True, slots=True)
class _Answer:
    predictions: Annotated[tuple[_Prediction, ...], Field(min_length=1, max_length=1)]


_ANSWER = TypeAdapter(_Answer)


class Model:
    """A model behind a SageMaker endpoint: `{"instances": [...]}` in, `{"predictions": [...]}` out."""

    def __init__(self, client: "SageMakerRuntimeClient", endpoint: str, budget_s: float) -> None:
        self._client = client
        self._endpoint = endpoint
        self._budget_s = budget_s
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="model")
        self._breaker = CircuitBreaker(
            failure_threshold=FAILURES_TO_OPEN, recovery_timeout=OPEN_S, expected_exception=Exception, name=endpoint
        )

    async def score(self, payment_id: str, features: Mapping[str, int]) -> Score | None:
        """Return the model's score; None when it is away, late or talks nonsense, and for a while after much of it."""
        if self._breaker.opened:
            log().warning("rules decide alone", payment_id=payment_id, error="circuit open")
            return None
        try:
            score: Score = await self._breaker.call_async(self._within_budget, features)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the model, the rules can decide
            log().warning("rules decide alone", payment_id=payment_id, error=type(error).__name__)
            return None
        return score

    def close(self) -> None:
        """Let go of the threads; a late answer is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _within_budget(self, features: Mapping[str, int]) -> Score:
        asked = asyncio.get_running_loop().run_in_executor(self._threads, self._ask, features)
        return await asyncio.wait_for(asked, self._budget_s)

    def _ask(self, features: Mapping[str, int]) -> Score:
        response = self._client.invoke_endpoint(
            EndpointName=self._endpoint,
            ContentType="application/json",
            Accept="application/json",
            Body=json.dumps({"instances": [features]}),
        )
        [prediction] = _ANSWER.validate_json(response["Body"].read()).predictions
        return Score(prediction.score, prediction.reasons, prediction.model_version)


@asynccontextmanager
async def model(endpoint: str, budget_ms: int) -> AsyncIterator[Model]:
    """Open the model's endpoint. Region, address and credentials come from the environment, as boto3 reads them."""
    budget_s = budget_ms / 1000
    config = Config(
        connect_timeout=budget_s,
        read_timeout=budget_s,
        retries={"total_max_attempts": 1},
        max_pool_connections=THREADS,
    )
    opened = Model(boto3.client("sagemaker-runtime", config=config), endpoint, budget_s)
    try:
        yield opened
    finally:
        opened.close()
