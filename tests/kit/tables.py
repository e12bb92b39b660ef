"""All that a database holds, to compare and to empty it."""

from typing import Any

from psycopg import sql

from services.chassis.database import Database

# When something was written differs between two runs that are otherwise the same.
WHEN = ["heard_at", "said_at", "started_at", "answered_at", "seq"]

_NAMES = """
    select tablename from pg_tables
    where schemaname = 'public' and tablename not like '%yoyo%' order by tablename
"""


def names(database: Database) -> list[str]:
    """Return the tables' names, without the migrations' own."""
    with database.connection() as connection:
        return [row["tablename"] for row in connection.execute(_NAMES).fetchall()]


def reset(database: Database) -> None:
    """Empty every table."""
    tables = sql.SQL(", ").join(sql.Identifier(name) for name in names(database))
    with database.connection() as connection:
        connection.execute(sql.SQL("truncate {} restart identity cascade").format(tables))


def snapshot(database: Database, without: tuple[str, ...] = ()) -> dict[str, list[Any]]:
    """Return every table's rows in an order of their own, without the columns that only say when."""
    query = sql.SQL("select to_jsonb(t) - %s::text[] as row from {} t")
    found = {}
    with database.connection() as connection:
        for name in names(database):
            if name not in without:
                rows = connection.execute(query.format(sql.Identifier(name)), (WHEN,)).fetchall()
                found[name] = sorted((row["row"] for row in rows), key=str)
    return found
