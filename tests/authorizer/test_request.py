"""The strict check of a request: every mistake by its path, never a value."""

import json
from typing import Any

import pytest
from florin.payments.v1.payment_service_pb2 import CreatePaymentRequest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from services.authorizer.request import check
from services.authorizer.rules import GRPC, Rule, rules
from services.authorizer.service import http_status
from services.chassis import InvalidArgument
from services.chassis.contract import methods

PAN = "4111111111111111"
ALL = rules(methods().values())
RULES = {rpc.rpartition(".")[2]: rule for (rpc, form), rule in ALL.items() if form != GRPC}
CREATE, CAPTURE, LIST, GET = (
    RULES[f"{name}"] for name in ("CreatePayment", "CapturePayment", "ListPayments", "GetPayment")
)
CALLBACK = RULES["ReceiveCallback"]
JSON = "application/json"

GOOD: dict[str, Any] = {
    "amount": {"amount_minor": "49900", "currency": "INR"},
    "card": {"number": PAN, "expiry_month": 12, "expiry_year": 2030, "cvv": "123"},
}


def refused(rule: Rule, body: Any = b"", content_type: str = JSON, query: str = "") -> InvalidArgument:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidArgument) as raised:
        check(rule, content_type, query, content)
    told = f"{raised.value} {raised.value.fields}"
    assert PAN not in told and "secret" not in told  # noqa: PT018 - no value is ever repeated
    return raised.value


def problems(rule: Rule, body: Any) -> dict[str, str]:
    error = refused(rule, body)
    assert error.reason == "INVALID_FIELD"
    return error.fields


@pytest.mark.parametrize(
    ("rule", "body", "content_type", "query"),
    [
        (CREATE, GOOD, JSON, ""),
        (CREATE, GOOD, "application/json; charset=UTF-8", ""),
        (CREATE, GOOD, "Application/JSON", ""),
        (
            CREATE,
            {"amount": {"amountMinor": 49900, "currency": "INR"}, "captureMethod": "CAPTURE_METHOD_MANUAL"},
            JSON,
            "",
        ),
        (CREATE, {"capture_method": 2, "card": None, "upi": {"flow": "UPI_FLOW_QR"}}, JSON, ""),
        (CREATE, {}, JSON, ""),
        (CAPTURE, b"", "", ""),
        (CAPTURE, {"amount_minor": "-1"}, JSON, ""),
        (GET, b"", "", ""),
        (LIST, b"", "", "page_size=20&status=PAYMENT_STATUS_CAPTURED&reference=a%20b&pageToken="),
        (CALLBACK, b"\xff not json", "text/plain", ""),
    ],
)
def test_a_good_request_passes(rule: Rule, body: Any, content_type: str, query: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    check(rule, content_type, query, content)


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (GOOD | {"card": {"nubmer": PAN}}, {"card.nubmer"}),
        (GOOD | {"amout": "secret", "carf": 1}, {"amout", "carf"}),
        (GOOD | {PAN: "x", "a b": 1}, {"?"}),
        (GOOD | {"amount": {"amount_minor": 499.5, "currency": 356}}, {"amount.amount_minor", "amount.currency"}),
        (GOOD | {"amount": {"amount_minor": "secret"}}, {"amount.amount_minor"}),
        (GOOD | {"amount": {"amount_minor": True}}, {"amount.amount_minor"}),
        (GOOD | {"amount": {"amount_minor": 2**63}}, {"amount.amount_minor"}),
        (GOOD | {"amount": {"amount_minor": "9" * 20}}, {"amount.amount_minor"}),
        (GOOD | {"amount": "secret"}, {"amount"}),
        (GOOD | {"amount": [1]}, {"amount"}),
        (GOOD | {"card": {"number": int(PAN)}}, {"card.number"}),
        (GOOD | {"card": {"expiry_month": -1}}, {"card.expiry_month"}),
        (GOOD | {"card": {"expiry_month": 2**32}}, {"card.expiry_month"}),
        (GOOD | {"capture_method": "secret"}, {"capture_method"}),
        (GOOD | {"capture_method": 99}, {"capture_method"}),
        (GOOD | {"capture_method": True}, {"capture_method"}),
        (GOOD | {"upi": {}}, {"upi"}),
        (GOOD | {"description": "\ud800"}, {"description"}),
        (GOOD | {"capture_method": 2, "captureMethod": 1}, {"captureMethod"}),
    ],
)
def test_a_mistake_is_named_by_its_path(body: Any, paths: set[str]) -> None:
    assert set(problems(CREATE, body)) == paths


def test_what_the_path_says_the_body_may_not() -> None:
    assert problems(CAPTURE, {"payment_id": "pay_1"}) == {"payment_id": "is set by the path"}


def test_an_enum_s_values_are_named() -> None:
    sentence = problems(CREATE, {"capture_method": "MANUAL"})["capture_method"]
    assert "CAPTURE_METHOD_MANUAL" in sentence


@pytest.mark.parametrize(
    "body",
    [
        b'{"amount":',
        b"{'a': 1}",
        b'{"card":{"number":4111111111111111',
        b"not json",
        b"[1]",
        b'"secret"',
        b"null",
        b'{"amount":{"amount_minor":NaN}}',
        b'{"amount":{"amount_minor":Infinity}}',
        b'{"reference":"\xff"}',
        b'{"a":1} {"b":2}',
        b'{"reference":"a","reference":"secret"}',
        b'{"amount":{"currency":"INR","currency":"USD"}}',
        b"\xef\xbb\xbf{}",
        b"[" * 60_000,
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"a":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_is_refused_without_repeating_it(body: bytes) -> None:
    assert refused(CREATE, body).reason == "INVALID_JSON"


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/json; charset=latin-1",
        "application/jsonx",
        ";",
    ],
)
def test_a_body_must_be_said_to_be_json(content_type: str) -> None:
    error = refused(CREATE, GOOD, content_type)
    assert (error.reason, http_status(error)) == ("CONTENT_TYPE_UNSUPPORTED", 415)


def test_a_call_without_body_takes_none() -> None:
    assert refused(GET, b"{}").reason == "BODY_NOT_EXPECTED"


@pytest.mark.parametrize(
    ("rule", "query", "paths"),
    [
        (LIST, "limit=5", {"limit"}),
        (LIST, f"{PAN}=1", {"?"}),
        (LIST, "page_size=secret", {"page_size"}),
        (LIST, "page_size=5&page_size=6", {"page_size"}),
        (LIST, "status=CAPTURED", {"status"}),
        (LIST, "page_size.x=5", {"page_size.x"}),
        (GET, "payment_id=pay_1", {"payment_id"}),
        (CREATE, "reference=a", {"reference"}),
        (CALLBACK, "psp=other", {"psp"}),
        (CALLBACK, "content.data=eA", {"content.data"}),
    ],
)
def test_a_wrong_query_parameter_is_named(rule: Rule, query: str, paths: set[str]) -> None:
    assert set(refused(rule, query=query).fields) == paths


def test_a_flood_of_mistakes_is_answered_in_short() -> None:
    assert len(problems(CREATE, {f"field_{number}": 1 for number in range(500)})) == 20


AMOUNTS = st.fixed_dictionaries({}, optional={"amount_minor": st.integers(-(2**63), 2**63 - 1), "currency": st.text()})
CARDS = st.fixed_dictionaries(
    {}, optional={"number": st.text(), "expiry_month": st.integers(0, 2**32 - 1), "expiry_year": st.integers(0, 99)}
)
REQUESTS = st.fixed_dictionaries({}, optional={"amount": AMOUNTS, "card": CARDS, "reference": st.text()})


@given(REQUESTS)
def test_what_protobuf_itself_reads_is_never_refused(content: dict[str, Any]) -> None:
    json_format.ParseDict(content, CreatePaymentRequest())
    check(CREATE, JSON, "", json.dumps(content).encode())


NAMES = st.sampled_from([field.name for field in CreatePaymentRequest.DESCRIPTOR.fields] + ["number", "flow", "x"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, ANYTHING, max_size=4))
def test_what_it_lets_in_protobuf_reads(content: dict[str, Any]) -> None:
    try:
        check(CREATE, JSON, "", json.dumps(content).encode())
    except InvalidArgument:
        return
    json_format.ParseDict(content, CreatePaymentRequest())


@given(st.binary(max_size=200))
def test_no_bytes_break_it(body: bytes) -> None:
    try:
        check(CREATE, JSON, "", body)
    except InvalidArgument:
        return
    assert body == b"" or isinstance(json.loads(body), dict)


def test_the_message_of_a_grpc_call_is_for_the_service_to_read() -> None:
    check(ALL["florin.payments.v1.PaymentService.CreatePayment", GRPC], "application/grpc", "", b"\x00\x00")
