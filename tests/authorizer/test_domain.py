"""Who is let in, and each reason why not."""

from typing import Any

import pytest
from florin.merchants.v1.merchant_service_pb2 import ApiClient

from services.authorizer.domain import Client, admit, check_scope, client_of
from services.authorizer.rules import rules
from services.chassis import PermissionDenied, Refusal
from services.chassis.contract import methods

RULES = rules(methods().values())
CREATE = RULES["florin.payments.v1.PaymentService.CreatePayment", "0"]
COGNITO = {"client_id": "c1", "token_use": "access", "scope": "florin/payments.read florin/payments.write"}
RFC_9068 = {"azp": "c1", "aud": ["florin", "other"], "scope": "payments.read"}
BOTH = frozenset({"payments.read", "payments.write"})


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        (COGNITO, BOTH),
        (COGNITO | {"scope": "florin/payments.read other/payments.write"}, {"payments.read"}),
        (RFC_9068, {"payments.read"}),
        (RFC_9068 | {"aud": "florin", "client_id": "c1"}, {"payments.read"}),
        (RFC_9068 | {"scope": ""}, set()),
    ],
)
def test_a_token_for_this_api_names_a_client_and_its_scopes(claims: dict[str, Any], scopes: set[str]) -> None:
    assert client_of(claims, "florin") == Client("c1", frozenset(scopes))


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        (COGNITO | {"token_use": "id"}, "TOKEN_INVALID"),
        (COGNITO | {"token_use": None}, "TOKEN_INVALID"),
        (COGNITO | {"scope": "other/payments.write"}, "TOKEN_AUDIENCE"),
        (COGNITO | {"scope": "payments.write"}, "TOKEN_AUDIENCE"),
        (COGNITO | {"scope": "florinx/payments.write"}, "TOKEN_AUDIENCE"),
        (COGNITO | {"scope": ""}, "TOKEN_AUDIENCE"),
        (COGNITO | {"aud": "other"}, "TOKEN_AUDIENCE"),
        (COGNITO | {"aud": []}, "TOKEN_AUDIENCE"),
        (RFC_9068 | {"aud": "floring"}, "TOKEN_AUDIENCE"),
        (COGNITO | {"client_id": ""}, "TOKEN_INVALID"),
        (COGNITO | {"client_id": 7}, "TOKEN_INVALID"),
        ({"scope": "florin/payments.read"}, "TOKEN_INVALID"),
        ({}, "TOKEN_AUDIENCE"),
    ],
)
def test_any_other_token_is_refused(claims: dict[str, Any], reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        client_of(claims, "florin")
    assert refused.value.reason == reason


@pytest.mark.parametrize("scopes", [set(), {"payments.read"}, {"payments"}, {"payments.write.all"}])
def test_the_contract_s_scope_is_needed(scopes: set[str]) -> None:
    check_scope(Client("c1", BOTH), CREATE)
    with pytest.raises(PermissionDenied) as refused:
        check_scope(Client("c1", frozenset(scopes)), CREATE)
    assert (refused.value.reason, refused.value.metadata) == ("INSUFFICIENT_SCOPE", {"scope": "payments.write"})


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (None, "CLIENT_UNKNOWN"),
        (ApiClient(client_id="c1", active=True), "CLIENT_UNKNOWN"),
        (ApiClient(client_id="c1", merchant_id="mer_0001"), "CLIENT_INACTIVE"),
    ],
)
def test_a_client_that_acts_for_nobody_stays_out(known: ApiClient | None, reason: str) -> None:
    with pytest.raises(PermissionDenied) as refused:
        admit(Client("c1", BOTH), known)
    assert refused.value.reason == reason


def test_one_that_acts_for_a_merchant_comes_in() -> None:
    known = ApiClient(client_id="c1", merchant_id="mer_0001", active=True)
    assert admit(Client("c1", BOTH), known).tenant == "mer_0001"


def test_every_rpc_that_the_edge_opens_by_token_has_a_rule_with_its_scope() -> None:
    opened = {(rule.rpc, rule.scope) for rule in RULES.values() if rule.scope}
    contracts = {
        (method.descriptor.full_name, method.scope)
        for method in methods().values()
        if "edge" in method.callers and not method.signed_by_sender
    }
    assert opened == contracts
