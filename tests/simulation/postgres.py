"""A PostgreSQL of the simulation's own, without any syncing to disk, and databases that break where the seed says."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from mesh.local.infra import POSTGRES_BIN, _unprivileged
from services.chassis.database import Connection, Database, migrate
from services.chassis.unit import Unit
from tests.kit.wait import eventually_passes

if TYPE_CHECKING:
    from tests.simulation.process import Process

SERVICES = ("payments", "orchestrator", "risk", "card_router", "upi")
_NAMES = (
    "select tablename from pg_tables where schemaname = 'public' and tablename not like '%yoyo%' order by tablename"
)
_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "jit": "off",
    "max_parallel_workers": "0",
    "shared_buffers": "64MB",
    "io_method": "sync",
}


@contextmanager
def postgres(folder: Path) -> Iterator[dict[str, str]]:
    """Run a server in a folder; yield the DSN of each service's database, migrated."""
    data = folder / "data"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        for made in (folder, data):
            shutil.chown(made, "nobody")
    as_nobody, quiet = _unprivileged(), {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    initdb = (POSTGRES_BIN / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "--locale=C.UTF-8")
    subprocess.run([*as_nobody, *map(str, initdb)], check=True, cwd=folder, **quiet)  # type: ignore[call-overload]
    options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
    command = [*as_nobody, str(POSTGRES_BIN / "postgres"), "-D", str(data), "-k", str(folder), *options]
    with subprocess.Popen(command, cwd=folder, **quiet) as server:  # type: ignore[call-overload]
        try:
            yield _databases(folder)
        finally:
            # Fast shutdown: it waits for no session.
            server.send_signal(signal.SIGINT)
            server.wait()
            shutil.rmtree(folder, ignore_errors=True)


def _databases(folder: Path) -> dict[str, str]:
    admin = f"postgresql://postgres@/postgres?host={folder}"
    eventually_passes(lambda: psycopg.connect(admin).close(), psycopg.OperationalError, within_s=20)
    dsns = {}
    with psycopg.connect(admin, autocommit=True) as connection:
        for service in SERVICES:
            connection.execute(f"create database {service}".encode())
            # yoyo reads a socket's folder as a parameter.
            dsns[service] = f"postgresql://postgres@/{service}?host={folder}"
            migrate(dsns[service], service)
    return dsns


class SimulatedConnection(psycopg.Connection[Any]):
    """A connection whose owner may die before each statement, and which breaks now and then."""

    owner: "Process | None" = None
    told: list[tuple[str, str]]

    def execute(self, query: Any, params: Any = None, **more: Any) -> Any:
        owner = self.owner
        if owner is not None:
            owner.step()
            if owner.world.faults.happens("database_away"):
                raise psycopg.OperationalError("the database is away")
            if isinstance(query, str) and query.startswith("select pg_notify"):
                self.told.append(params)
                return None
        return super().execute(query, params, **more)


class Server:
    """Every service's database, shared by all its lives and by one run after another."""

    def __init__(self, dsns: dict[str, str]) -> None:
        self.dsns = dsns
        self._idle: dict[str, list[SimulatedConnection]] = {service: [] for service in dsns}

    def reset(self) -> None:
        """Empty every table."""
        for service in self.dsns:
            with self.connected(service) as connection:
                names = ", ".join(row["tablename"] for row in connection.execute(_NAMES).fetchall())
                connection.execute(f"truncate {names} restart identity cascade")

    @contextmanager
    def connected(self, service: str) -> Iterator[SimulatedConnection]:
        """Lend a connection, and end its transaction."""
        idle = self._idle[service]
        connection = idle.pop() if idle else self._connect(service)
        try:
            yield connection
            connection.commit()
        except BaseException:
            connection.owner = None
            connection.rollback()
            raise
        finally:
            connection.owner = None
            idle.append(connection)

    def rows(self, service: str, query: str) -> list[dict[str, Any]]:
        with self.connected(service) as connection:
            rows: list[dict[str, Any]] = connection.execute(query).fetchall()
        return rows

    def close(self) -> None:
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
            idle.clear()

    def _connect(self, service: str) -> SimulatedConnection:
        return SimulatedConnection.connect(self.dsns[service], row_factory=dict_row)  # type: ignore[return-value]


class SimulatedDatabase(Database):
    """A service's database as one of its lives sees it."""

    def __init__(self, server: Server, process: "Process") -> None:
        self.dsn = server.dsns[process.name]
        self._server, self._process = server, process
        self._service, self._clock = process.name, process.world.clock

    def open(self) -> None:
        pass

    def close(self) -> None:
        pass

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        process, world = self._process, self._process.world
        process.step()
        if world.faults.happens("database_away"):
            raise psycopg.OperationalError("the database is away")
        with self._server.connected(self._service) as connection:
            connection.owner, connection.told = process, []
            yield connection
            process.step()
            told = connection.told
        for channel, key in told:
            world.ring(self._service, channel, key)
        process.step()
        if world.faults.happens("commit_unanswered"):
            raise psycopg.OperationalError("the connection was lost during the commit")

    @contextmanager
    def unit(self, cause: str, speaker: str) -> Iterator[Unit]:
        with super().unit(cause, speaker) as unit:
            yield unit
