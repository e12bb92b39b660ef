"""Whether one identity may call one rpc, and under what terms: the contracts' answer, in words."""

from dataclasses import dataclass

from mesh.resources.routing import retries
from mesh.topology import TERMINAL, Contracts, Method


class UnknownMethodError(LookupError):
    """No rpc is called so, or several are; the message names what there is."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict on a call, the rule that gives it, and the terms on which the mesh lets it through."""

    caller: str
    method: Method
    allowed: bool
    rule: str
    deadline: str
    retries: str
    scope: str


def explain(contracts: Contracts, caller: str, name: str) -> Explanation:
    """Return what the contracts say of a call by an identity, or by a `terminal`.

    `name` is the rpc's full name, its path, or as much as is unique. Raises UnknownMethodError.
    """
    method = find(contracts, name)
    allowed = caller in method.callers or (caller == TERMINAL and method.terminals)
    return Explanation(
        caller=caller,
        method=method,
        allowed=allowed,
        rule=_rule(method, caller, allowed=allowed),
        deadline=f"{method.deadline_ms} ms, or the caller's own where that is shorter",
        retries=_retries(method),
        scope=_credential(method, caller),
    )


def find(contracts: Contracts, name: str) -> Method:
    """Return the one rpc that a name stands for; of several services that answer by one contract, the first one's.

    Raises UnknownMethodError.
    """
    dotted = name.strip("/").replace("/", ".")
    exact = [method for method in contracts.methods if method.name == dotted]
    found = exact or [method for method in contracts.methods if f".{method.name}".endswith(f".{dotted}")]
    if len({method.name for method in found}) == 1:
        return found[0]
    names = ", ".join(sorted(method.name for method in found or contracts.methods))
    raise UnknownMethodError(f"{'several rpcs are' if found else 'no rpc is'} called {name}; there are {names}")


def _rule(method: Method, caller: str, *, allowed: bool) -> str:
    named = (*sorted(method.callers), *(["terminals"] if method.terminals else []))
    verdict = f"names {caller}" if allowed else f"names {', '.join(named)}, and not {caller}"
    return f"the access option of {method.name} {verdict}"


def _credential(method: Method, caller: str) -> str:
    if caller == TERMINAL:
        return "none: the terminal's certificate stands for it"
    return method.scope or ("signed by its sender" if method.signed_by_sender else "none")


def _retries(method: Method) -> str:
    policy = retries(method)
    if policy is None:
        return "none: the contract does not call it idempotent"
    condition = "; only with an Idempotency-Key" if method.keyed else ""
    return f"up to {policy.num_retries}, on {policy.retry_on}, within a budget of 20 % of the requests{condition}"
