"""PostgreSQL: a service's own database, its migrations, and the unit of work in which everything is committed."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool
from yoyo import get_backend, read_migrations

from services.chassis.clock import Clock, system_clock
from services.chassis.unit import Unit

OWN_MIGRATIONS = Path(__file__).with_name("migrations")
POOL_SIZE = 12

Connection = psycopg.Connection[DictRow]


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(self, dsn: str, service: str, clock: Clock = system_clock) -> None:
        self.dsn = dsn
        self._service = service
        self._clock = clock
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            dsn,
            connection_class=psycopg.Connection[DictRow],
            kwargs={"row_factory": dict_row},
            min_size=2,
            max_size=POOL_SIZE,
            open=False,
        )

    def open(self) -> None:
        """Bring the schema up to date and connect. Raises psycopg.Error when the database cannot be reached."""
        migrate(self.dsn, self._service)
        self._pool.open(wait=True)

    def close(self) -> None:
        """Give every connection back to the server."""
        self._pool.close()

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection; what is done on it commits when the block ends and rolls back when it raises."""
        with self._pool.connection() as connection:
            yield connection

    @contextlib.contextmanager
    def unit(self, cause: str, speaker: str) -> Iterator[Unit]:
        """Open a unit of work: state, claims and what is said commit together or not at all.

        `cause` is the id of what caused it, `speaker` the name that derived ids are made with.
        """
        with self.connection() as connection:
            unit = Unit(connection=connection, service=self._service, cause=cause, speaker=speaker, now=self._clock())
            yield unit
            unit.write()


def migrate(dsn: str, service: str) -> None:
    """Apply the chassis' migrations and those in services/<service>/migrations that are not applied yet."""
    own = Path(__file__).parents[1] / service / "migrations"
    backend = get_backend(urlunsplit(urlsplit(dsn)._replace(scheme="postgresql+psycopg")))
    try:
        with backend.lock():
            for folder in (OWN_MIGRATIONS, own):
                migrations = read_migrations(str(folder))
                backend.apply_migrations(backend.to_apply(migrations))
    finally:
        backend.connection.close()
