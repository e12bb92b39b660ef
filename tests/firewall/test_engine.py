"""ModSecurity with the OWASP Core Rule Set: payments pass, attacks do not, wherever they stand."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.firewall.domain import Request, inspected
from services.firewall.engine import BadRulesError, Engine, files
from tests.firewall.examples import ATTACKS, PAYMENT, PLAIN, get, post

pytestmark = pytest.mark.real

PAYMENT_PATH = "/v1/payments/pay_01JDZ3K8Q0W9V7X5T3R1P9N7M5"


def refused(engine: Engine, request: Request) -> tuple[int, ...]:
    """Return the rules that refuse a request; none when it passes."""
    findings = engine.inspect(inspected(request))
    return findings.rules if findings.refused else ()


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_payment_passes(engine: Engine, text: str) -> None:
    assert refused(engine, post(PAYMENT | {"description": text, "customer": {"name": text}})) == ()


@pytest.mark.parametrize(
    "request_",
    [
        get(PAYMENT_PATH),
        get("/v1/payments?page_size=20&page_token=CAESBggBEAEaAA"),
        get(f"{PAYMENT_PATH}/qr", accept="image/png"),
        post(b"", f"{PAYMENT_PATH}/void"),
        post({"amount": {"amount_minor": "100", "currency": "INR"}}, f"{PAYMENT_PATH}/capture"),
        post({"upi": {"flow": "UPI_FLOW_COLLECT", "vpa": "name.surname-1@okhdfcbank"}}),
        post({"return_url": "https://shop.example/checkout/done?order=1001&lang=hi#paid"}),
        post(PAYMENT, **{"idempotency-key": '"8e03978e-40d5-43e8-bc93-6894a57f9324"', "prefer": "respond-async"}),
        post(PAYMENT, host="127.0.0.1:8443"),
        post(PAYMENT, **{"content-type": "application/json; charset=utf-8"}),
        post({"event": "order.paid", "id": "evt_1"}, "/v1/upi/callbacks/simpsp", **{"x-psp-signature": "dGVz/dA+="}),
    ],
    ids=lambda request: f"{request.method} {request.path}",
)
def test_other_plain_requests_pass(engine: Engine, request_: Request) -> None:
    assert refused(engine, request_) == ()


@pytest.mark.parametrize(
    "agent",
    [
        "curl/8.5.0",
        "okhttp/4.12.0",
        "Java/17.0.2",
        "GuzzleHttp/7",
        "Go-http-client/2.0",
        "node-fetch",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    ],
)
def test_every_client_library_passes(engine: Engine, agent: str) -> None:
    assert refused(engine, post(PAYMENT, **{"user-agent": agent})) == ()


LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyzéñüłकखगचजटडतदनपबमयरलवशसह")
ENDINGS = st.sampled_from(["", "'s", "-Rao", "."])
NAME = st.tuples(LETTERS.map(str.upper), st.text(LETTERS, min_size=3, max_size=9), ENDINGS).map("".join)
PREFIX = st.sampled_from(["", "O'", "D'", "Mc", "Dr. ", "श्री "])


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(PREFIX, NAME).map("".join), min_size=1, max_size=3).map(" ".join))
def test_no_name_is_an_attack(engine: Engine, name: str) -> None:
    assert refused(engine, post(PAYMENT | {"description": name})) == ()


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_in_the_body(engine: Engine, attack: str) -> None:
    assert refused(engine, post(PAYMENT | {"description": attack}))
    assert refused(engine, post({"deep": [{"er": attack}]}, **{"content-type": "application/json; charset=utf-8"}))


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_in_the_query(engine: Engine, attack: str) -> None:
    assert refused(engine, get(f"/v1/payments?page_token={quote(attack)}"))


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if not attack.startswith((";", "..\\", "1;", "$("))])
@pytest.mark.parametrize("header", ["user-agent", "x-anything", "idempotency-key"])
def test_an_attack_is_refused_in_a_header(engine: Engine, header: str, attack: str) -> None:
    assert refused(engine, get(PAYMENT_PATH, **{header: attack}))


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "x", "a": "1\' union select 1--"}',
        b'{"a": "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e"}',
        b'{"<script>alert(1)</script>": 1}',
        b'{"a": NaN, "b": "x"}',
        b'\xef\xbb\xbf{"b": "x"}',
        b'{"a": "\xff"}',
        b'{"a": "x\\u0000y"}',
        b"[" * 70 + b"1" + b"]" * 70,
        b'{"a":',
        b"<a>1</a>",
    ],
)
def test_what_is_hidden_or_cannot_be_read_is_refused(engine: Engine, body: bytes) -> None:
    assert refused(engine, post(body))


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_a_body_that_is_said_to_be_something_else_is_refused(engine: Engine, kind: str) -> None:
    assert refused(engine, post(b"a=1' or '1'='1", **{"content-type": kind}))


def test_a_body_that_is_not_said_to_be_anything_is_refused(engine: Engine) -> None:
    sent = get("/v1/upi/callbacks/simpsp").headers
    assert refused(engine, Request("POST", "/v1/upi/callbacks/simpsp", sent, b'{"a": "hello there"}'))


def test_one_request_s_findings_are_not_another_s(engine: Engine) -> None:
    assert refused(engine, post({"a": ATTACKS[0]}))
    assert engine.inspect(post(PAYMENT)).rules == ()


def test_a_file_with_a_mistake_is_refused(tmp_path: Path) -> None:
    (tmp_path / "REQUEST-900-WRONG.conf").write_text('SecRule ARGS "@rx a" "id:1,phase:1,frobnicate"\n')
    with pytest.raises(BadRulesError, match=r"REQUEST-900-WRONG\.conf: .*"):
        Engine(files(tmp_path))
    with pytest.raises(BadRulesError):
        Engine([tmp_path / "none.conf"])


def test_a_folder_without_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRulesError, match="no rules"):
        files(tmp_path)
