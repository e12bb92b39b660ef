"""Which cards the vault takes, which scheme they are of, which sealing key's time it is."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from florin.common.v1.instrument_pb2 import CardScheme
from hypothesis import given
from hypothesis import strategies as some
from stdnum import luhn

from services.chassis.redact import text
from services.tokenization.domain import (
    SEALING_GRACE,
    SEALING_PERIOD,
    CardRefusedError,
    checked,
    fingerprint_text,
    identity,
    reference,
    sealing_key_id,
    sealing_key_retires_at,
)
from services.tokenization.schemes import IIN_RANGES, scheme_of
from tests.kit.text import table
from tests.kit.time import NOON
from tests.tokenization.examples import NUMBER, a_card

SCHEMES = table("""
    starts   scheme
    4        VISA
    411111   VISA
    51       MASTERCARD
    55       MASTERCARD
    50       UNSPECIFIED
    56       UNSPECIFIED
    2220     UNSPECIFIED
    2221     MASTERCARD
    2720     MASTERCARD
    2721     UNSPECIFIED
    34       AMEX
    35       UNSPECIFIED
    37       AMEX
    508500   RUPAY
    606985   RUPAY
    607482   RUPAY
    601100   DISCOVER
    601200   RUPAY
    644000   DISCOVER
    649999   DISCOVER
    643999   UNSPECIFIED
    650000   DISCOVER
    652099   DISCOVER
    652100   RUPAY
    653149   RUPAY
    653150   DISCOVER
    659999   DISCOVER
    817200   RUPAY
    820199   RUPAY
    300000   DISCOVER
    305999   DISCOVER
    306000   UNSPECIFIED
    309500   DISCOVER
    36       DISCOVER
    38       DISCOVER
    3527     UNSPECIFIED
    3528     JCB
    3589     JCB
    3590     UNSPECIFIED
    9        UNSPECIFIED
""")

times = some.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2060, 1, 1), timezones=some.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone


@pytest.mark.parametrize("row", SCHEMES, ids=lambda row: row["starts"])
def test_the_first_digits_tell_the_scheme(row: dict[str, str]) -> None:
    assert CardScheme.Name(scheme_of(row["starts"].ljust(16, "0"))) == f"CARD_SCHEME_{row['scheme']}"


def test_the_ranges_are_well_formed() -> None:
    for row in IIN_RANGES:
        assert len(row.first) == len(row.last)
        assert row.first <= row.last


def test_a_good_card_is_taken() -> None:
    assert checked(a_card().SerializeToString()) == a_card()


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (b"\xff\xff", "seal_broken"),
        (b"", "card_number_invalid"),
        (a_card("4111111111111112").SerializeToString(), "card_number_invalid"),
        (a_card("41111111111").SerializeToString(), "card_number_invalid"),
        (a_card("4" * 20).SerializeToString(), "card_number_invalid"),
        (a_card("4111 1111 1111 1111").SerializeToString(), "card_number_invalid"),
    ],
    ids=["not a card", "empty", "wrong check digit", "too short", "too long", "with blanks"],
)
def test_a_bad_card_is_refused(secret: bytes, reason: str) -> None:
    with pytest.raises(CardRefusedError) as refusal:
        checked(secret)

    assert refusal.value.reason == reason
    assert "4111" not in repr(refusal.value)


@given(body=some.from_regex(r"\A[1-9][0-9]{11,17}\Z"))
def test_a_reference_tells_ten_digits_and_no_more(body: str) -> None:
    number = body + luhn.calc_check_digit(body)
    shown = reference("tok_01ARZ3NDEKTSV4RRFFQ69G5FAV", "fp", checked(a_card(number).SerializeToString()))

    assert (shown.bin, shown.last4) == (number[:6], number[-4:])
    assert number not in str(shown)


@given(mac=some.binary(min_size=32, max_size=32))
def test_a_fingerprint_never_looks_like_a_card_number(mac: bytes) -> None:
    shown = fingerprint_text(mac)

    assert base64.b32decode(shown.upper() + "====") == mac
    assert text(shown) == shown


def test_a_renewed_card_is_another_card() -> None:
    assert identity("mer_demo", "fp", a_card(year=2031)) != identity("mer_demo", "fp", a_card())
    assert identity("mer_demo", "fp", a_card(NUMBER)) == "mer_demo#fp#2030-12"


@given(now=times, later=some.timedeltas(min_value=timedelta(0), max_value=SEALING_PERIOD))
def test_a_sealing_key_outlives_every_seal_by_the_grace(now: datetime, later: timedelta) -> None:
    """Whoever seals at the last moment of a key's period still has the whole grace."""
    retires_at = sealing_key_retires_at(now)

    if sealing_key_id("r", now + later) == sealing_key_id("r", now):
        assert retires_at - (now + later) > SEALING_GRACE
    else:
        assert sealing_key_retires_at(now + later) == retires_at + SEALING_PERIOD


def test_each_region_has_a_key_of_its_own() -> None:
    assert sealing_key_id("ap-south-1", NOON) == "seal-ap-south-1-2026-10-28"
    assert sealing_key_id("ap-south-2", NOON) != sealing_key_id("ap-south-1", NOON)
