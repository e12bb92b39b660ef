"""`florin bench latency`: one card payment at a time through the edge, and where its time goes."""

import json
import statistics
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich.table import Table
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from mesh.local import hops, merchant
from mesh.local.hops import Span
from mesh.local.merchant import Merchant
from mesh.local.pay import merchant_of
from mesh.local.run import Run
from mesh.local.screen import console, say

bench = typer.Typer(help="Measure the gateway that is up.", no_args_is_help=True)

WARM_UP = 10
AUTHORIZED = "hear payment.authorized"
CREATED = "florin.payments.v1.PaymentService/CreatePayment"
SETTLE_S = 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One payment's times in milliseconds: as its caller sees it, and from created to authorized by the services.

    `outside_ms` is what the acquirer's simulator says it took; `steps` is the time until each step had ended, step by
    step, so that their sum is `authorized_ms`.
    """

    payment_id: str
    authorized_ms: float
    outside_ms: float
    steps: dict[str, float]


@bench.command()
def latency(
    ctx: typer.Context,
    payments: Annotated[int, typer.Option(help="How many, one after the other.")] = 100,
) -> None:
    """Make card payments one at a time; print the median way from created to authorized, with the share of each hop."""
    run: Run = ctx.obj
    with merchant_of(run) as shop:
        for _ in range(WARM_UP):
            _pay(shop)
        asked = [_pay(shop) for _ in range(payments)]
    samples = _settled(run, asked)
    _print_hops(samples)
    authorized = [sample.authorized_ms - sample.outside_ms for sample in samples]
    table = Table("card payment, unloaded", "median", "p95", "n", box=None)
    _row(table, "created to authorized, simulator's time excluded", authorized)
    _row(table, "the simulator's own time", [sample.outside_ms for sample in samples])
    _row(table, "created to authorized, all in all", [sample.authorized_ms for sample in samples])
    console.print(table)


@bench.callback()
def _measures() -> None:
    """Make `florin bench` a group of measurements, also while it has one."""


def steps(ordered: Sequence[Span]) -> dict[str, float]:
    """Return how long after the step before it each step had ended, in milliseconds, in the order of their ends.

    The first is counted from the beginning of the payment. The API's answer, which lasts all the way, is none of them;
    nor is what the edge asks before.
    """
    created = next(span for span in ordered if span["name"] == CREATED)
    way = [span for span in ordered if span is not created and span["start"] > created["start"]]
    found: dict[str, float] = {}
    before = _time(created["start"])
    for span in sorted(way, key=lambda span: str(span["end"])):
        end = _time(span["end"])
        found[f"{span['service']} {hops.what(span)}"] = (end - before).total_seconds() * 1000
        before = max(before, end)
        if span["name"] == AUTHORIZED:
            break
    return found


def _pay(shop: Merchant) -> str:
    payment = shop.create(merchant.card("4111111111111111", 49900, "INR", manual=True), str(uuid.uuid4()))
    if payment["status"] != "PAYMENT_STATUS_AUTHORIZED":
        say(json.dumps(payment))
        raise typer.Exit(1)
    return str(payment["payment_id"])


def _settled(run: Run, asked: Sequence[str]) -> list[Sample]:
    """Return the samples once the services have written down all of them."""
    wait = Retrying(
        retry=retry_if_result(lambda found: len(found) < len(asked)),
        stop=stop_after_delay(SETTLE_S),
        wait=wait_fixed(0.2),
    )
    return list(wait(lambda: _samples(run, asked)))


def _samples(run: Run, asked: Sequence[str]) -> list[Sample]:
    by_trace: defaultdict[str, list[Span]] = defaultdict(list)
    for span in hops.spans(run.state.traces):
        by_trace[span["trace_id"]].append(span)
    outside = _outside_ms(run)
    found = (_sample(spans, outside) for spans in by_trace.values())
    return [sample for sample in found if sample and sample.payment_id in set(asked)]


def _sample(spans: Sequence[Span], outside: dict[str, float]) -> Sample | None:
    names = {span["name"]: span for span in spans}
    if AUTHORIZED not in names or CREATED not in names:
        return None
    created = names[CREATED]
    rrn = next((str(span["attributes"]["rrn"]) for span in spans if "rrn" in span["attributes"]), "")
    authorized = _time(names[AUTHORIZED]["end"]) - _time(created["start"])
    return Sample(
        payment_id=str(created["attributes"].get("florin.key", "")),
        authorized_ms=authorized.total_seconds() * 1000,
        outside_ms=outside.get(rrn, 0.0),
        steps=steps(spans),
    )


def _outside_ms(run: Run) -> dict[str, float]:
    """Return what the acquirer's journal says each answer took, by RRN."""
    lines = (run.state.data / "acquirer.jsonl").read_text(encoding="utf-8").splitlines()
    entries = (json.loads(line) for line in lines)
    return {entry["rrn"]: entry["handled_us"] / 1000 for entry in entries if entry.get("rrn") and "handled_us" in entry}


def _print_hops(samples: Sequence[Sample]) -> None:
    names = list(dict.fromkeys(name for sample in samples for name in sample.steps))
    medians = {name: statistics.median(sample.steps.get(name, 0.0) for sample in samples) for name in names}
    total = sum(medians.values()) or 1.0
    table = Table("hop", "median", "share", box=None)
    for name, median in medians.items():
        if not median:
            continue
        table.add_row(name, f"{median:7.2f} ms", f"{median / total:5.1%}")
    console.print(table)


def _row(table: Table, what: str, values: Iterable[float]) -> None:
    ordered = sorted(values)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    table.add_row(what, f"{statistics.median(ordered):.1f} ms", f"{p95:.1f} ms", str(len(ordered)))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
