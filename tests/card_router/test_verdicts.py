"""What answers and silences mean: the whole of DE39, and everything that must not pass for an approval."""

import string
from dataclasses import replace

import pytest
from florin.common.v1 import decline_pb2
from hypothesis import given
from hypothesis import strategies as st

from services.card_router.acquirers import ACQUIRERS
from services.card_router.domain import Account, Operation, State
from services.card_router.iso8583 import Amount, Capability, Dialect, ReversalReason
from services.card_router.link import Unknown
from services.card_router.verdicts import (
    acknowledged,
    capture_refusal,
    judged,
    refund_refusal,
    settles,
    unknown,
    unsent,
    void_refusal,
)
from tests.card_router.examples import an_answer, an_exchange
from tests.card_router.samples import DIALECT
from tests.kit.text import table

EVERY = pytest.mark.parametrize("dialect", ACQUIRERS.values(), ids=ACQUIRERS)
BOTH = pytest.mark.parametrize("operation", [Operation.AUTHORIZATION, Operation.PURCHASE])
APPROVING = {"00", "08", "11", "85"}
PARTIAL = "10"
NOT_PROCESSED = {"91", "92", "96"}
CODES = sorted({code for dialect in ACQUIRERS.values() for code in dialect.responses} | {"ZZ", "99", "A1"})
ADVICE = {
    decline_pb2.RETRY_ADVICE_NEVER: "03 04 07 12 15 41 43 57 62 78 93 R0 R1 R3",
    decline_pb2.RETRY_ADVICE_LATER: "19 51 59 61 65 75 86 91 92 96 N3 N4",
    decline_pb2.RETRY_ADVICE_FIX_DATA: "14 54 55 1A N7",
    decline_pb2.RETRY_ADVICE_UNSPECIFIED: "01 02 05 06 13 17 25 30 58 63 68 94 ZZ",
}


@EVERY
@BOTH
@pytest.mark.parametrize("code", CODES)
def test_every_code(dialect: Dialect, operation: Operation, code: str) -> None:
    result = judged(an_exchange(operation=operation), an_answer(code), dialect)

    assert result.state is (State.APPROVED if code in APPROVING else State.DECLINED)
    assert result.reversal == (ReversalReason.CUSTOMER_CANCELLATION if code == PARTIAL else None)
    assert (result.decline is None) == (code in APPROVING)
    assert result.response_code == code
    if result.decline is not None:
        assert result.decline.network_code == code
        assert result.decline.reason
        assert result.decline.message


@pytest.mark.parametrize(("advice", "codes"), ADVICE.items())
def test_the_networks_retry_advice(advice: decline_pb2.RetryAdvice, codes: str) -> None:
    for code in codes.split():
        decline = judged(an_exchange(), an_answer(code), DIALECT).decline
        assert decline is not None
        assert decline.advice == advice, code


@given(st.text(string.ascii_uppercase + string.digits + " ", max_size=2))
def test_no_other_code_approves(code: str) -> None:
    result = judged(an_exchange(), an_answer(code), DIALECT)

    assert (result.state is State.APPROVED) == (code in APPROVING)


UNRELIABLE = table("""
    answer                               operation      de4           de38    de39  de49
    without a response code              authorization  000000049900  A1B2C3  -     356
    with a blank response code           authorization  000000049900  A1B2C3  ' '   356
    without one, to a purchase           purchase       000000049900  A1B2C3  -     356
    approving less than was asked for    authorization  000000049899  A1B2C3  00    356
    approving more than was asked for    purchase       000000049901  A1B2C3  00    356
    approving in another currency        purchase       000000049900  A1B2C3  00    840
    without a code to capture it under   authorization  000000049900  -       00    356
    with a blank code to capture under   authorization  000000049900  ' '     08    356
""")


@pytest.mark.parametrize("row", UNRELIABLE, ids=[row["answer"] for row in UNRELIABLE])
def test_what_cannot_be_relied_on_is_reversed(row: dict[str, str]) -> None:
    elements = {name: row[name].replace("' '", "  ") or None for name in ("de4", "de38", "de39", "de49")}
    answer = an_answer("", **elements)

    result = judged(an_exchange(operation=Operation(row["operation"])), answer, DIALECT)

    assert (result.state, result.reversal) == (State.REVERSED, ReversalReason.INVALID_RESPONSE)
    assert result.approval_code.strip() == (answer.get(38).strip() if answer.get(39).strip() else "")
    assert result.decline is not None


@pytest.mark.parametrize("left_out", ["de4", "de49"])
def test_what_an_acquirer_does_not_echo_cannot_differ(left_out: str) -> None:
    assert judged(an_exchange(), an_answer("00", **{left_out: None}), DIALECT).state is State.APPROVED


def test_a_purchase_needs_no_approval_code() -> None:
    purchase = an_exchange(operation=Operation.PURCHASE)

    assert judged(purchase, an_answer("00", de38=None), DIALECT).state is State.APPROVED


@EVERY
@pytest.mark.parametrize("is_repeat", [False, True])
def test_a_capture_is_sent_again_unless_the_acquirer_has_decided(dialect: Dialect, is_repeat: bool) -> None:
    for code in [*CODES, ""]:
        result = acknowledged(an_answer(code), dialect, is_repeat=is_repeat)
        if code in NOT_PROCESSED or not code:
            assert result is None, code
            continue
        taken = code in APPROVING or (is_repeat and code == "94")
        assert result is not None, code
        assert result.state is (State.APPROVED if taken else State.DECLINED), code
        assert (result.reversal is not None) == (code == PARTIAL), code


@EVERY
def test_a_reversal_is_owed_until_nothing_is_held(dialect: Dialect) -> None:
    assert {code for code in [*CODES, ""] if settles(an_answer(code), dialect)} == APPROVING | {"25", "94"}


@pytest.mark.parametrize(
    ("reason", "reversal"),
    [
        (Unknown.TIMEOUT, "68"),
        (Unknown.GARBLED, "20"),
        (Unknown.CONNECTION_LOST, "22"),
        (Unknown.CLOSED, "22"),
    ],
)
def test_every_unknown_outcome_is_reversed_and_says_why(reason: Unknown, reversal: str) -> None:
    result = unknown(reason)

    assert (result.state, result.reversal) == (State.REVERSED, reversal)
    assert len(Unknown) == 4


@pytest.mark.parametrize(
    "reason", ["no_route", "acquirer_unavailable", "card_unavailable", "message_refused", "answer_too_late"]
)
def test_what_was_not_sent_is_not_reversed(reason: str) -> None:
    result = unsent(reason)

    assert (result.state, result.reversal) == (State.NOT_SENT, None)
    assert result.decline is not None
    assert result.decline.reason == reason


OPERATIONS = table("""
    asked    original       acquirer  minor  currency  captured  released  refunded  busy  refusal
    capture  authorization  meridian  49900  INR       0         0         0         -     -
    capture  authorization  meridian  1      INR       0         0         0         -     -
    capture  authorization  meridian  49901  INR       0         0         0         -     amount_too_large
    capture  authorization  meridian  9900   INR       40000     0         0         -     -
    capture  authorization  meridian  9901   INR       40000     0         0         -     amount_too_large
    capture  authorization  meridian  1      INR       49900     0         0         -     amount_too_large
    capture  authorization  meridian  1      INR       0         49900     0         -     amount_too_large
    capture  authorization  meridian  1      INR       40000     9900      0         -     amount_too_large
    capture  authorization  meridian  49900  USD       0         0         0         -     currency_mismatch
    capture  authorization  meridian  49900  INR       0         0         0         busy  operation_in_progress
    capture  authorization  lakeside  49900  INR       0         0         0         -     -
    capture  authorization  lakeside  49899  INR       0         0         0         -     partial_capture_not_supported
    capture  authorization  lakeside  49901  INR       0         0         0         -     amount_too_large
    capture  authorization  lakeside  49900  INR       49900     0         0         -     amount_too_large
    capture  purchase       meridian  49900  INR       0         0         0         -     nothing_held
    void     authorization  meridian  49900  INR       0         0         0         -     -
    void     authorization  lakeside  49900  INR       0         0         0         -     -
    void     purchase       meridian  49900  INR       0         0         0         -     -
    void     authorization  meridian  9900   INR       40000     0         0         -     -
    void     authorization  lakeside  9900   INR       40000     0         0         -     partial_void_not_supported
    void     authorization  meridian  9899   INR       40000     0         0         -     partial_void_not_supported
    void     authorization  meridian  9901   INR       40000     0         0         -     amount_too_large
    void     authorization  meridian  49900  INR       49900     0         0         -     nothing_held
    void     authorization  meridian  49900  INR       0         49900     0         -     nothing_held
    void     purchase       meridian  49900  INR       0         0         1         -     nothing_held
    void     authorization  meridian  49900  USD       0         0         0         -     currency_mismatch
    void     authorization  meridian  49900  INR       0         0         0         busy  operation_in_progress
    refund   purchase       meridian  49900  INR       0         0         0         -     -
    refund   purchase       lakeside  1      INR       0         0         49899     -     -
    refund   purchase       meridian  2      INR       0         0         49899     -     amount_too_large
    refund   purchase       meridian  1      INR       0         49900     0         -     amount_too_large
    refund   authorization  meridian  1      INR       0         0         0         -     amount_too_large
    refund   authorization  meridian  40000  INR       40000     9900      0         -     -
    refund   authorization  meridian  40001  INR       40000     0         0         -     amount_too_large
    refund   authorization  meridian  1      USD       40000     0         0         -     currency_mismatch
    refund   authorization  meridian  1      INR       40000     0         0         busy  operation_in_progress
    refund   purchase       counter   1      INR       0         0         0         -     refund_not_supported
""")
COUNTER = replace(ACQUIRERS["meridian"], name="counter", capabilities=frozenset({Capability.PURCHASE}))
REFUSALS = {"capture": capture_refusal, "void": void_refusal, "refund": refund_refusal}


@pytest.mark.parametrize("row", OPERATIONS, ids=[" ".join(row.values()) for row in OPERATIONS])
def test_what_is_taken_released_or_given_back_is_bounded(row: dict[str, str]) -> None:
    original = an_exchange(state=State.APPROVED, operation=Operation(row["original"]))
    minors = (int(row["captured"]), int(row["released"]), int(row["refunded"]))
    account = Account(original, *minors, busy=bool(row["busy"]))
    dialect = {**ACQUIRERS, "counter": COUNTER}[row["acquirer"]]

    refusal = REFUSALS[row["asked"]](account, Amount(int(row["minor"]), row["currency"]), dialect)

    assert (refusal.decline.reason if refusal and refusal.decline else "") == row["refusal"]
    assert refusal is None or (refusal.state, refusal.reversal) == (State.DECLINED, None)
