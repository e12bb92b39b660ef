"""`florin pay` and `florin trace`: payments through the edge, and their way hop by hop."""

import json
import shlex
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import segno
import typer
from rich.table import Table
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from mesh.local import hops, merchant, places
from mesh.local.merchant import Answer, Merchant, RefusedError
from mesh.local.ports import recorded
from mesh.local.run import Run
from mesh.local.screen import complain, console, down, say
from mesh.topology import OPERATOR

pay = typer.Typer(help="Make a payment as the demo merchant and show its way.", no_args_is_help=True)

# A payment is final a moment before the last of its services has written down what it did.
SETTLE_S = 5.0
LATEST_S = 0.4
PAYER_PATIENCE_S = 6.0
AMOUNT = Annotated[int, typer.Option("--amount", help="In minor units: 49900 is 499 rupees.")]
ENDED = ("CAPTURED", "DECLINED", "FAILED", "EXPIRED")


@pay.command()
def card(  # noqa: PLR0913 - each is an option of the command
    ctx: typer.Context,
    amount_minor: AMOUNT = 49900,
    currency: str = "INR",
    number: Annotated[str, typer.Option(help="A test card; the README lists what each does.")] = "4111111111111111",
    cvv: Annotated[str, typer.Option(help="Its security code; a good one of its length if none is given.")] = "",
    *,
    manual: Annotated[bool, typer.Option(help="Authorize first, capture after.")] = False,
) -> None:
    """A card payment: authorized and captured in one step, or one after the other."""
    run: Run = ctx.obj
    with merchant_of(run) as shop:
        started = time.perf_counter()
        payment = shop.create(merchant.card(number, amount_minor, currency, cvv=cvv, manual=manual), _key())
        _tell(payment, started)
        if manual and payment["status"].endswith("AUTHORIZED"):
            started = time.perf_counter()
            payment = shop.capture(payment["payment_id"], _key())
            _tell(payment, started)
    show(run, payment["payment_id"])


@pay.command()
def upi(
    ctx: typer.Context,
    amount_minor: AMOUNT = 49900,
    payer: Annotated[str, typer.Option(help="Who pays; the README lists what each does.")] = "success@upi",
) -> None:
    """A UPI payment: a QR code, a payer who scans it, the PSP's callback."""
    run: Run = ctx.obj
    with merchant_of(run) as shop:
        started = time.perf_counter()
        payment = shop.create(merchant.upi(amount_minor), _key())
        _tell(payment, started)
        if "upi_action" in payment:
            segno.make(payment["upi_action"]["qr_payload"]).terminal(compact=True)
            say(payment["upi_action"]["intent_uri"])
            say(f"{payer} scans and pays")
            started = time.perf_counter()
            _scan(run, payment["upi_action"]["intent_uri"], payer)
            payment = shop.final(payment["payment_id"], PAYER_PATIENCE_S)
            _tell(payment, started)
    show(run, payment["payment_id"])


def access(
    ctx: typer.Context,
    client: Annotated[
        str, typer.Option(help="A client of the estate: demo-client, second-client, ...")
    ] = merchant.DEMO,
) -> None:
    """Print what a merchant's server and an operator need, for a shell: eval "$(florin access)"."""
    run: Run = ctx.obj
    with merchant_of(run, client) as shop:
        variables = {
            "FLORIN_EDGE": run.addresses()["edge"],
            "FLORIN_TERMINALS": f"{places.HOST}:{recorded(run.state)[places.TERMINALS]}",
            "FLORIN_CA": str(places.public_authority(run.state)),
            "FLORIN_TOKEN": shop.token(),
            "FLORIN_OPERATOR": str(places.mesh(run.state, OPERATOR)),
            "FLORIN_PSP": f"http://{run.addresses()['upi_psp']}",
        }
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


def trace(ctx: typer.Context, payment: Annotated[str, typer.Argument(help="A payment's id.")]) -> None:
    """Show a payment's way through the gateway, hop by hop, with times."""
    show(ctx.obj, payment)


def show(run: Run, payment_id: str) -> None:
    """Print the hops of a payment. Exits with 1 when no service knows of it."""
    way = hops.hops(told(run.state.traces, payment_id))
    if not way:
        say(f"no service has done anything for {payment_id}")
        raise typer.Exit(1)
    table = Table("at", "took", "service", "what", box=None, header_style="dim")
    for hop in way:
        refused = f"  [red]{hop.refused}[/]" if hop.refused else ""
        table.add_row(f"{hop.at_ms:8.1f} ms", f"{hop.took_ms:7.1f} ms", hop.service, hop.what + refused)
    console.print(table)


def told(traces: Path, payment_id: str) -> list[hops.Span]:
    """Return a payment's spans once the API has told of its end and no more come, or what there is after a while."""
    seen = [0]

    def settled(found: list[hops.Span]) -> bool:
        before, seen[0] = seen[0], len(found)
        return _complete(found) and before == len(found)

    wait = Retrying(
        retry=retry_if_result(lambda found: not settled(found)),
        stop=stop_after_delay(SETTLE_S),
        wait=wait_fixed(LATEST_S),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
    )
    return list(wait(lambda: hops.of_payment(hops.spans(traces), payment_id)))


def _complete(found: list[hops.Span]) -> bool:
    """Whether the outcome has been heard and every rpc that waited for it has answered."""
    heard = {span["name"] for span in found if span["service"] == "payments"}
    return any(f"hear payment.{status.lower()}" in heard for status in ENDED) and any("/" in name for name in heard)


@contextmanager
def merchant_of(run: Run, client: str = merchant.DEMO) -> Iterator[Merchant]:
    """Lend a merchant's server, the demonstration's by itself. Exits with 1 when it is refused, or all is down."""
    if not run.supervisor.alive():
        down(run)
        raise typer.Exit(1)
    try:
        with Merchant(run, client) as shop:
            yield shop
    except (RefusedError, httpx.HTTPError) as refused:
        complain(str(refused))
        raise typer.Exit(1) from None


def _scan(run: Run, uri: str, payer_vpa: str) -> None:
    """Do what the payer's UPI app does after a scan, at the simulated PSP."""
    url = f"http://{run.addresses()['upi_psp']}/v1/payer/pay"
    answer = httpx.post(url, json={"uri": uri, "payer_vpa": payer_vpa})
    if answer.is_error:
        raise RefusedError(f"the PSP says {answer.status_code}: {answer.text}")


def _tell(payment: Answer, started: float) -> None:
    took_ms = (time.perf_counter() - started) * 1000
    status = payment["status"].removeprefix("PAYMENT_STATUS_").lower()
    amount = payment["amount"]
    words = f"{payment['payment_id']}  {status}  {amount['amount_minor']} {amount['currency']}  in {took_ms:.0f} ms"
    say(words)
    if payment.get("decline"):
        say(json.dumps(payment["decline"]))


def _key() -> str:
    return str(uuid.uuid4())
