"""Which requests are taken, and how a payment changes in its merchant's eyes."""

import pytest
from florin.common.v1.decline_pb2 import Decline
from florin.common.v1.instrument_pb2 import CAPTURE_METHOD_AUTOMATIC, CAPTURE_METHOD_MANUAL
from florin.common.v1.money_pb2 import Money
from florin.payments.v1 import payment_events_pb2 as outcomes
from florin.payments.v1 import payment_service_pb2 as api
from florin.payments.v1.payment_service_pb2 import CreatePaymentRequest, ListPaymentsRequest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import EDGE, InvalidArgument, Poison
from services.payments.domain import actionable, check
from services.payments.outcomes import after
from services.payments.paging import page_size, position, token_after
from tests.kit.time import NOON
from tests.payments.examples import CARD, PAYMENT_ID, a_payment, card_request, sealed_request, upi_request

NO = Decline(reason="insufficient_funds", network_code="51")


def told(kind: type[Message], revision: int = 2, **more: object) -> Message:
    return kind(payment_id=PAYMENT_ID, merchant_id="mer_demo", revision=revision, **more)


def with_currency(request: CreatePaymentRequest, currency: str) -> CreatePaymentRequest:
    request.amount.currency = currency
    return request


def with_words(**words: str) -> CreatePaymentRequest:
    request = upi_request()
    for name, text in words.items():
        setattr(request, name, text)
    return request


def manual(request: CreatePaymentRequest) -> CreatePaymentRequest:
    request.capture_method = CAPTURE_METHOD_MANUAL
    return request


@pytest.mark.parametrize(
    ("request_", "wrong"),
    [
        (card_request(number="4111111111111112"), {"card.number"}),
        (card_request(expiry_month=10, expiry_year=2026), {"card.expiry_year"}),
        (card_request(expiry_month=12, expiry_year=2025), {"card.expiry_year"}),
        (card_request(cvv="1234"), {"card.cvv"}),
        (card_request(number="378282246310005", cvv="123"), {"card.cvv"}),
        (with_currency(card_request(), "XYZ"), {"amount.currency"}),
        (
            with_currency(card_request(number="4111111111111112", cvv="1"), "ABC"),
            {"amount.currency", "card.number", "card.cvv"},
        ),
        (with_currency(upi_request(), "USD"), {"amount.currency"}),
        (with_words(description="my card is 4111 1111 1111 1111"), {"description"}),
        (with_words(reference="4111111111111111"), {"reference"}),
        (manual(upi_request()), {"capture_method"}),
        (sealed_request(), {"sealed_card"}),
    ],
)
def test_requests_that_are_refused(request_: CreatePaymentRequest, wrong: set[str]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        check(request_, EDGE, NOON)

    assert wrong == refused.value.fields.keys()
    assert request_.card.number not in str(refused.value) or not request_.card.number


@pytest.mark.parametrize(
    "request_",
    [
        card_request(),
        card_request(expiry_month=11, expiry_year=2026),
        card_request(cvv=""),
        card_request(number="378282246310005", cvv="1234"),
        manual(card_request()),
        with_words(description="order 1234567890123", reference="1234567890123"),
        with_currency(card_request(), "JPY"),
        upi_request(),
    ],
)
def test_requests_that_are_taken(request_: CreatePaymentRequest) -> None:
    check(request_, EDGE, NOON)


@pytest.mark.parametrize(
    ("status", "manual_", "enough"),
    [
        ("PROCESSING", False, False),
        ("IN_REVIEW", False, True),
        ("REQUIRES_ACTION", False, True),
        ("AUTHORIZED", True, True),
        ("AUTHORIZED", False, False),
        ("CAPTURED", False, True),
        ("DECLINED", True, True),
        ("FAILED", True, True),
        ("EXPIRED", False, True),
    ],
)
def test_when_a_merchant_can_act(status: str, manual_: bool, enough: bool) -> None:
    method = CAPTURE_METHOD_MANUAL if manual_ else CAPTURE_METHOD_AUTOMATIC
    payment = a_payment(status=api.PaymentStatus.Value(f"PAYMENT_STATUS_{status}"), capture_method=method)

    assert actionable(payment) == enough


MONEY = Money(amount_minor=49900, currency="INR")


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (told(outcomes.PaymentReviewStarted), "IN_REVIEW"),
        (told(outcomes.PaymentActionRequired, intent_uri="upi://pay"), "REQUIRES_ACTION"),
        (told(outcomes.PaymentAuthorized, amount=MONEY, rrn="632812000123"), "AUTHORIZED"),
        (told(outcomes.PaymentCaptured, amount=MONEY, final=True), "CAPTURED"),
        (told(outcomes.PaymentCaptured, amount=MONEY), "AUTHORIZED"),
        (told(outcomes.PaymentCaptureFailed, decline=NO), "PROCESSING"),
        (told(outcomes.PaymentDeemed), "PROCESSING"),
        (told(outcomes.PaymentCanceled), "CANCELED"),
        (told(outcomes.PaymentDeclined, decline=NO), "DECLINED"),
        (told(outcomes.PaymentFailed, decline=NO), "FAILED"),
        (told(outcomes.PaymentExpired, decline=NO), "EXPIRED"),
    ],
)
def test_what_an_outcome_makes_of_a_payment(outcome: Message, status: str) -> None:
    changed = after(a_payment(), outcome, NOON)

    assert api.PaymentStatus.Value(f"PAYMENT_STATUS_{status}") == changed.status
    assert changed.revision == 2
    assert (changed.decline == NO) == (status in {"DECLINED", "FAILED", "EXPIRED"})


def test_an_older_outcome_changes_nothing() -> None:
    payment = a_payment(revision=4, status=api.PAYMENT_STATUS_CAPTURED)

    assert payment == after(payment, told(outcomes.PaymentAuthorized, revision=3, amount=MONEY), NOON)


def test_what_is_no_outcome_is_poison() -> None:
    with pytest.raises(Poison):
        after(a_payment(revision=-1), outcomes.PaymentInitiated(payment_id=PAYMENT_ID), NOON)


def test_the_action_is_gone_once_it_is_done() -> None:
    waiting = after(a_payment(), told(outcomes.PaymentActionRequired, intent_uri="upi://pay"), NOON)

    paid = after(waiting, told(outcomes.PaymentAuthorized, revision=3, amount=MONEY), NOON)

    assert waiting.HasField("upi_action")
    assert not paid.HasField("upi_action")


@given(st.text(alphabet="0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=26, max_size=26), st.sampled_from(["", "order-1"]))
def test_a_page_token_leads_back(ulid: str, reference: str) -> None:
    request = ListPaymentsRequest(reference=reference)
    request.page_token = token_after(f"pay_{ulid}", request)

    assert f"pay_{ulid}" == position(request)


@pytest.mark.parametrize(
    "token", ["x", "!!!!", "YWJj", token_after(PAYMENT_ID, ListPaymentsRequest(reference="other"))]
)
def test_page_tokens_that_are_refused(token: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        position(ListPaymentsRequest(page_token=token))

    assert {"page_token"} == refused.value.fields.keys()


@pytest.mark.parametrize(("asked", "given_"), [(0, 50), (1, 1), (200, 200), (201, 200)])
def test_page_sizes(asked: int, given_: int) -> None:
    assert given_ == page_size(ListPaymentsRequest(page_size=asked))


def test_the_card_reference_has_no_number() -> None:
    assert {"bin", "last4"} <= {field.name for field in CARD.DESCRIPTOR.fields}
    assert "number" not in {field.name for field in CARD.DESCRIPTOR.fields}


def test_a_terminal_may_seal_the_card_itself() -> None:
    check(sealed_request(), "terminals", NOON)
