"""The model's score, and what happens when it is late, down, or talks nonsense."""

import json
import time
from typing import Any

import pytest
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from services.risk.domain import Score
from services.risk.outside import FAILURES_TO_OPEN, model
from tests.risk.endpoint import GOOD, Endpoint

BUDGET_MS = 50
SLACK_S = 0.15
PATIENT_MS = 5000
FEATURES = {"amount_minor": 49900, "hour_of_day": 12}


async def test_a_score_is_asked_for_as_sagemaker_wants_it(endpoint: Endpoint) -> None:
    async with model("florin-risk", PATIENT_MS) as scoring:
        score = await scoring.score("pay_1", FEATURES)

    assert score == Score(0.25, ("hour_of_day",), "m1")
    assert endpoint.asked == [("/endpoints/florin-risk/invocations", {"instances": [FEATURES]})]


async def test_a_late_model_costs_the_budget_and_no_more(endpoint: Endpoint) -> None:
    async with model("florin-risk", BUDGET_MS) as scoring:
        endpoint.release.clear()
        begun = time.monotonic()
        assert await scoring.score("pay_1", FEATURES) is None
        assert time.monotonic() - begun < BUDGET_MS / 1000 + SLACK_S


async def test_a_model_that_is_late_once_is_asked_again(endpoint: Endpoint) -> None:
    async with model("florin-risk", 500) as scoring:
        endpoint.release.clear()
        assert await scoring.score("pay_1", FEATURES) is None
        endpoint.release.set()
        assert await scoring.score("pay_2", FEATURES) is not None


async def test_a_model_that_is_down_is_done_without(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    assert endpoint.address
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "http://127.0.0.1:1")
    async with model("florin-risk", PATIENT_MS) as scoring:
        assert await scoring.score("pay_1", FEATURES) is None


def answer(**changed: Any) -> bytes:
    return json.dumps({"predictions": [GOOD | changed]}).encode()


NONSENSE = {
    "words": b"all is well",
    "nothing": b"",
    "no predictions": b"{}",
    "none": b'{"predictions": []}',
    "two": json.dumps({"predictions": [GOOD, GOOD]}).encode(),
    "above one": answer(score=1.01),
    "below zero": answer(score=-0.01),
    "not a number": b'{"predictions": [{"score": NaN, "reasons": [], "model_version": "m1"}]}',
    "no score": b'{"predictions": [{"reasons": [], "model_version": "m1"}]}',
    "null": answer(score=None),
    "reasons without end": answer(reasons=["r"] * 21),
    "a reason without end": answer(reasons=["r" * 201]),
    "no version": b'{"predictions": [{"score": 0.5, "reasons": []}]}',
}


@pytest.mark.parametrize("case", NONSENSE)
async def test_nonsense_is_no_score(endpoint: Endpoint, case: str) -> None:
    endpoint.body = NONSENSE[case]
    async with model("florin-risk", PATIENT_MS) as scoring:
        assert await scoring.score("pay_1", FEATURES) is None


@pytest.mark.parametrize("status", [400, 424, 500, 503])
async def test_an_error_is_no_score_and_is_not_asked_again(endpoint: Endpoint, status: int) -> None:
    endpoint.status, endpoint.body = status, b"<html>no</html>"
    async with model("florin-risk", PATIENT_MS) as scoring:
        assert await scoring.score("pay_1", FEATURES) is None

    assert len(endpoint.asked) == 1


async def test_a_model_that_keeps_failing_is_left_alone_for_a_while(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.risk.outside.OPEN_S", 0.2)
    endpoint.status = 500
    async with model("florin-risk", PATIENT_MS) as scoring:
        for _ in range(FAILURES_TO_OPEN + 3):
            assert await scoring.score("pay_1", FEATURES) is None
        assert len(endpoint.asked) == FAILURES_TO_OPEN

        endpoint.status = 200
        patient = AsyncRetrying(
            retry=retry_if_result(lambda score: score is None), wait=wait_fixed(0.02), stop=stop_after_delay(5)
        )
        assert await patient(scoring.score, "pay_1", FEATURES) is not None

    assert len(endpoint.asked) == FAILURES_TO_OPEN + 1
