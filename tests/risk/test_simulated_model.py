"""The model's simulator as a process: its score, its verdicts under the shipped rules, its delay and its death."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from florin.risk.v1.risk_service_pb2 import SCORE_SOURCE_MODEL, Verdict

from services.risk import rulefile
from services.risk.domain import Facts, Tally, decide, features_of
from services.risk.outside import model
from services.risk.rules import Subject
from tests.kit.text import table
from tests.kit.time import NOON
from tests.kit.wait import eventually_passes
from tests.risk.endpoint import environment
from tests.risk.examples import facts, tally

pytestmark = pytest.mark.real

PATIENT_MS, BUDGET_MS, SLACK_S = 5000, 50, 0.15
SHIPPED = rulefile.load_rules(Path(rulefile.__file__).with_name("rules.yaml"))
FEATURES = features_of(facts(), None)

Simulator = tuple["subprocess.Popen[bytes]", str]
Serve = Callable[..., "subprocess.Popen[bytes]"]


@contextmanager
def simulator(log: Path, delay_ms: int = 0) -> Iterator[Simulator]:
    """Run the simulator, so slow; yields it and its address."""
    port = a_free_port()
    address = f"http://127.0.0.1:{port}"
    told = {"MODEL_PORT": str(port), "MODEL_DELAY_MS": str(delay_ms)}
    command = [sys.executable, "-m", "sims.model"]
    with (
        log.open("wb") as out,
        subprocess.Popen(command, env={**os.environ, **told}, stdout=out, stderr=out) as process,
    ):
        try:
            eventually_passes(lambda: httpx.get(f"{address}/ping").raise_for_status(), httpx.HTTPError, within_s=30)
            yield process, address
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def willing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a simulator that answers at once."""
    with simulator(tmp_path_factory.mktemp("model") / "model.log") as (_, address):
        yield address


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, willing: str) -> None:
    """Point boto3 at the simulator that answers at once."""
    point_at(willing, monkeypatch)


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Serve]:
    """A function that starts a simulator of the test's own, so slow, and points boto3 at it."""
    with ExitStack() as stack:

        def start(delay_ms: int = 0) -> "subprocess.Popen[bytes]":
            process, address = stack.enter_context(simulator(tmp_path / "model.log", delay_ms))
            point_at(address, monkeypatch)
            return process

        yield start


def point_at(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(address).items():
        monkeypatch.setenv(name, value)


def a_free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# What an integrator or a load test does, and what a thief does.
PAYMENTS = table("""
    case                   amount  card_1m  card_1h  merchant_1m  countries  verdict
    the first              49900   1        1        1            IN IN      CLEAR
    demonstrations         49900   20       100      25           IN IN      CLEAR
    a load test, one card  49900   3000     20000    3000         IN IN      CLEAR
    a load test, many      49900   1        1        5000         IN IN      CLEAR
    a traveller            49900   1        1        7            IN US      CLEAR
    numbers tried out      100     20       100      40           IN US      DECLINE
""")


@pytest.mark.parametrize("row", PAYMENTS, ids=[row["case"] for row in PAYMENTS])
async def test_the_shipped_rules_and_model_let_the_honest_pass(served: None, row: dict[str, str]) -> None:
    payment, tallies = a_payment(row)

    async with model("florin-risk", PATIENT_MS) as scoring:
        score = await scoring.score("pay_1", features_of(payment, tallies))

    decision = decide(SHIPPED, payment, tallies, score, NOON)
    assert decision.score_source == SCORE_SOURCE_MODEL
    assert decision.model_version
    assert Verdict.Name(decision.verdict) == f"VERDICT_{row['verdict']}"


def a_payment(row: dict[str, str]) -> tuple[Facts, Mapping[Subject, Tally]]:
    amount, by_minute, by_hour = int(row["amount"]), int(row["card_1m"]), int(row["card_1h"])
    customer, card = row["countries"].split()
    payment = replace(facts(amount_minor=amount), customer_country=customer, card_country=card)
    card_tally = tally(by_minute, by_hour, by_hour, by_hour * amount)
    return payment, {Subject.CARD: card_tally, Subject.MERCHANT: tally(int(row["merchant_1m"]))}


async def test_a_slow_model_costs_the_budget_and_no_more(serve: Serve) -> None:
    serve(delay_ms=2000)
    async with model("florin-risk", BUDGET_MS) as scoring:
        begun = time.monotonic()
        assert await scoring.score("pay_1", FEATURES) is None
        assert time.monotonic() - begun < BUDGET_MS / 1000 + SLACK_S


async def test_a_model_that_dies_is_done_without(serve: Serve) -> None:
    process = serve()
    async with model("florin-risk", PATIENT_MS) as scoring:
        assert await scoring.score("pay_1", FEATURES) is not None
        process.kill()
        process.wait()
        assert await scoring.score("pay_2", FEATURES) is None


async def test_an_unknown_endpoint_is_no_score(served: None) -> None:
    async with model("another", PATIENT_MS) as scoring:
        assert await scoring.score("pay_1", FEATURES) is None
