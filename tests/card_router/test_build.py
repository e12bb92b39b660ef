"""What is sent to acquirers, against published examples, and that a card never shows."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.card_router.iso8583 import (
    Acceptor,
    Amount,
    Card,
    Message,
    MessageError,
    NetworkCode,
    Original,
    ReversalReason,
    Trace,
    authorization,
    capture_advice,
    decode,
    encode,
    network_answer,
    network_management,
    purchase,
    repeat,
    reversal_advice,
    stan,
)
from services.card_router.iso8583.trace import Counter
from tests.card_router.samples import ACCEPTOR, CARD, DIALECT, PAYMENT, TRACE

ORIGINAL = Original("0100", "000123", "1124053312", "400001", "632805000123")


def test_an_authorization_is_the_published_example() -> None:
    assert encode(authorization(PAYMENT, TRACE, DIALECT), DIALECT) == (
        b"0100723C448108E080001642424242424242420000000000000499001124053312000123110312112429125411010590640000163280500"
        b"0123TERM0001MERCHANT0000001EXAMPLE STORE            BENGALURU    IN356"
    )


def test_a_reversal_is_the_published_example() -> None:
    trace = Trace("000124", datetime(2026, 11, 24, 5, 34, 15, tzinfo=UTC), ORIGINAL.rrn)

    sent = reversal_advice(PAYMENT, trace, DIALECT, ORIGINAL, ReversalReason.RESPONSE_TOO_LATE)

    assert encode(sent, DIALECT) == (
        b"0420F22000010AC080000000004000000000164242424242424242000000000000049900112405341500012406400001632805000123"
        b"68TERM0001MERCHANT0000001356010000012311240533120000040000100000000000"
    )


def test_an_echo_is_the_published_example() -> None:
    trace = Trace.first("000001", datetime(2026, 11, 24, 5, 30, tzinfo=UTC))

    sent = network_management(NetworkCode.ECHO, trace, DIALECT)

    assert encode(sent, DIALECT) == b"0800822000000000000004000000000000001124053000000001301"
    assert encode(network_answer(sent), DIALECT) == b"0810822000000200000004000000000000001124053000000001" + b"00301"


def test_a_purchase_differs_from_an_authorization_by_its_type() -> None:
    assert purchase(PAYMENT, TRACE, DIALECT) == replace(authorization(PAYMENT, TRACE, DIALECT), mti="0200")


def test_a_capture_keeps_reference_and_approval_and_names_its_original() -> None:
    payment = replace(PAYMENT, amount=Amount(20000, "INR"))
    trace = Trace("000200", datetime(2026, 11, 25, 9, 0, tzinfo=UTC), ORIGINAL.rrn)

    sent = capture_advice(payment, trace, DIALECT, replace(ORIGINAL, approval_code="A1B2C3"))

    assert encode(sent, DIALECT)
    assert (sent.mti, sent[4], sent[11]) == ("0220", "000000020000", "000200")
    assert (sent[37], sent[38]) == ("632805000123", "A1B2C3")
    assert sent[90] == "010000012311240533120000040000100000000000"


def test_a_capture_without_an_approval_code_is_refused() -> None:
    with pytest.raises(MessageError, match="field 38"):
        encode(capture_advice(PAYMENT, TRACE, DIALECT, ORIGINAL), DIALECT)


@pytest.mark.parametrize(("mti", "repeated"), [("0220", "0221"), ("0420", "0421"), ("0421", "0421")])
def test_a_repeat_changes_nothing_but_the_origin(mti: str, repeated: str) -> None:
    advice = reversal_advice(PAYMENT, TRACE, DIALECT, ORIGINAL, ReversalReason.MALFUNCTION)

    assert repeat(replace(advice, mti=mti)) == replace(advice, mti=repeated)


@pytest.mark.parametrize("make", [authorization, purchase])
@pytest.mark.parametrize(("code", "expected"), [("123", "9203123"), ("1234", "92041234")])
def test_the_security_code_is_sub_element_92(make: object, code: str, expected: str) -> None:
    assert callable(make)
    payment = replace(PAYMENT, card=replace(CARD, security_code=code))

    assert make(payment, TRACE, DIALECT)[48] == expected


def test_the_security_code_goes_no_further_than_the_authorization() -> None:
    payment = replace(PAYMENT, card=replace(CARD, security_code="123"))
    approved = replace(ORIGINAL, approval_code="A1B2C3")

    assert 48 not in capture_advice(payment, TRACE, DIALECT, approved)
    assert 48 not in reversal_advice(payment, TRACE, DIALECT, approved, ReversalReason.MALFUNCTION)


def test_the_original_is_remembered_from_what_was_sent() -> None:
    assert Original.of(authorization(PAYMENT, TRACE, DIALECT)) == ORIGINAL


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (Amount(49900, "INR"), {4: "000000049900", 49: "356"}),
        (Amount(500, "JPY"), {4: "000000000500", 49: "392"}),
        (Amount(1, "ALL"), {4: "000000000001", 49: "008"}),
        (Amount(999_999_999_999, "USD"), {4: "999999999999", 49: "840"}),
    ],
)
def test_amounts(amount: Amount, expected: dict[int, str]) -> None:
    assert amount.fields() == expected


@pytest.mark.parametrize("amount", [Amount(-1, "INR"), Amount(10**12, "INR"), Amount(1, "XYZ")])
def test_impossible_amounts_are_refused(amount: Amount) -> None:
    with pytest.raises(ValueError, match=r"DE4|XYZ"):
        amount.fields()


@given(
    name=st.text(max_size=60),
    city=st.text(max_size=30),
    acceptor_id=st.text("ABC123", min_size=1, max_size=15),
    terminal_id=st.text("ABC123", min_size=1, max_size=8),
)
def test_any_merchant_fits(name: str, city: str, acceptor_id: str, terminal_id: str) -> None:
    acceptor = Acceptor(acceptor_id, terminal_id, name, city, "IN", "5411")
    message = authorization(replace(PAYMENT, acceptor=acceptor), TRACE, DIALECT)

    assert decode(encode(message, DIALECT), DIALECT) == message


def test_names_lose_their_marks() -> None:
    acceptor = replace(ACCEPTOR, name="Café Müller €", city="São Paulo")

    assert acceptor.place()[43] == "Cafe Muller ?            Sao Paulo    IN"


def test_a_security_code_or_an_expiry_that_is_none_is_refused_without_showing_it() -> None:
    card = Card("4242424242424242", "2913")

    with pytest.raises(MessageError) as refused:
        encode(authorization(replace(PAYMENT, card=card), TRACE, DIALECT), DIALECT)

    assert str(refused.value) == "field 14 at offset 2: MM is out of range"


def test_nothing_that_holds_a_card_shows_it() -> None:
    card = Card("4242424242424242", "2912", "987")
    payment = replace(PAYMENT, card=card)
    message = authorization(payment, TRACE, DIALECT)

    shown = f"{card!r} {payment!r} {message!r} {[message]} {message}"

    assert "424242******4242" in shown
    assert "4242424242424242" not in shown
    assert "2912" not in shown
    assert "987" not in shown


@pytest.mark.parametrize("number", [0, -1, 1_000_000])
def test_numbers_that_are_no_stan_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="STAN"):
        stan(number)


def test_a_counter_starts_anew_after_the_last_number() -> None:
    counter = Counter(first=999_998)

    assert [counter.allot() for _ in range(3)] == ["999998", "999999", "000001"]


@pytest.mark.parametrize(
    ("sent_at", "rrn"),
    [
        (datetime(2026, 11, 24, 5, 33, tzinfo=UTC), "632805000123"),
        (datetime(2026, 1, 1, 0, 0, tzinfo=UTC), "600100000123"),
        (datetime(2028, 12, 31, 23, 59, tzinfo=UTC), "836623000123"),
    ],
)
def test_the_reference_number_is_year_day_hour_and_stan(sent_at: datetime, rrn: str) -> None:
    assert Trace.first("000123", sent_at).rrn == rrn


@pytest.mark.parametrize(
    ("mti", "answer"),
    [("0100", "0110"), ("0200", "0210"), ("0220", "0230"), ("0221", "0230"), ("0420", "0430"), ("0421", "0430")],
)
def test_what_answers_a_type(mti: str, answer: str) -> None:
    assert Message(mti, {}).answer_mti == answer


@pytest.mark.parametrize("mti", ["0110", "0230", "0140"])
def test_nothing_answers_an_answer(mti: str) -> None:
    with pytest.raises(MessageError):
        _ = Message(mti, {}).answer_mti
