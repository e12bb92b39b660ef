"""A terminal's reference is one operation, however often it is sent; what it cannot be told is given back."""

import asyncio

import grpc
import pytest
from florin.common.v1.money_pb2 import Money
from florin.terminals.v1 import terminal_service_pb2 as api

from services.chassis import AlreadyExists, FailedPrecondition, InvalidArgument
from services.terminals import store
from services.terminals.domain import Reversal
from tests.kit.wait import eventually_async
from tests.terminals.api import NO, World, refused
from tests.terminals.examples import KEY, PAYMENT_ID, a_card, a_sale

pytestmark = pytest.mark.real

APPROVED, FAILED = api.OPERATION_STATE_APPROVED, api.OPERATION_STATE_FAILED
REVERSING = api.OPERATION_STATE_REVERSING
ORIGINAL = api.Original(reference="sale-1")


def an_authorization() -> api.AuthorizeRequest:
    sale = a_sale()
    return api.AuthorizeRequest(reference=sale.reference, amount=sale.amount, card=sale.card)


async def authorized(world: World) -> None:
    world.api.becomes = "AUTHORIZED"
    assert (await world.operation("Authorize", an_authorization())).state == APPROVED


async def sweep_until(world: World, *states: str) -> str:
    """Carry out what is due until a reference stands as wanted; return where."""

    async def reached() -> str:
        await world.reversals.sweep()
        now = await world.state()
        return now if now in states else ""

    return await eventually_async(reached)


async def test_a_sale_is_made_for_the_merchant_of_the_certificate(world: World) -> None:
    operation = await world.operation("Sale", a_sale())

    assert (operation.state, operation.payment_id, operation.captured_amount_minor) == (APPROVED, PAYMENT_ID, 49900)
    (_, request, metadata), *_ = world.api.asked
    assert metadata["x-florin-tenant"] == "mer_demo"
    assert (request.sealed_card.bound_to, request.sealed_card.ciphertext) == (KEY.seal, b"anew")
    assert request.card_present.terminal_id == "T0000001"
    assert (request.request_id, request.reference) == (KEY.request_id("create"), KEY.payment_reference)


async def test_a_repeat_is_answered_with_the_same_and_makes_nothing(world: World) -> None:
    first = await world.operation("Sale", a_sale())

    assert await world.operation("Sale", a_sale()) == first == await world.found()
    assert world.api.names() == ["CreatePayment"]


async def test_repeats_at_the_same_time_are_one_sale(world: World) -> None:
    told = await asyncio.gather(*(world.operation("Sale", a_sale()) for _ in range(5)))

    assert {one.SerializeToString(deterministic=True) for one in told} == {
        told[0].SerializeToString(deterministic=True)
    }
    assert len({request.request_id for name, request, _ in world.api.asked if name == "CreatePayment"}) == 1


@pytest.mark.parametrize(
    ("rpc", "request_"),
    [
        ("Sale", a_sale(amount=Money(amount_minor=49900, currency="INR"), card=a_card(b"", 3))),
        ("Authorize", an_authorization()),
        ("Void", api.VoidRequest(reference="sale-1", original=ORIGINAL)),
    ],
)
async def test_a_reference_is_used_once(world: World, rpc: str, request_: object) -> None:
    await world.operation("Sale", a_sale())

    assert await refused(world.call(rpc, request_)) == (grpc.StatusCode.ALREADY_EXISTS, "REFERENCE_REUSED")
    assert world.api.names() == ["CreatePayment"]


async def test_what_another_call_has_made_is_found(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "name", lambda *_, **__: None)
    first = world.operation("Sale", a_sale())
    world.api.becomes = "PROCESSING"
    told = asyncio.ensure_future(first)

    async def made() -> bool:
        return world.api.payment is not None

    await eventually_async(made)
    world.api.refuses["CreatePayment"] = AlreadyExists("IDEMPOTENCY_KEY_REUSED", "used")
    again = asyncio.ensure_future(world.operation("Sale", a_sale()))
    await world.api.become("CAPTURED")

    assert (await told).state == (await again).state == APPROVED


@pytest.mark.parametrize(("becomes", "state"), [
    ("DECLINED", api.OPERATION_STATE_DECLINED), ("FAILED", api.OPERATION_STATE_FAILED),
])  # fmt: skip
async def test_a_no_is_an_answer(world: World, becomes: str, state: int) -> None:
    world.api.becomes = becomes

    assert (await world.operation("Sale", a_sale())).state == state
    assert await world.reversals.sweep() == 0


async def test_what_the_api_refuses_stays_refused(world: World) -> None:
    world.api.refuses["CreatePayment"] = InvalidArgument("INVALID_FIELD", "invalid: amount.currency")

    first = await world.operation("Sale", a_sale())

    assert (first.state, first.decline.reason, first.payment_id) == (FAILED, "invalid_field", "")
    assert await world.operation("Sale", a_sale()) == first == await world.found()
    assert world.api.names() == ["CreatePayment"]


@pytest.mark.parametrize(
    ("meanwhile", "steps", "ends"),
    [
        ("PROCESSING", ["CancelPayment"], "REVERSED"),
        ("AUTHORIZED", ["VoidPayment"], "REVERSED"),
        ("CAPTURED", ["VoidPayment"], "REVERSED"),
        ("DECLINED", [], "DECLINED"),
        ("EXPIRED", [], "FAILED"),
    ],
)
async def test_what_could_not_be_answered_in_time_is_given_back(
    world: World, meanwhile: str, steps: list[str], ends: str
) -> None:
    world.api.becomes = "PROCESSING"
    operation = await world.operation("Sale", a_sale(), timeout_s=1.0)
    await world.api.become(meanwhile)

    assert (operation.state, operation.reversal_reason) == (REVERSING, Reversal.LATE)
    assert await sweep_until(world, "REVERSED", "DECLINED", "FAILED") == ends
    assert world.api.names() == ["CreatePayment", *steps]
    assert (await world.found()).reversed is (ends == "REVERSED")


async def test_a_terminal_that_hangs_up_leaves_nothing_authorized(world: World) -> None:
    world.api.becomes = "PROCESSING"
    call = world.call("Sale", a_sale())

    async def waited_for() -> bool:
        return any(name == "WatchPayment" for name, _, _ in world.api.asked)

    async def reversing() -> bool:
        return await world.state() == "REVERSING"

    await eventually_async(waited_for)
    call.cancel()
    await eventually_async(reversing)
    await world.api.become("CAPTURED")
    assert await sweep_until(world, "REVERSED") == "REVERSED"
    assert (await world.found()).reversal_reason == Reversal.HUNG_UP
    assert world.api.names() == ["CreatePayment", "VoidPayment"]
    assert (await world.operation("Sale", a_sale())).state == api.OPERATION_STATE_REVERSED


async def test_what_cannot_be_voided_any_more_is_refunded(world: World) -> None:
    world.api.becomes, world.api.refuses["VoidPayment"] = "PROCESSING", NO
    await world.operation("Sale", a_sale(), timeout_s=1.0)
    await world.api.become("CAPTURED")

    assert await sweep_until(world, "REVERSED") == "REVERSED"
    assert world.api.names() == ["CreatePayment", "VoidPayment", "RefundPayment"]


async def test_a_payment_that_a_person_would_look_at_is_no_payment_of_a_terminal(world: World) -> None:
    world.api.becomes = "IN_REVIEW"

    operation = await world.operation("Sale", a_sale())

    assert (operation.state, operation.reversal_reason) == (REVERSING, Reversal.IN_REVIEW)
    assert await sweep_until(world, "REVERSED") == "REVERSED"


async def test_an_api_that_is_away_is_not_guessed_about(world: World) -> None:
    world.api.refuses["CreatePayment"] = grpc.StatusCode.UNAVAILABLE

    operation = await world.operation("Sale", a_sale())

    assert (operation.state, operation.reversal_reason) == (REVERSING, Reversal.LOST)


async def test_what_a_crash_left_open_is_given_back_also_without_its_id(
    world: World, database_of: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.api.becomes = "PROCESSING"

    def lose(*_: object, **__: object) -> None:
        """The process died before it stored what it was told."""

    monkeypatch.setattr(store, "name", lose)
    monkeypatch.setattr(store, "reverse", lose)
    monkeypatch.setattr(store, "GRACE", store.timedelta(0))
    await world.operation("Sale", a_sale(), timeout_s=1.0)
    monkeypatch.undo()
    await world.api.become("CAPTURED")

    assert await sweep_until(world, "REVERSED") == "REVERSED"
    assert (await world.found()).payment_id == PAYMENT_ID
    assert (await world.found()).reversal_reason == Reversal.LOST


async def test_capture_void_and_refund(world: World) -> None:
    await authorized(world)
    captured = await world.operation("Capture", api.CaptureRequest(reference="cap-1", original=ORIGINAL))
    refunded = await world.operation(
        "Refund", api.RefundRequest(reference="ref-1", original=ORIGINAL, amount_minor=900)
    )

    assert (captured.state, captured.captured_amount_minor) == (APPROVED, 49900)
    assert (refunded.state, refunded.refunded_amount_minor, refunded.rrn) == (APPROVED, 900, "123456789012")
    assert await world.found("cap-1") != await world.found("ref-1")
    assert world.api.names() == ["CreatePayment", "CapturePayment", "RefundPayment"]


@pytest.mark.parametrize("original", [ORIGINAL, api.Original(payment_id=PAYMENT_ID)])
async def test_a_void_is_done_once(world: World, original: api.Original) -> None:
    await authorized(world)
    request = api.VoidRequest(reference="void-1", original=original)
    first = await world.operation("Void", request)

    assert first == await world.operation("Void", request) == await world.found("void-1")
    assert (first.state, first.released_amount_minor) == (APPROVED, 49900)
    assert world.api.names() == ["CreatePayment", "VoidPayment"]


async def test_a_refused_void_is_an_answer_and_one_at_the_wrong_moment_may_come_again(world: World) -> None:
    await authorized(world)
    request = api.VoidRequest(reference="void-1", original=ORIGINAL)
    world.api.refuses["VoidPayment"] = FailedPrecondition("OPERATION_IN_PROGRESS", "under way")
    busy = await refused(world.call("Void", request))
    world.api.refuses["VoidPayment"] = NO
    no = await world.operation("Void", request)
    world.api.refuses.clear()

    assert busy == (grpc.StatusCode.FAILED_PRECONDITION, "OPERATION_IN_PROGRESS")
    assert (no.state, no.decline.reason) == (FAILED, "void_refused")
    assert await world.operation("Void", request) == no


@pytest.mark.parametrize(
    ("rpc", "request_", "reason"),
    [
        ("Find", api.FindRequest(reference="nothing"), "REFERENCE_UNKNOWN"),
        ("Void", api.VoidRequest(reference="v", original=api.Original(reference="nothing")), "ORIGINAL_UNKNOWN"),
    ],
)
async def test_what_was_never_asked_is_not_known(world: World, rpc: str, request_: object, reason: str) -> None:
    assert await refused(world.call(rpc, request_)) == (grpc.StatusCode.NOT_FOUND, reason)


async def test_a_terminal_learns_who_it_is_and_what_is_away(world: World) -> None:
    told = await world.call("Diagnose", api.DiagnoseRequest())

    assert (told.merchant_id, told.terminal_id) == ("mer_demo", "T0000001")
    assert {check.name: check.good for check in told.checks} == {"payments": True, "vault": False}
    assert not told.ready
    assert [check.problem for check in told.checks] == ["", "UNIMPLEMENTED"]


@pytest.mark.parametrize("emv_data", [b"", b"\x5a\x08" + bytes.fromhex("4111111111111111")])
async def test_a_bad_card_leaves_no_trace(world: World, emv_data: bytes) -> None:
    code, reason = await refused(world.call("Sale", a_sale(card=a_card(emv_data))))

    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert await refused(world.call("Find", api.FindRequest(reference="sale-1"))) == (
        grpc.StatusCode.NOT_FOUND,
        "REFERENCE_UNKNOWN",
    )
    assert world.api.asked == []


async def test_replicas_share_what_is_due(world: World) -> None:
    world.api.becomes = "PROCESSING"
    await world.operation("Sale", a_sale(), timeout_s=1.0)

    assert sorted(await asyncio.gather(world.reversals.sweep(), world.reversals.sweep())) == [0, 1]
