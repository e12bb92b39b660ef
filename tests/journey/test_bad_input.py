"""What is wrong is refused at the edge: the right status, one shape, the field by name, and nothing of the card."""

import json
from typing import Any

import httpx
import pytest

from mesh.local.merchant import Merchant
from mesh.local.runner import Runner
from tests.journey.calls import card_body, create, fields, reason, upi_body
from tests.journey.tokens import bad_tokens

pytestmark = pytest.mark.journey

PAN = "4111111111111111"
NOBODY = "pay_" + "0" * 26

BAD_BODIES: dict[str, tuple[Any, str]] = {
    "unknown field": (card_body(captur_method="CAPTURE_METHOD_MANUAL"), "captur_method"),
    "unknown field inside": (card_body(card={"nubmer": PAN}), "card.nubmer"),
    "unknown field in camel case": (card_body(captureMethods="x"), "captureMethods"),
    "wrong type": (card_body(amount={"amount_minor": "a lot"}), "amount.amount_minor"),
    "wrong type, an object": (card_body(reference={"a": 1}), "reference"),
    "wrong type, a list": (card_body() | {"amount": [1]}, "amount"),
    "a fraction": (card_body(amount={"amount_minor": 1.5}), "amount.amount_minor"),
    "bad enum": (card_body(capture_method="SOMETIME"), "capture_method"),
    "enum by an unknown number": (card_body(capture_method=99), "capture_method"),
    "missing field": ({"card": card_body()["card"]}, "amount"),
    "missing instrument": ({"amount": card_body()["amount"]}, "instrument"),
    "two instruments": (card_body(upi={"flow": "UPI_FLOW_QR"}), "upi"),
    "zero": (card_body(amount_minor=0), "amount.amount_minor"),
    "negative": (card_body(amount_minor=-1), "amount.amount_minor"),
    "huge": (card_body(amount_minor=10**12), "amount.amount_minor"),
    "more than 64 bits": (card_body(amount_minor=2**63), "amount.amount_minor"),
    "unknown currency": (card_body(amount={"currency": "XQZ"}), "amount.currency"),
    "currency in lower case": (card_body(amount={"currency": "inr"}), "amount.currency"),
    "bad card number": (card_body("4111111111111112"), "card.number"),
    "card number with letters": (card_body("4111x11111111111"), "card.number"),
    "card number too short": (card_body("4111"), "card.number"),
    "expired card": (card_body(card={"expiry_year": 2024}), "card.expiry_year"),
    "month thirteen": (card_body(card={"expiry_month": 13}), "card.expiry_month"),
    "bad code": (card_body(card={"cvv": "12"}), "card.cvv"),
    "bad VPA": (upi_body(upi={"flow": "UPI_FLOW_COLLECT", "payer_vpa": "nobody"}), "upi.payer_vpa"),
    "collect without a VPA": (upi_body(upi={"flow": "UPI_FLOW_COLLECT"}), "upi"),
    "UPI in dollars": (upi_body(amount={"amount_minor": 100, "currency": "USD"}), "amount.currency"),
    "bad country": (card_body(customer_country="India"), "customer_country"),
    "a card number in words": (card_body(description=f"card {PAN}"), "description"),
    "a card number as reference": (card_body(reference=PAN), "reference"),
    "long description": (card_body(description="x" * 81), "description"),
}


def nothing_leaks(response: httpx.Response) -> None:
    """No card data, no traceback, no header of the inside."""
    text = response.text
    assert "4111" not in text
    assert '"123"' not in text
    assert "Traceback" not in text
    assert 'File "' not in text
    assert not [name for name in response.headers if name.startswith(("grpc-", "x-envoy", "x-florin"))]


@pytest.mark.parametrize("wrong", BAD_BODIES)
def test_bad_bodies(shop: Merchant, wrong: str) -> None:
    body, field = BAD_BODIES[wrong]

    refused = create(shop, body)

    assert refused.status_code == 400, refused.text
    reason(refused)
    assert field in fields(refused), refused.text
    nothing_leaks(refused)


@pytest.mark.parametrize(("content", "code"), [
    (b"{", 400),
    (b"", 400),
    (b"[]", 400),
    (b'"text"', 400),
    (b"null", 400),
    (b'{"amount": {"amount_minor": 1, "amount_minor": 2, "currency": "INR"}}', 400),
    (b"[" * 2000 + b"]" * 2000, 400),
    (b'{"reference": "\xff"}', 400),
    (b'{"description": "' + b"x" * 70_000 + b'"}', 413),
])  # fmt: skip
def test_bad_json(shop: Merchant, content: bytes, code: int) -> None:
    refused = shop.http.post("/v1/payments", content=content, headers={"content-type": "application/json"})

    assert refused.status_code == code, refused.text
    reason(refused)
    nothing_leaks(refused)


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
def test_other_media_types(shop: Merchant, kind: str) -> None:
    content = json.dumps(card_body()).encode()

    refused = shop.http.post("/v1/payments", content=content, headers={"content-type": kind})

    assert refused.status_code == 415
    reason(refused)


@pytest.mark.parametrize("wrong", [
    "no token", "not a token", "another scheme", "forged",
    "expired and forged", "another algorithm", "altered", "alg none",
])  # fmt: skip
def test_bad_tokens(shop: Merchant, wrong: str) -> None:
    token = bad_tokens(shop)[wrong]

    refused = shop.http.post("/v1/payments", json=card_body(), headers={"authorization": token})

    assert refused.status_code == 401, refused.text
    reason(refused)
    nothing_leaks(refused)


def test_a_token_that_may_only_read(gateway: Runner) -> None:
    with Merchant(gateway, "read-only-client") as reader:
        refused = create(reader, card_body())
        allowed = reader.http.get("/v1/payments")

    assert (refused.status_code, reason(refused)) == (403, "INSUFFICIENT_SCOPE")
    assert allowed.status_code == 200


@pytest.mark.parametrize(("method", "path", "code"), [
    ("GET", "/v1/nothing", 404),
    ("GET", "/", 404),
    ("POST", "/florin.payments.v1.PaymentService/CreatePayment", 404),
    ("POST", "/florin.tokenization.v1.TokenizationService/Detokenize", 404),
    ("POST", "/grpc.health.v1.Health/Check", 404),
    ("DELETE", "/v1/payments", 405),
    ("PUT", f"/v1/payments/{NOBODY}", 405),
    ("GET", f"/v1/payments/{NOBODY}/capture", 405),
    ("GET", f"/v1/payments/{NOBODY}", 404),
    ("GET", "/v1/payments/pay_1", 400),
    ("GET", "/v1/payments/..%2f..%2fadmin", 400),
    ("GET", "/v1/payments?page_size=-1", 400),
    ("GET", "/v1/payments?page_size=many", 400),
    ("GET", "/v1/payments?pagesize=1", 400),
    ("GET", "/v1/payments?page_token=abc", 400),
    ("GET", "/v1/payments?status=PAID", 400),
    ("GET", "/v1/payments?reference=%ff", 400),
    ("GET", "/v1/payments/%ff", 400),
    ("POST", "/v1/upi/callbacks/%ff", 400),
])  # fmt: skip
def test_paths_methods_and_queries(shop: Merchant, method: str, path: str, code: int) -> None:
    refused = shop.http.request(method, path)

    assert refused.status_code == code, refused.text
    reason(refused)
    nothing_leaks(refused)


@pytest.mark.parametrize("field", ["description", "request_id"])
def test_a_nul_is_taken_for_an_attack(shop: Merchant, field: str) -> None:
    refused = create(shop, card_body(**{field: "a\0b"}))

    assert (refused.status_code, reason(refused)) == (403, "REQUEST_BLOCKED")
    nothing_leaks(refused)


def test_headers_of_the_inside_are_not_believed(shop: Merchant, other_shop: Merchant) -> None:
    payment_id = create(shop, card_body()).json()["payment_id"]
    inside = {
        "x-florin-tenant": "mer_demo",
        "x-florin-caller": "spiffe://florin.internal/edge",
        "x-florin-scopes": "payments.read",
    }

    refused = other_shop.http.get(f"/v1/payments/{payment_id}", headers=inside)

    assert refused.status_code == 404


@pytest.mark.parametrize("key", ["k" * 256, '"', '""', PAN])
def test_bad_keys(shop: Merchant, key: str) -> None:
    refused = create(shop, card_body(), key)

    assert (refused.status_code, fields(refused)) == (400, {"idempotency-key"})


@pytest.mark.parametrize(("path", "kind"), [("/openapi.json", "application/json"), ("/healthz", "application/json")])
def test_what_needs_no_token(gateway: Runner, shop: Merchant, path: str, kind: str) -> None:
    answer = shop.http.get(path, headers={"authorization": ""})

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(kind)
