"""What must hold when all faults are over: everybody's books, each key one payment, and the acquirers' own word."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from mesh.local.check.facts import Books, Flight
from mesh.local.check.flight import ENDED, flights
from mesh.local.check.ledger import findings
from mesh.local.check.sources import read
from mesh.local.estate import ACQUIRERS
from mesh.local.ports import recorded
from mesh.local.run import Run
from sims.journal import read_journal
from tests.faults.load import GOOD, Load, Request

LOOK_EVERY_S = 2.0


def settled(run: Run, within_s: float) -> tuple[Books, list[str], list[Flight]]:
    """Return everybody's books, what is wrong in them and what is in flight, once neither is left or it is too late."""

    def look() -> tuple[Books, list[str], list[Flight]]:
        books = read(run.state, recorded(run.state), (None, datetime.now(UTC)))
        wrong = [f"{one.payment}: {one.what}: expected {one.expected}, found {one.found}" for one in findings(books)]
        return books, wrong, flights(books)

    waiting = Retrying(
        retry=retry_if_result(lambda seen: bool(seen[1] or unended(seen[0]))),
        wait=wait_fixed(LOOK_EVERY_S),
        stop=stop_after_delay(within_s),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    seen: tuple[Books, list[str], list[Flight]] = waiting(look)
    return seen


def unended(books: Books) -> list[str]:
    """Return the payments that are under way; one that is authorized waits for its merchant, who may take days."""
    resting = ENDED | {"authorized"}
    return [
        name
        for name in books.payment_ids
        if (position := books.positions.get(name)) is None or position.under_way or position.stage not in resting
    ]


def repeated(load: Load, request: Request) -> Iterator[str]:
    """Repeat a request; tell where the answer names another payment than the first one did, or none."""
    first, answer = request.answer, load.ask(request)
    if answer is None:
        yield f"{request.path} {request.key}: repeated, it is not answered"
    elif first is not None and (answer.status_code != request.status or _named(answer.json()) != _named(first)):
        yield f"{request.path} {request.key}: first {request.status} {_named(first)}, repeated {answer.status_code}"
    if request.path == "/v1/payments" and answer is not None and answer.status_code == GOOD:
        reference = request.body["reference"]
        listed = load.shop.http.get("/v1/payments", params={"reference": reference}).raise_for_status().json()
        ids = [payment["payment_id"] for payment in listed.get("payments", ())]
        if ids != [answer.json()["payment_id"]]:
            yield f"{reference}: one request, but the payments {ids}"


def charged_twice(run: Run) -> list[str]:
    """Return what the acquirers approved more than once and did not give back, by the amounts, which no two share."""
    lines = [line for part in ACQUIRERS for line in read_journal(run.state.data / f"{part}.jsonl")]
    return [
        f"{amount_minor} was approved {times} times" for amount_minor, times in standing(lines).items() if times > 1
    ]


def standing(lines: Iterable[Mapping[str, Any]]) -> Mapping[int, int]:
    """Return how many approvals of each amount stand: money moved for it, and no whole reversal has taken it back."""
    count: dict[int, int] = defaultdict(int)
    for line in lines:
        if line["kind"] != "message" or line.get("kept_minor") or line["processing_code"].startswith("20"):
            continue
        if line["mti"] in {"0100", "0200"} and line["held_minor"] + line["booked_minor"] > 0:
            count[line["amount_minor"]] += 1
        elif line["mti"].startswith("04") and line["held_minor"] + line["booked_minor"] < 0:
            count[line["amount_minor"]] -= 1
    return count


def _named(answer: Mapping[str, Any]) -> str:
    """Return the payment of an answer, or the reason of a refusal."""
    return str(answer.get("payment_id") or [detail.get("reason") for detail in answer.get("details", ())])
