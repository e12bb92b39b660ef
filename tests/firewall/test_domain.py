"""What of a body the rules are shown, and how a request is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import PermissionDenied
from services.firewall.domain import LARGEST_BODY_BYTES, BodyTooLarge, Findings, check, check_size, inspected
from tests.firewall.examples import PAN, PAYMENT, get, post


def shown(content: Any, **headers: str) -> bytes:
    return inspected(post(content, **headers)).body


@pytest.mark.parametrize(
    ("content", "rest"),
    [
        (PAYMENT, {"reference": "order-1001", "amount": {}, "card": {}}),
        ({"a": 1, "b": -1.5, "c": None, "d": True, "e": "12", "f": "INR", "g": ""}, {}),
        (
            {"a": "ABCD", "b": "1-2", "c": "a b", "d": "'", "e": "٣"},
            {"a": "ABCD", "b": "1-2", "c": "a b", "d": "'", "e": "٣"},
        ),
        ({"a": ["1", "x y", 2, {"b": "3"}]}, {"a": ["x y", {}]}),
        ({"$gt": 1, "a.b": "2", "a b": None}, {"$gt": 1, "a.b": "2", "a b": None}),
        (["hello there", 1], ["hello there"]),
        ("hello there", "hello there"),
        (7, 7),
    ],
)
def test_what_can_do_no_harm_is_left_out(content: Any, rest: Any) -> None:
    assert json.loads(shown(content)) == rest


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b'{"a":',
        b'{"a": "1", "a": "x"}',
        b'{"a": NaN}',
        b"\xef\xbb\xbf{}",
        b'{"a": "\xff"}',
        b'{"a": "\\ud800 x"}',
        '{"a": 1}'.encode("utf-16"),
        b"[" * 100_000,
        b"a=1",
    ],
)
def test_what_is_not_plainly_json_is_shown_as_it_is(raw: bytes) -> None:
    assert shown(raw) == raw


def test_what_is_not_said_to_be_json_is_shown_as_it_is() -> None:
    raw = b'{"a": 1}'
    assert shown(raw, **{"content-type": "application/x-www-form-urlencoded"}) == raw
    assert shown(raw, **{"content-type": "Application/JSON; charset=utf-8"}) == b"{}"


@given(
    st.recursive(
        st.text(st.characters(codec="utf-8")) | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
        max_leaves=20,
    )
)
def test_whatever_holds_a_sign_that_is_no_letter_or_digit_is_shown(content: Any) -> None:
    body = shown([content]).decode()

    def texts(one: Any) -> list[str]:
        match one:
            case str():
                return [one]
            case list():
                return [text for inner in one for text in texts(inner)]
            case dict():
                return [*one, *(text for inner in one.values() for text in texts(inner))]
        return []

    for text in texts(content):
        if any(not (char.isalnum() or char == "_") for char in text):
            assert json.dumps(text, ensure_ascii=False) in body


@given(st.integers(10**11, 10**18))
def test_a_card_number_never_enters_the_engine(number: int) -> None:
    content = {"card": {"number": str(number), "holder": "A. Shah"}, "n": number, "list": [str(number), number]}
    assert str(number).encode() not in shown(content)


def test_only_the_body_is_thinned() -> None:
    request = get(f"/v1/payments?page_token={PAN}")
    assert inspected(request) == request


def test_who_is_refused_is_not_told_by_what() -> None:
    check(Findings((942100,), refused=False))
    with pytest.raises(PermissionDenied) as refused:
        check(Findings((942100, 949110), refused=True))
    assert refused.value.reason == "REQUEST_BLOCKED"
    assert "942100" not in str(refused.value.status())


def test_a_body_beyond_all_contracts_is_too_large() -> None:
    check_size(post(b"x" * LARGEST_BODY_BYTES))
    with pytest.raises(BodyTooLarge):
        check_size(post(b"x" * (LARGEST_BODY_BYTES + 1)))
