"""The model's contract, called by the real boto3, and what the model itself can be relied on for."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import boto3
import httpx
import numpy as np
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from sims.model.app import application
from sims.model.artefact import CARD_FILE, MODEL_FILE, SHIPPED, ArtefactError, load
from sims.model.features import NAMES, Features
from sims.model.scorer import Scorer
from sims.model.settings import ModelSettings
from sims.model.synthetic import generate
from sims.model.train import ROWS, SEED, calibrate, measure, train

WITHIN_S = 10
SCORER = Scorer(SHIPPED)

ORDINARY = {
    "amount_minor": 49900,
    "hour_of_day": 9,
    "card_attempts_1m": 1,
    "card_attempts_1h": 1,
    "card_amount_24h_minor": 49900,
    "merchant_attempts_1m": 5,
    "bin_country_mismatch": 0,
    "is_upi": 0,
    "mcc": 0,
}
TRIED_OUT = ORDINARY | {
    "amount_minor": 100,
    "card_attempts_1m": 20,
    "card_attempts_1h": 60,
    "card_amount_24h_minor": 6000,
    "merchant_attempts_1m": 40,
    "bin_country_mismatch": 1,
}


def score(**changed: int) -> float:
    return SCORER.score((Features(**ORDINARY | changed),))[0].score


@pytest.fixture
async def container() -> AsyncIterator[httpx.AsyncClient]:
    app = application(ModelSettings(port=0))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://model") as client:
        yield client


async def test_ping_answers_when_it_is_ready(container: httpx.AsyncClient) -> None:
    answer = await container.get("/ping")

    assert (answer.status_code, answer.json()) == (200, {"model_version": SCORER.card.version})


async def test_predictions_come_in_the_order_of_the_instances(container: httpx.AsyncClient) -> None:
    answer = await container.post("/invocations", json={"instances": [ORDINARY, TRIED_OUT, ORDINARY]})

    first, second, third = answer.json()["predictions"]
    assert first == third
    assert first["score"] < 0.01
    assert second["score"] > 0.97
    assert second["model_version"] == SCORER.card.version
    assert second["reasons"][0] in {"amount_minor", "bin_country_mismatch"}
    assert len(second["reasons"]) == 3


BAD: dict[str, tuple[Any, str]] = {
    "nothing": (b"", ""),
    "no JSON": (b"{", ""),
    "no instances": ({}, "instances"),
    "none at all": ({"instances": []}, "instances"),
    "too many": ({"instances": [ORDINARY] * 101}, "instances"),
    "something else": ({"instances": [ORDINARY], "colour": 1}, "colour"),
    "a feature too many": ({"instances": [ORDINARY | {"colour": 1}]}, "instances.0.colour"),
    "a number as text": ({"instances": [ORDINARY | {"mcc": "5411"}]}, "instances.0.mcc"),
    "a fraction": ({"instances": [ORDINARY | {"amount_minor": 1.5}]}, "instances.0.amount_minor"),
    "true for one": ({"instances": [ORDINARY | {"is_upi": True}]}, "instances.0.is_upi"),
    "below nothing": ({"instances": [ORDINARY, ORDINARY | {"amount_minor": -1}]}, "instances.1.amount_minor"),
    "beyond the day": ({"instances": [ORDINARY | {"hour_of_day": 24}]}, "instances.0.hour_of_day"),
    "two of one": ({"instances": [ORDINARY | {"bin_country_mismatch": 2}]}, "instances.0.bin_country_mismatch"),
    "five digits": ({"instances": [ORDINARY | {"mcc": 10000}]}, "instances.0.mcc"),
} | {
    f"without {name}": ({"instances": [{key: ORDINARY[key] for key in NAMES if key != name}]}, f"instances.0.{name}")
    for name in NAMES
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_body_is_refused_by_the_fields_name(container: httpx.AsyncClient, name: str) -> None:
    body, field = BAD[name]
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    answer = await container.post("/invocations", content=content)

    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)


async def test_a_delay_can_be_asked_for() -> None:
    app = application(ModelSettings(port=0, delay_ms=40))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://model") as client:
        started = perf_counter()
        await client.post("/invocations", json={"instances": [ORDINARY]})
        assert perf_counter() - started >= 0.04


@dataclass(frozen=True)
class Program:
    process: asyncio.subprocess.Process
    url: str


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    """The program as users start it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sims.model", env=os.environ | {"MODEL_PORT": "0"}, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        async for line in process.stdout:
            event = json.loads(line)["event"]
            if "http://" in event:
                yield Program(process, f"http://{event.split('http://')[1].split()[0]}")
                break
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(WITHIN_S):
        await process.communicate()
    assert process.returncode == 0


async def test_boto3_invokes_the_endpoint(program: Program) -> None:
    client = boto3.client(
        "sagemaker-runtime",
        endpoint_url=program.url,
        region_name="ap-south-1",
        aws_access_key_id="any",
        aws_secret_access_key="any",
        config=Config(retries={"total_max_attempts": 1}),
    )

    def invoke(body: Any, endpoint: str = "florin-risk") -> dict[str, Any]:
        answer: dict[str, Any] = client.invoke_endpoint(
            EndpointName=endpoint, ContentType="application/json", Body=json.dumps(body)
        )
        return answer

    answer = await asyncio.to_thread(invoke, {"instances": [TRIED_OUT]})
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("application/json", "AllTraffic")
    [prediction] = json.loads(answer["Body"].read())["predictions"]
    assert prediction["score"] == pytest.approx(score(**TRIED_OUT))

    with pytest.raises(ClientError) as refused:
        await asyncio.to_thread(invoke, {"instances": [ORDINARY | {"mcc": -1}]})
    response = refused.value.response
    assert response["Error"]["Code"] == "ModelError"
    assert response["OriginalStatusCode"] == 400
    assert json.loads(response["OriginalMessage"])["error"]["field"] == "instances.0.mcc"

    with pytest.raises(ClientError) as unknown:
        await asyncio.to_thread(invoke, {"instances": [ORDINARY]}, "another")
    assert unknown.value.response["Error"]["Code"] == "ValidationError"

    memory_mb = psutil.Process(program.process.pid).memory_info().rss / 2**20
    assert memory_mb < 200


async def test_an_altered_model_does_not_start(tmp_path: Path) -> None:
    (tmp_path / CARD_FILE).write_bytes((SHIPPED / CARD_FILE).read_bytes())
    (tmp_path / MODEL_FILE).write_text((SHIPPED / MODEL_FILE).read_text().replace("tree", "TREE", 1))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "sims.model",
        env=os.environ | {"MODEL_PORT": "0", "MODEL_PATH": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(WITHIN_S):
        _, errors = await process.communicate()

    assert process.returncode == 1
    assert b"SHA-256" in errors


def test_a_card_of_other_features_is_refused(tmp_path: Path) -> None:
    card = json.loads((SHIPPED / CARD_FILE).read_text())
    (tmp_path / CARD_FILE).write_text(json.dumps(card | {"features": [*NAMES[1:], NAMES[0]]}))
    (tmp_path / MODEL_FILE).write_bytes((SHIPPED / MODEL_FILE).read_bytes())

    with pytest.raises(ArtefactError, match="other features"):
        load(tmp_path)


def test_the_artefact_is_small_and_quick() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 300_000
    instances = (Features(**TRIED_OUT),)
    times_ms = []
    for _ in range(50):
        started = perf_counter()
        SCORER.score(instances)
        times_ms.append((perf_counter() - started) * 1000)
    assert sorted(times_ms)[25] < 3


def test_the_cards_metrics_are_the_models() -> None:
    data = generate(SEED, ROWS)
    last_fifth = slice(ROWS * 4 // 5, None)
    measured = type(data)(data.rows[last_fifth], data.labels[last_fifth])
    raw = load(SHIPPED)[0].predict(measured.rows, raw_score=True, num_threads=1)

    found = measure(raw, measured)

    claimed = SCORER.card.metrics
    assert (found.pr_auc, found.recall_at_1_percent) == pytest.approx(
        (claimed.pr_auc, claimed.recall_at_1_percent), abs=0.001
    )
    assert claimed.pr_auc > 50 * claimed.fraud_rate
    assert claimed.calibration_error < 0.002


def test_training_is_repeatable_and_marks_its_text() -> None:
    (first, card), (second, _) = train(7, 4000), train(7, 4000)

    assert first == second
    assert card.sha256[:12] in card.version
    assert train(8, 4000)[0] != first


def test_data_is_in_the_order_of_time_and_labelled() -> None:
    data = generate(1, 10_000)

    assert data.rows.shape == (len(data.labels), len(NAMES))
    early, late = data.labels[:5000].sum(), data.labels[5000:].sum()
    assert min(early, late) > 20


def test_calibration_finds_the_scale() -> None:
    rng = np.random.default_rng(5)
    raw = rng.normal(0, 3, 50_000)
    labels = rng.binomial(1, 1 / (1 + np.exp(-(0.5 * raw - 1))))

    found = calibrate(raw, labels)

    assert (found.slope, found.intercept) == pytest.approx((0.5, -1), abs=0.05)


COUNTS = st.integers(1, 20_000)
AT_HOME = st.fixed_dictionaries(
    {
        "amount_minor": st.integers(1, 10**9),
        "hour_of_day": st.integers(0, 23),
        "card_attempts_1m": COUNTS,
        "merchant_attempts_1m": COUNTS,
        "is_upi": st.integers(0, 1),
    }
)


@settings(max_examples=200, deadline=None)
@given(payment=AT_HOME, more_in_an_hour=st.integers(0, 400_000))
def test_speed_alone_never_condemns(payment: dict[str, int], more_in_an_hour: int) -> None:
    """Load tests pay with one test card thousands of times a minute; without a strange country they stay clear."""
    in_an_hour = payment["card_attempts_1m"] + more_in_an_hour
    sums = {"card_attempts_1h": in_an_hour, "card_amount_24h_minor": payment["amount_minor"] * in_an_hour}

    assert 0 <= score(**payment, **sums) < 0.9
