"""Notices when an authorization has held for as long as it may, and says so."""

import asyncio
from datetime import timedelta

from florin.payments.v1.payment_events_pb2 import AuthorizationLapsed

from services.chassis import Database, Outbox, new_id
from services.orchestrator import store

AT_ONCE = 100
# What comes at a bad moment, such as during a capture, is said again after this.
AGAIN_AFTER = timedelta(minutes=1)


class Lapses:
    """Says what has lapsed."""

    def __init__(self, database: Database, outbox: Outbox) -> None:
        self._database = database
        self._outbox = outbox

    async def tell_due(self) -> int:
        """Say every lapse that is due, and return how many there were."""
        return await asyncio.to_thread(self._tell_due)

    def _tell_due(self) -> int:
        with self._database.unit(new_id("lapses"), "orchestrator.lapses") as unit:
            due = store.lapsed(unit, AGAIN_AFTER, AT_ONCE)
            unit.emit(*(AuthorizationLapsed(payment_id=payment_id) for payment_id in due))
            keys = unit.keys()
        self._outbox.publish(keys)
        return len(due)
