"""Once per request: replayed, refused with another content, one of many at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from florin.payments.v1.payment_service_pb2 import CreatePaymentRequest, CreatePaymentResponse

from services.chassis import AlreadyExists, Call, InvalidArgument, Once, Unit, contract
from services.chassis.call import admitted
from services.chassis.database import Database
from services.chassis.outbox import Outbox
from tests.kit.once import Broker
from tests.kit.tables import snapshot

pytestmark = pytest.mark.real

CREATE = contract.methods()["/florin.payments.v1.PaymentService/CreatePayment"]
CALL = admitted(
    CREATE,
    {
        "x-florin-caller": "spiffe://florin.internal/edge",
        "x-florin-tenant": "mer_demo",
        "x-florin-scopes": "payments.write",
        "idempotency-key": "key-1",
    },
    None,
    "",
)


def request(number: str = "4111111111111111", cvv: str = "123", request_id: str = "") -> CreatePaymentRequest:
    made = CreatePaymentRequest(request_id=request_id)
    made.card.number, made.card.cvv = number, cvv
    return made


class Acts:
    """Counts how often it acts; each time it answers with another payment."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _unit: Unit) -> CreatePaymentResponse:
        self.count += 1
        answer = CreatePaymentResponse()
        answer.payment.payment_id = f"pay_{self.count}"
        return answer


@pytest.fixture
def database(database_of: Callable[[str], Database]) -> Database:
    return database_of("payments")


@pytest.fixture
def once(database: Database) -> Once:
    return Once(database, Outbox(database, Broker()), b"secret")


def test_a_repeat_is_answered_with_the_first_answer(once: Once) -> None:
    acts = Acts()

    answers = [once.perform(CALL, request(), acts) for _ in range(3)]

    assert [answer.message.payment.payment_id for answer in answers] == ["pay_1"] * 3  # type: ignore[attr-defined]
    assert [answer.fresh for answer in answers] == [True, False, False]
    assert acts.count == 1


def test_the_same_key_for_another_request_is_refused(once: Once) -> None:
    once.perform(CALL, request(), Acts())

    with pytest.raises(AlreadyExists) as refused:
        once.perform(CALL, request(number="4242424242424242"), Acts())

    assert refused.value.reason == "IDEMPOTENCY_KEY_REUSED"


@pytest.mark.parametrize(
    "call",
    [
        replace(CALL, request_key="key-2"),
        replace(CALL, tenant="mer_other"),
        replace(CALL, request_key=""),
    ],
)
def test_other_keys_and_other_tenants_are_others(once: Once, call: Call) -> None:
    acts = Acts()
    once.perform(CALL, request(), acts)

    assert once.perform(call, request(), acts).fresh
    assert acts.count == 2


def test_what_may_not_be_kept_takes_no_part(once: Once) -> None:
    once.perform(CALL, request(cvv="123", request_id="a"), Acts())

    assert not once.perform(CALL, request(cvv="999", request_id="b"), Acts()).fresh


def test_simultaneous_repeats_act_once(once: Once) -> None:
    acts = Acts()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: once.perform(CALL, request(), acts), range(8)))

    assert acts.count == 1
    assert sum(answer.fresh for answer in answers) == 1


def test_what_fails_may_be_tried_again(once: Once) -> None:
    def fails(_unit: Unit) -> CreatePaymentResponse:
        raise InvalidArgument("NO", "no")

    with pytest.raises(InvalidArgument):
        once.perform(CALL, request(), fails)

    assert once.perform(CALL, request(), Acts()).fresh


def test_the_first_to_settle_wins(once: Once) -> None:
    provisional = once.perform(CALL, request(), Acts(), settled=False)
    first, second = CreatePaymentResponse(), CreatePaymentResponse()
    first.payment.rrn, second.payment.rrn = "1", "2"

    settled = [once.settle(CALL, first), once.settle(CALL, second)]

    assert not provisional.settled
    assert [answer.payment.rrn for answer in settled] == ["1", "1"]
    assert once.perform(CALL, request(), Acts()).message.payment.rrn == "1"  # type: ignore[attr-defined]


def test_a_key_that_is_too_long_is_refused(once: Once) -> None:
    with pytest.raises(InvalidArgument):
        once.perform(replace(CALL, request_key="k" * 256), request(), Acts())


def test_neither_number_nor_code_is_stored(once: Once, database: Database) -> None:
    once.perform(CALL, request(), Acts())

    assert "4111111111111111" not in str(snapshot(database))
