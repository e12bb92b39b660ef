"""A role and a database per service."""

from collections.abc import Callable

import psycopg
from psycopg import sql

from mesh.local.estate import DATABASES


def provision(admin_dsn: str, password_of: Callable[[str], str]) -> None:
    """Make the roles, with the passwords recorded for them, and the databases that only their own role may enter."""
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        for name in DATABASES:
            _database(connection, sql.Identifier(name), name, password_of(name))


def _database(connection: psycopg.Connection, identifier: sql.Identifier, name: str, password: str) -> None:
    """Make one role and its database."""
    run = connection.execute
    if not run("SELECT FROM pg_roles WHERE rolname = %s", [name]).rowcount:
        run(sql.SQL("CREATE ROLE {} LOGIN").format(identifier))
    run(sql.SQL("ALTER ROLE {} PASSWORD {}").format(identifier, sql.Literal(password)))
    if not run("SELECT FROM pg_database WHERE datname = %s", [name]).rowcount:
        # The file copy of a small template waits for a checkpoint; the log's way does not.
        run(sql.SQL("CREATE DATABASE {0} OWNER {0} STRATEGY wal_log").format(identifier))
    run(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(identifier))
