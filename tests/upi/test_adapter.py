"""What is made of a PSP's answers and callbacks, and how an order gets there although it does not answer."""

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest
from florin.common.v1.instrument_pb2 import UPI_FLOW_COLLECT, UPI_FLOW_QR
from grpc import StatusCode

from services.chassis import InvalidArgument, Unauthenticated
from services.upi.codes import Outcome
from services.upi.outside import NotSent, Order, OrderRefused, Silent, Unanswered, register
from services.upi.psps.adapter import HttpPsp
from tests.kit.time import NOON
from tests.upi.examples import AMOUNT, RRN, TR, TTL, TXN
from tests.upi.psp import API_KEY, SIMPSP, Answer, Script, a_notice, an_order, signed

ORDER = Order(
    tr=TR,
    amount_minor=AMOUNT,
    payee_vpa="shop@examplebank",
    payee_name="Example Store",
    mcc="5411",
    note="Order 7",
    expires_at=NOON + TTL,
    flow=UPI_FLOW_QR,
    payer_vpa="",
)
REFUSED = httpx.ConnectError("refused")
UNREACHED = httpx.ConnectTimeout("nobody there")
CUT = httpx.ReadError("reset")
LATE = httpx.ReadTimeout("late")
BUSY = httpx.Response(503)
NONE = httpx.Response(404)


async def test_an_order_as_it_is_sent() -> None:
    script = Script([an_order()])

    report = await script.psp().place(ORDER)

    assert (report.outcome, report.amount_minor) == (Outcome.OPEN, AMOUNT)
    [request] = script.requests
    assert request.headers["x-api-key"] == API_KEY.decode()
    assert json.loads(request.content) == {
        "merchant_order_ref": TR,
        "amount": "499.00",
        "currency": "INR",
        "payee_vpa": "shop@examplebank",
        "payee_name": "Example Store",
        "mcc": "5411",
        "note": "Order 7",
        "expires_at": "2026-11-24T12:05:00+00:00",
        "flow": "QR",
    }


async def test_a_collect_request_names_its_payer() -> None:
    script = Script([an_order()])
    order = replace(ORDER, flow=UPI_FLOW_COLLECT, payer_vpa="a1@upi")

    await script.psp().place(order)

    sent = json.loads(script.requests[0].content)
    assert (sent["flow"], sent["payer_vpa"]) == ("COLLECT", "a1@upi")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (REFUSED, NotSent),
        (UNREACHED, NotSent),
        (httpx.PoolTimeout("busy"), NotSent),
        (CUT, Silent),
        (LATE, Silent),
        (httpx.WriteError("cut"), Silent),
        (httpx.RemoteProtocolError("cut"), Silent),
        (httpx.Response(500), Silent),
        (BUSY, Silent),
        (httpx.Response(302), Silent),
        (httpx.Response(408), Silent),
        (httpx.Response(429), Silent),
        (httpx.Response(200, content=b"<html>"), Silent),
        (httpx.Response(200, json={"status": "CREATED"}), Silent),
        (an_order("NEVER_HEARD_OF"), Silent),
        (httpx.Response(400), OrderRefused),
        (httpx.Response(401), OrderRefused),
        (httpx.Response(409), OrderRefused),
        (httpx.Response(422), OrderRefused),
    ],
)
async def test_what_an_order_may_come_to(answer: Answer, error: type[Exception]) -> None:
    with pytest.raises(error):
        await Script([answer]).psp().place(ORDER)


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (an_order(), Outcome.OPEN),
        (an_order("PENDING", "U09"), Outcome.PENDING),
        (an_order("DEEMED", "RB"), Outcome.DEEMED),
        (an_order("SUCCESS", "00"), Outcome.SUCCEEDED),
        (an_order("FAILED", "ZA"), Outcome.DECLINED),
        (an_order("FAILED", "QQ"), Outcome.FAILED),
        (an_order("EXPIRED", "U69"), Outcome.EXPIRED),
    ],
)
async def test_where_an_order_stands(answer: httpx.Response, outcome: Outcome) -> None:
    report = await Script([answer]).psp().find(TR)

    assert report is not None
    assert report.outcome is outcome


async def test_an_order_nobody_knows() -> None:
    assert await Script([NONE]).psp().find(TR) is None


@pytest.mark.parametrize("answer", [httpx.Response(401), BUSY, LATE, REFUSED])
async def test_no_answer_is_not_taken_for_no_order(answer: Answer) -> None:
    with pytest.raises(Unanswered):
        await Script([answer]).psp().find(TR)


@pytest.mark.parametrize(
    ("resumed", "answers", "asked"),
    [
        (False, [an_order()], "POST"),
        (False, [REFUSED, REFUSED, an_order()], "POST POST POST"),
        # Once a try may have arrived, the next asks before it places.
        (False, [LATE, an_order()], "POST GET"),
        (False, [LATE, NONE, an_order()], "POST GET POST"),
        (False, [BUSY, REFUSED, NONE, an_order()], "POST GET GET POST"),
        (True, [an_order()], "GET"),
        (True, [NONE, an_order()], "GET POST"),
        (True, [CUT, NONE, an_order()], "GET GET POST"),
    ],
)
async def test_an_order_gets_there(resumed: bool, answers: list[Answer], asked: str) -> None:
    script = Script(answers)

    report = await register(script.psp(), ORDER, resumed=resumed, budget_s=20)

    assert report.outcome is Outcome.OPEN
    assert script.asked == asked.split()


@pytest.mark.parametrize(
    ("resumed", "answers", "error"),
    [
        (False, [REFUSED], NotSent),
        (False, [LATE], Silent),
        (False, [LATE, REFUSED], Silent),
        (True, [REFUSED], Silent),
        (False, [REFUSED, httpx.Response(422)], OrderRefused),
        (True, [NONE, httpx.Response(400)], OrderRefused),
    ],
)
async def test_when_the_time_for_it_is_over(resumed: bool, answers: list[Answer], error: type[Exception]) -> None:
    with pytest.raises(error) as failure:
        await register(Script(answers).psp(), ORDER, resumed=resumed, budget_s=0.3)

    assert type(failure.value) is error


def heard(body: bytes, headers: dict[str, str]) -> Any:
    return Script([NONE]).psp().heard(headers, body, NOON)


@pytest.mark.parametrize(
    ("event", "code", "outcome"),
    [
        ("payment.success", "00", Outcome.SUCCEEDED),
        ("payment.failed", "ZA", Outcome.DECLINED),
        ("payment.failed", "QQ", Outcome.PENDING),
        ("payment.pending", "RB", Outcome.DEEMED),
        ("payment.pending", "01", Outcome.PENDING),
        ("payment.expired", "U69", Outcome.EXPIRED),
    ],
)
def test_what_a_callback_says(event: str, code: str, outcome: Outcome) -> None:
    body = a_notice(event, code)

    callback = heard(body, signed(body))

    assert (callback.psp, callback.event_id, callback.tr) == ("simpsp", "evt_1", TR)
    assert callback.report.outcome is outcome
    assert (callback.report.amount_minor, callback.report.rrn, callback.report.upi_txn_id) == (AMOUNT, RRN, TXN)


def test_a_callback_without_an_id_is_known_by_its_content() -> None:
    body = a_notice()
    headers = signed(body)
    del headers["x-psp-event-id"]

    assert heard(body, headers).event_id == heard(body, headers).digest.hex()


@pytest.mark.parametrize("headers", [{}, {"x-psp-signature": ""}, signed(a_notice(), key=b"guess"), signed(b"other")])
def test_who_did_not_sign_is_not_heard(headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        heard(a_notice(), headers)

    assert (refusal.value.reason, refusal.value.code) == ("CALLBACK_SIGNATURE_INVALID", StatusCode.UNAUTHENTICATED)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[1]",
        b'{"event"',
        b"\xff\xfe",
        a_notice(event="payment.never"),
        a_notice(amount="499.001"),
        a_notice(amount="-1.00"),
        a_notice(amount="0.00"),
        a_notice(amount="NaN"),
        a_notice(amount="1e400"),
        a_notice(amount="much"),
        a_notice(rrn="12"),
        a_notice(upi_txn_id="SIM-1"),
        a_notice(merchant_order_ref=None),
    ],
)
def test_what_cannot_be_read_is_refused_after_the_signature(body: bytes) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        heard(body, signed(body))

    assert refusal.value.reason == "CALLBACK_MALFORMED"


@pytest.mark.parametrize(("api_key", "webhook_key"), [(b"", b"secret"), (b"key", b"")])
def test_an_empty_key_signs_nothing(api_key: bytes, webhook_key: bytes) -> None:
    with pytest.raises(ValueError, match="empty key"):
        HttpPsp(SIMPSP, httpx.AsyncClient(), api_key, webhook_key)
