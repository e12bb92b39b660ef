"""The OpenAPI document: valid, the same as the contracts, the same every time."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from mesh.contracts import openapi
from mesh.topology import EDGE
from tests.mesh.world import GENERATED, contracts

DOCUMENT: dict[str, Any] = json.loads((GENERATED / "openapi.json").read_text())


def test_a_validator_accepts_it() -> None:
    validate(DOCUMENT, cls=OpenAPIV31SpecValidator)


def test_it_holds_every_public_rpc_and_no_other() -> None:
    told = {operation["operationId"] for path in DOCUMENT["paths"].values() for operation in path.values()}
    assert told == {method.rpc for method in contracts().methods if EDGE in method.callers and method.bindings}


def test_it_is_the_same_every_time() -> None:
    image = (GENERATED / "florin.binpb").read_bytes()
    assert openapi.document(image) == openapi.document(image)


def test_scopes_are_the_contract_s() -> None:
    create = DOCUMENT["paths"]["/v1/payments"]["post"]
    assert create["security"] == [{"oauth2": ["payments.write"]}]
    assert DOCUMENT["paths"]["/v1/upi/callbacks/{psp}"]["post"]["security"] == []
    assert {parameter["name"] for parameter in create["parameters"]} == {"Idempotency-Key", "Prefer"}


def test_path_fields_are_no_part_of_the_body() -> None:
    capture = DOCUMENT["paths"]["/v1/payments/{payment_id}/capture"]["post"]
    schema = capture["requestBody"]["content"]["application/json"]["schema"]
    assert "payment_id" not in schema["properties"]
    assert [one["name"] for one in capture["parameters"] if one["in"] == "path"] == ["payment_id"]


def accepts(name: str, value: Any) -> bool:
    resource: Resource[Any] = Resource.from_contents(DOCUMENT, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:florin", resource)
    schema = {"$ref": f"urn:florin#/components/schemas/{name}"}
    return bool(Draft202012Validator(schema, registry=registry).is_valid(value))


MONEY = {"amount_minor": "49900", "currency": "INR"}
CARD = {"number": "4111111111111111", "expiry_month": 12, "expiry_year": 2030}
UPI = {"flow": "UPI_FLOW_QR"}


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("Money", MONEY, True),
        ("Money", MONEY | {"amount_minor": 49900}, True),
        ("Money", MONEY | {"amount_minor": 0}, False),
        ("Money", MONEY | {"amount_minor": 10**12}, False),
        ("Money", MONEY | {"amount_minor": "1.5"}, False),
        ("Money", MONEY | {"currency": "inr"}, False),
        ("Money", {"currency": "INR"}, False),
        ("Card", CARD, True),
        ("Card", CARD | {"expiry_month": 13}, False),
        ("Card", CARD | {"number": "4111"}, False),
        ("UpiInstrument", UPI, True),
        ("UpiInstrument", {"flow": "UPI_FLOW_UNSPECIFIED"}, False),
        ("UpiInstrument", UPI | {"payer_vpa": ""}, True),
        ("UpiInstrument", UPI | {"payer_vpa": "a"}, False),
        ("CreatePaymentRequest", {"amount": MONEY, "card": CARD}, True),
        ("CreatePaymentRequest", {"amount": MONEY, "card": CARD, "upi": UPI}, False),
        ("CreatePaymentRequest", {"amount": MONEY}, False),
        ("CreatePaymentRequest", {"card": CARD}, False),
        ("CreatePaymentRequest", {"amount": MONEY, "card": CARD, "refrence": "x"}, False),
        ("CreatePaymentRequest", {"amount": MONEY, "card": CARD | {"nubmer": "x"}}, False),
        ("CardSummary", {"last4": "1111", "a field to come": 1}, True),
        ("TimelineEntry", {"details": {"rrn": "632812000123"}}, True),
        ("TimelineEntry", {"details": {"rrn": 1}}, False),
    ],
)
def test_rules_of_the_contract_are_constraints(name: str, value: Any, accepted: bool) -> None:
    assert accepts(name, value) is accepted


def test_every_field_is_described_in_the_contract_s_words() -> None:
    nameless = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, told in schema.get("properties", {}).items()
        if "description" not in told and not field.startswith("@")
    ]
    assert nameless == []


def test_the_served_document_names_the_real_token_endpoint() -> None:
    served = json.loads(openapi.served(json.dumps(DOCUMENT), "https://tokens.example/oauth2/token"))
    assert "tokens.example" in json.dumps(served["components"]["securitySchemes"])
    assert re.sub(r"https://[^\"]*/oauth2/token", "", json.dumps(served)) == re.sub(
        r"https://[^\"]*/oauth2/token", "", json.dumps(DOCUMENT)
    )
