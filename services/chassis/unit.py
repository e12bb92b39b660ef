"""The unit of work: one transaction, what caused it, and what is said in it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from google.protobuf.message import Message
from psycopg.types.json import Jsonb

from services.chassis import observe
from services.chassis.envelope import Record, enclosed
from services.chassis.ids import derived_id

if TYPE_CHECKING:
    from services.chassis.database import Connection

_SAY = """
    insert into outbox (event_id, topic, key, value, headers)
    values (%(event_id)s, %(topic)s, %(key)s, %(value)s, %(headers)s)
"""


@dataclass(slots=True)
class Unit:
    """One transaction. Handlers and servicers read and write through its connection and say facts through `emit`.

    `now` is the one time that everything in the unit agrees on.
    """

    connection: "Connection"
    service: str
    cause: str
    speaker: str
    now: datetime
    said: list[Record] = field(default_factory=list)
    _count: dict[tuple[str, str], int] = field(default_factory=dict)

    def emit(self, *facts: Message) -> None:
        """Say facts. They are stored with the unit and published once it is committed."""
        for fact in facts:
            position = self._count.get((self.cause, self.speaker), 0)
            self._count[self.cause, self.speaker] = position + 1
            event_id = derived_id(self.cause, self.speaker, position)
            self.said.append(enclosed(fact, event_id, self.service, self.now.isoformat(), observe.carrier()))

    def caused_by(self, cause: str, speaker: str) -> None:
        """Go on with the next cause within the same transaction: ids of what is said now derive from it."""
        self.cause, self.speaker = cause, speaker

    def notify(self, channel: str, key: str) -> None:
        """Wake whoever listens on `channel` for `key`, in any replica, once the unit is committed."""
        self.connection.execute("select pg_notify(%s, %s)", (channel, key))

    def say(self, record: Record) -> None:
        """Say a record as it is; for dead letters, whose facts may not be well-formed."""
        self.said.append(record)

    def keys(self) -> set[str]:
        """Return the keys of what is said, to publish them."""
        return {record.key for record in self.said}

    def write(self) -> None:
        """Store what is said. Called by the chassis as the last thing before the commit."""
        if not self.said:
            return
        with self.connection.cursor() as cursor:
            cursor.executemany(_SAY, [_row(record) for record in self.said])


def _row(record: Record) -> dict[str, object]:
    return {
        "event_id": record.headers["ce_id"],
        "topic": record.topic,
        "key": record.key,
        "value": record.value,
        "headers": Jsonb(record.headers),
    }
