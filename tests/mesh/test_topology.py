"""What is read from the contracts, and the holes that stop the compilation."""

from dataclasses import replace
from typing import Any

import pytest
from florin.options.v1 import options_pb2

from mesh.topology import ContractError, Method, checked
from tests.mesh.policies import access, changed, without
from tests.mesh.world import contracts


def method(name: str) -> Method:
    return next(one for one in contracts().methods if one.rpc == name)


def test_the_policy_of_an_rpc_is_what_its_contract_says() -> None:
    assert method("CapturePayment") == Method(
        service="florin.payments.v1.PaymentService",
        rpc="CapturePayment",
        owner="payments",
        callers=frozenset({"edge", "terminals"}),
        deadline_ms=30_000,
        scope="payments.write",
        on_behalf=frozenset({"terminals"}),
        repeatable=True,
        keyed=True,
        bindings=method("CapturePayment").bindings,
    )
    (binding,) = method("CapturePayment").bindings
    assert (binding.verb, binding.template) == ("POST", "/v1/payments/{payment_id}/capture")
    assert (binding.body, binding.response_body) == ("*", "payment")


def test_what_the_contract_leaves_open_is_closed() -> None:
    vault = method("Detokenize")
    assert (vault.callers, vault.repeatable, vault.bindings) == (frozenset({"card_router"}), False, ())
    assert method("ReceiveCallback").signed_by_sender
    assert not method("GetPayment").signed_by_sender


def test_every_rpc_says_who_may_call_it_and_how_long_it_may_take() -> None:
    assert all(one.identities and one.deadline_ms for one in contracts().methods)


def test_an_rpc_for_terminals_is_called_by_the_edge_and_is_not_open_to_tokens() -> None:
    opened = changed("GetDecision", access(terminals=True))
    (risk,) = (method for method in opened.for_terminals() if method.owner == "risk")
    assert (risk.rpc, risk.callers, risk.identities) == ("GetDecision", frozenset(), frozenset({"edge"}))
    assert risk in opened.callable_by("edge")
    assert risk not in opened.public()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (without(options_pb2.access), "has no access option"),
        (without(options_pb2.deadline_ms), "has no deadline_ms"),
        (access(callers=["edge", "paymnets"]), "names unknown callers ['paymnets']"),
        (access(callers=["risk"], on_behalf=["upi"]), "lets ['upi'] speak for others, who may not call"),
        (access(callers=["edge"]), "has neither a scope nor signed_by_sender"),
        (access(callers=["payments"]), "has a REST form, but is not open to the edge"),
    ],
)
def test_a_contract_with_a_hole_is_refused_by_the_rpc_s_name(change: Any, complaint: str) -> None:
    with pytest.raises(ContractError, match=r"florin\.payments\.v1\.PaymentService\.CreatePayment") as raised:
        _ = changed("CreatePayment", change).methods
    assert complaint in str(raised.value)


def test_a_package_that_no_service_owns_is_refused() -> None:
    with pytest.raises(ContractError, match=r"RiskService\.GetDecision belongs to no known service"):
        checked(replace(method("GetDecision"), owner="nobody"))
