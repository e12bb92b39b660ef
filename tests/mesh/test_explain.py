"""What the contracts say of a call, in words."""

import pytest

from mesh.explain import UnknownMethodError, explain, find
from mesh.topology import IDENTITIES, TERMINAL
from tests.mesh.world import contracts

VAULT = "florin.tokenization.v1.TokenizationService"


@pytest.mark.parametrize(
    ("caller", "method", "allowed", "retried"),
    [
        ("card_router", "Detokenize", True, False),
        ("payments", "Detokenize", False, False),
        ("payments", "TokenizationService.GetSealingKey", True, True),
        ("edge", "PaymentService.CreatePayment", True, True),
        ("operator", "CreatePayment", False, True),
    ],
)
def test_a_call_is_explained(caller: str, method: str, allowed: bool, retried: bool) -> None:
    told = explain(contracts(), caller, method)
    assert told.allowed is allowed
    assert caller in told.rule
    assert ("and not" in told.rule) is not allowed
    assert told.retries.startswith("none") is not retried


def test_every_verdict_is_the_contracts() -> None:
    for method in contracts().methods:
        allowed = {caller for caller in IDENTITIES if explain(contracts(), caller, method.name).allowed}
        assert allowed == method.callers
        assert explain(contracts(), TERMINAL, method.name).allowed is method.terminals


@pytest.mark.parametrize(
    "name", [f"{VAULT}.Detokenize", f"/{VAULT}/Detokenize", "TokenizationService/Detokenize", "Detokenize"]
)
def test_a_method_has_many_names(name: str) -> None:
    assert find(contracts(), name).name == f"{VAULT}.Detokenize"


@pytest.mark.parametrize(("name", "words"), [("tokenize", "no rpc is called"), ("Nothing", "there are")])
def test_a_name_that_is_none_is_refused(name: str, words: str) -> None:
    with pytest.raises(UnknownMethodError, match=words):
        find(contracts(), name)
