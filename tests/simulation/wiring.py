"""Every service's own settings and wiring, and what the services can do by now."""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any

from florin.card_router.v1.card_router_events_pb2 import AcquirerVoidRequested
from florin.upi.v1.upi_events_pb2 import UpiRefundRequested
from ulid import ULID

from services.card_router.handlers import CardRouterHandlers
from services.chassis.declare import heard_by
from services.upi.handlers import UpiHandlers
from tests.simulation.postgres import SERVICES

ACQUIRER_TIMEOUT_S = 4.0
INTENT_TTL_S = 90.0
AUTHORIZATION_VALID_S = 120.0


def voids() -> bool:
    """Whether the card router carries voids and refunds to acquirers."""
    return AcquirerVoidRequested in {fact for _, _, fact in heard_by(CardRouterHandlers)}


def upi_refunds() -> bool:
    """Whether the UPI orchestrator refunds and cancels."""
    return UpiRefundRequested in {fact for _, _, fact in heard_by(UpiHandlers)}


class Ulids:
    """Makes ULIDs from the seed; those of something named are the library's."""

    from_uuid = ULID.from_uuid

    def __init__(self, fresh: Callable[[], str]) -> None:
        self._fresh = fresh

    def __call__(self) -> str:
        return self._fresh()


@cache
def composed() -> dict[str, tuple[Any, Callable[..., Any]]]:
    """Every service's own settings and wiring."""
    names = ("payments", "orchestrator", "tokenization", "risk", "resolver", "card_router", "upi")
    modules = {name: importlib.import_module(f"services.{name}.__main__") for name in names}
    more: dict[str, dict[str, Any]] = {
        "card_router": {
            "acquirers": {"meridian": "meridian:1", "lakeside": "lakeside:1"},
            "acquirer_timeout_s": ACQUIRER_TIMEOUT_S,
        },
        "orchestrator": {"authorization_valid_s": AUTHORIZATION_VALID_S if voids() else 7 * 86400.0},
        "upi": {"psp_url": "https://psp", "intent_ttl_s": INTENT_TTL_S, "sweep_s": 3.0},
    }
    composed = {}
    for name, module in modules.items():
        kind = next(
            (
                value
                for value in vars(module).values()
                if isinstance(value, type)
                and value.__name__.endswith("Settings")
                and value.__module__ == module.__name__
            ),
            module.Settings,
        )
        database = {"database": name} if name in SERVICES else {}
        settings = kind(listen="unix:/none", kafka="kafka", redis="redis://none", **database, **more.get(name, {}))
        composed[name] = (settings, module.compose)
    return composed
