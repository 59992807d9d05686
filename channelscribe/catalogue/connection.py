"""The way to PostgreSQL: URL, engine, and transactions whose connection failures are `CatalogueUnreachable`.

Needs a PostgreSQL >= 15. No message made here holds a password or a statement's values. What PostgreSQL cannot hold
(NUL, lone surrogates, NaN in JSON) is taken out by `clean_text` and `clean_json` before it goes there.
"""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast

import psycopg
from sqlalchemy import URL, Connection, CursorResult, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError

from channelscribe.errors import (
    CatalogueError,
    CatalogueNotWritable,
    CatalogueUnreachable,
    InvalidSetting,
    SchemaMismatch,
)

if TYPE_CHECKING:
    from sqlmodel import Session

    Transaction = Session | Connection
    """What functions take that only read: they need no ORM, whose import costs as much as a search."""

__all__ = ["Database", "clean_json", "clean_text", "driver_connection", "execute", "parse_url"]


def clean_text(text: str) -> str:
    """`text` without NUL characters, lone surrogates replaced by `?`."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def clean_json(value: Any) -> Any:
    """The same for every string in a JSON value; numbers that JSON does not know become None."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(item) for item in value]
    return value


P = ParamSpec("P")
T = TypeVar("T")

CONNECT_SECONDS = 10
LOOK_SECONDS = 60.0
SERVER_IS_AWAY = ("08", "53", "57P", "40", "55P")
"""How SQLSTATEs of failures that pass begin: connection, resources, shutdown, deadlock, lock time-out."""
TABLE_OR_COLUMN_MISSING = ("42P01", "42703")
NOT_WRITABLE = {
    "42501": "Give the user of database.url this right.",
    "25006": "Set database.url to a server that can be written: this one is a replica, or read only.",
    "53100": "Make room on the disk of the database.",
}
START_IT = "Start it, or correct database.url."
_USER = "Correct the user and the password in database.url."
# libpq tells no SQLSTATE of a connection that failed, only words.
REMEDIES = {
    "authentication failed": _USER,
    "no password supplied": _USER,
    "no pg_hba.conf entry": "Let this user in (pg_hba.conf of the server), or correct database.url.",
    "role": _USER,
    "does not exist": "Create the database, or correct its name in database.url.",
    "could not translate host name": "Correct the host in database.url.",
    "failed to resolve host": "Correct the host in database.url.",
}
CONNECTION_FAILED = (psycopg.OperationalError, psycopg.InterfaceError)


def parse_url(url: str) -> URL:
    """A `postgresql://` or `postgres://` URL as SQLAlchemy's, for psycopg 3. Raises InvalidSetting."""
    remedy = "Give it as postgresql://user:password@host:5432/name."
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError) as error:
        raise InvalidSetting("database.url is not a URL.", remedy=remedy) from error
    if parsed.drivername.partition("+")[0] not in ("postgresql", "postgres"):
        raise InvalidSetting(f"database.url names {parsed.drivername}; only PostgreSQL is known.", remedy=remedy)
    return parsed.set(drivername="postgresql+psycopg")


def _refuse_closed(connection: psycopg.Connection[Any], *_: object) -> None:
    """A server that was restarted costs a reconnect, not an error: nobody has asked anything on a pooled connection, so
    what can be read there is its end. That costs no round trip, as a ping would.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        raise DisconnectionError


class Database:
    """The catalogue's database: a small pool of connections, opened when first used; safe to share between threads.

    What can be asked of it are the functions of this package, which take a session: `run` calls one in a transaction
    of its own, `session` makes one transaction of several.
    """

    def __init__(self, url: str, look: Callable[[Session], None] | None = None) -> None:
        """`look` is called with a session at the first one and then once a minute; what it raises ends the session."""
        self.url = parse_url(url)
        self._look, self._next_look = look, 0.0
        self.engine: Engine = create_engine(
            self.url,
            pool_size=5,
            hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "channelscribe"},
        )

        event.listen(self.engine, "checkout", _refuse_closed)

    def __str__(self) -> str:
        place = self.url.host or self.url.query.get("host") or "localhost"
        return f"{place}/{self.url.database or ''}"

    def close(self) -> None:
        """Close the pooled connections."""
        self.engine.dispose()

    def run(self, function: Callable[Concatenate[Session, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function(session, ...)` in one transaction. Raises CatalogueUnreachable when the server is away."""
        with self.session() as session:
            return function(session, *args, **kwargs)

    def read(self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same for functions that only read, and need no ORM: the import is not paid for."""
        with self.connection() as connection:
            return function(connection, *args, **kwargs)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on any exception. Rows stay readable afterwards."""
        from sqlmodel import Session

        with self.translated(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            if self._look is not None and time.monotonic() >= self._next_look:
                self._look(session)
                self._next_look = time.monotonic() + LOOK_SECONDS
            yield session

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """One transaction without the ORM."""
        with self.translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """One transaction that only reads, and sees all of it as it was at its first statement."""
        with self.translated(), self.engine.connect() as connection:
            options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            with connection.execution_options(**options).begin():
                yield connection

    @contextmanager
    def translated(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, psycopg.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            raise self._as_ours(cause) from error

    def _as_ours(self, cause: BaseException | None) -> CatalogueError:
        # Where several addresses were tried, the first line only says so.
        lines = [line for line in str(cause).strip().splitlines() if not line.endswith(":")]
        said = (lines or [type(cause).__name__])[0].strip(" -\t")
        if self.url.password:
            said = said.replace(str(self.url.password), "***")
        state = getattr(cause, "sqlstate", None) or ""
        if state in NOT_WRITABLE:
            return CatalogueNotWritable(f"PostgreSQL at {self}: {said}", remedy=NOT_WRITABLE[state])
        if state.startswith(SERVER_IS_AWAY) or (not state and isinstance(cause, CONNECTION_FAILED)):
            remedy = next((remedy for sign, remedy in REMEDIES.items() if sign in said), START_IT)
            return CatalogueUnreachable(f"PostgreSQL at {self}: {said}", remedy=remedy)
        if state in TABLE_OR_COLUMN_MISSING:
            return SchemaMismatch(f"PostgreSQL at {self}: {said}", remedy="Any sync brings the schema up to date.")
        return CatalogueError(f"PostgreSQL at {self} refused: {said}")


def execute(session: Session | Connection, statement: str, **values: Any) -> CursorResult[Any]:
    """Run one SQL statement with named parameters."""
    connection = session if isinstance(session, Connection) else session.connection()
    return connection.execute(text(statement), values)


def driver_connection(session: Session) -> psycopg.Connection[Any]:
    """psycopg's own connection under a session, for COPY; it is in the session's transaction."""
    return cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)
