"""From the outbox to Kafka: in order per key, removed only when acknowledged, swept up after a crash.

The outbox holds what is not acknowledged yet, so publishing a key is: read its rows in order, send them, remove them
when the broker has them. The sweeper does the same for the keys of rows that have grown old.
"""

import threading
from collections.abc import Callable, Collection
from typing import Protocol

from services.chassis import observe
from services.chassis.database import Database
from services.chassis.envelope import Record

SWEEP_AFTER_S = 2.0
REAP_EVERY_S = 0.02

_BY_KEY = """
    select seq, topic, key, value, headers from outbox where key = any(%s) order by seq
"""
_OLD_KEYS = """
    select distinct key from outbox where said_at < now() - make_interval(secs => %s) limit 1000
"""


class Sender(Protocol):
    """Sends a record and tells, later and from any thread, whether the broker has it."""

    def send(self, record: Record, acknowledged: Callable[[bool], None]) -> None:
        """Hand a record over without waiting."""


class Outbox:
    """Publishes what units have said. Safe to call from any thread."""

    def __init__(self, database: Database, sender: Sender, sweep_after_s: float = SWEEP_AFTER_S) -> None:
        self._database = database
        self._sender = sender
        self._sweep_after_s = sweep_after_s
        self._lock = threading.RLock()
        self._sending: set[int] = set()
        self._acknowledged: set[int] = set()
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="outbox", daemon=True)

    def start(self) -> None:
        """Publish what an earlier run left behind, and go on removing and sweeping in the background."""
        self.sweep(0)
        self._keeper.start()

    def stop(self) -> None:
        """Stop the background work; what is acknowledged by then is removed."""
        self._stop.set()
        if self._keeper.is_alive():
            self._keeper.join()
        self.reap()

    def publish(self, keys: Collection[str]) -> None:
        """Send everything that is said and not acknowledged under `keys`, in order. Call it after the commit.

        Never raises: what is said is committed, and what cannot be sent now the sweeper sends later.
        """
        if not keys:
            return
        try:
            self._publish(keys)
        except Exception as error:  # noqa: BLE001 - the database or the producer may be away for a while
            observe.log().warning("outbox waits", error=type(error).__name__)

    def _publish(self, keys: Collection[str]) -> None:
        # One thread at a time, from the reading on: else a later fact of a key could overtake an earlier one that
        # another thread has read, and one that is acknowledged meanwhile would be sent again.
        with self._lock, self._database.connection() as connection:
            for row in connection.execute(_BY_KEY, (list(keys),)).fetchall():
                if row["seq"] not in self._sending:
                    record = Record(topic=row["topic"], key=row["key"], value=row["value"], headers=row["headers"])
                    self._send(row["seq"], record)

    def _send(self, seq: int, record: Record) -> None:
        self._sending.add(seq)
        try:
            self._sender.send(record, self._settle(seq))
        except Exception:
            # It is not taken; nor may what comes after it be sent now, which would overtake it.
            self._sending.discard(seq)
            raise

    def sweep(self, older_than_s: float) -> None:
        """Publish the keys whose oldest row has waited longer than this."""
        with self._database.connection() as connection:
            rows = connection.execute(_OLD_KEYS, (older_than_s,)).fetchall()
        self.publish([row["key"] for row in rows])

    def reap(self) -> None:
        """Remove the rows that the broker has acknowledged."""
        with self._lock:
            done = set(self._acknowledged)
        if not done:
            return
        with self._database.connection() as connection:
            connection.execute("delete from outbox where seq = any(%s)", (list(done),))
        with self._lock:
            self._sending -= done
            self._acknowledged -= done

    def _settle(self, seq: int) -> Callable[[bool], None]:
        def settle(delivered: bool) -> None:
            with self._lock:
                if delivered:
                    self._acknowledged.add(seq)
                else:
                    self._sending.discard(seq)

        return settle

    def _keep(self) -> None:
        rounds = int(self._sweep_after_s / REAP_EVERY_S)
        count = 0
        while not self._stop.wait(REAP_EVERY_S):
            count += 1
            self._tidy(sweep=count % rounds == 0)

    def _tidy(self, *, sweep: bool) -> None:
        try:
            self.reap()
            if sweep:
                self.sweep(self._sweep_after_s)
        except Exception as error:  # noqa: BLE001 - the database may be away for a while; the rows stay where they are
            observe.log().warning("outbox waits", error=type(error).__name__)
