"""One call to an rpc: who makes it, for whom, and how long it may take; and the gate every call passes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from services.chassis.contract import MethodContract
from services.chassis.errors import InvalidArgument, PermissionDenied, Unauthenticated

CALLER = "x-florin-caller"
TENANT = "x-florin-tenant"
TERMINAL = "x-florin-terminal"
SCOPES = "x-florin-scopes"
TRUST_DOMAIN = "spiffe://florin.internal/"
EDGE = "edge"

# Kept back from a caller's time, so that a service's own timeouts can still be told before the caller stops listening.
MARGIN = 0.05
MARGIN_MOST_S = 0.5


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `caller` is the service that makes it; `tenant` whom it is made for.

    The tenant is what the edge says, or a service that the contract lets speak on behalf of others; else empty.
    `terminal` is the tenant's terminal that makes it, by its certificate; empty where no terminal does.
    `deadline` is on time.monotonic()'s scale, in seconds.
    """

    method: MethodContract
    caller: str
    tenant: str
    terminal: str
    request_key: str
    deadline: float
    metadata: Mapping[str, str]

    @property
    def on_behalf_of(self) -> str:
        """Who chose the request's key: keys of two of them never meet."""
        return "/".join(part for part in (self.tenant or self.caller, self.terminal) if part)

    def remaining_s(self) -> float:
        """Return how many seconds are left, never less than zero."""
        return max(0.0, self.deadline - time.monotonic())


def admitted(method: MethodContract, metadata: Mapping[str, str], remaining_s: float | None, request_id: str) -> Call:
    """Let a call in as the contract says, or refuse it.

    `remaining_s` is the caller's own deadline; the contract's is shorter or wins. Raises Unauthenticated and
    PermissionDenied.
    """
    caller = metadata.get(CALLER, "").removeprefix(TRUST_DOMAIN)
    tenant = metadata.get(TENANT, "") if caller == EDGE or caller in method.on_behalf else ""
    terminal = metadata.get(TERMINAL, "") if caller == EDGE else ""
    if not (method.terminals if terminal else caller in method.callers):
        raise PermissionDenied("CALLER_NOT_ALLOWED", f"this caller may not call {method.path}")
    if caller == EDGE and not method.signed_by_sender:
        _check_tenant(method, tenant, None if terminal else metadata.get(SCOPES, ""))
    if caller in method.on_behalf:
        _check_tenant(method, tenant, None)
    return Call(
        method=method,
        caller=caller,
        tenant=tenant,
        terminal=terminal,
        request_key=_request_key(metadata.get("idempotency-key"), request_id),
        deadline=time.monotonic() + _time_given(method.deadline_ms / 1000, remaining_s),
        metadata=metadata,
    )


def _request_key(header: str | None, request_id: str) -> str:
    """Return the key that makes a repeat safe: the header's, bare or as a quoted string, or else the request's own."""
    if header is None:
        return request_id
    key = header.strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not key or '"' in key:
        raise InvalidArgument(
            "INVALID_FIELD",
            "the idempotency key is no key",
            fields={"idempotency-key": "a string of 1 to 255 characters, bare or in quotes"},
        )
    return key


def _check_tenant(method: MethodContract, tenant: str, scopes: str | None) -> None:
    """Check that a call is made for somebody and, where `scopes` are told, that they let it be made."""
    if not tenant:
        raise Unauthenticated("TENANT_UNKNOWN", "the call names nobody it is made for")
    if scopes is not None and method.scope not in scopes.split():
        raise PermissionDenied("INSUFFICIENT_SCOPE", f"the scope {method.scope} is needed")


def _time_given(contract_s: float, caller_s: float | None) -> float:
    given = min(contract_s, caller_s) if caller_s is not None else contract_s
    return given - min(MARGIN * given, MARGIN_MOST_S)
