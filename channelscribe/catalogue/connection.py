"""The way to PostgreSQL: URL, engine, and transactions whose connection failures are `CatalogueUnreachable`.

Needs a PostgreSQL >= 15. No message made here holds a password or a statement's values. What PostgreSQL cannot hold
(NUL, lone surrogates, NaN in JSON) is taken out by `clean_text` and `clean_json` before it goes there.
"""

from __future__ import annotations

import math
import re
import select
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import parse_qs, unquote, urlsplit

import psycopg
from psycopg.rows import namedtuple_row
from psycopg.types.string import StrDumper

from channelscribe.errors import (
    CatalogueError,
    CatalogueNotWritable,
    CatalogueUnreachable,
    InvalidSetting,
    SchemaMismatch,
)

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, CursorResult, Engine
    from sqlmodel import Session

    Transaction = Session | Connection | psycopg.Connection[Any]
    """What functions take that only read: they need no ORM and no SQLAlchemy, whose imports cost as much as a search.
    """

__all__ = ["Database", "Reader", "clean_json", "clean_text", "driver_connection", "execute", "parse_url"]


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
GIVE_IT = "Give it as postgresql://user:password@host:5432/name."
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
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError) as error:
        raise InvalidSetting("database.url is not a URL.", remedy=GIVE_IT) from error
    _check_scheme(parsed.drivername)
    return parsed.set(drivername="postgresql+psycopg")


def _check_scheme(scheme: str) -> None:
    if scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise InvalidSetting(f"database.url names {scheme}; only PostgreSQL is known.", remedy=GIVE_IT)


def _refuse_closed(connection: psycopg.Connection[Any], *_: object) -> None:
    """A server that was restarted costs a reconnect, not an error: nobody has asked anything on a pooled connection, so
    what can be read there is its end. That costs no round trip, as a ping would.
    """
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        from sqlalchemy.exc import DisconnectionError

        raise DisconnectionError


class _Catalogue:
    """What a way to the database knows of its failures. `place` is host/database, for people."""

    place: str
    password: str | None

    def __str__(self) -> str:
        return self.place

    @contextmanager
    def translated(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            cause = getattr(error, "orig", error)  # what SQLAlchemy's errors are of
            if not isinstance(cause, psycopg.Error):
                raise
            raise self._as_ours(cause) from error

    def _as_ours(self, cause: psycopg.Error) -> CatalogueError:
        # Where several addresses were tried, the first line only says so.
        lines = [line for line in str(cause).strip().splitlines() if not line.endswith(":")]
        said = (lines or [type(cause).__name__])[0].strip(" -\t")
        if self.password:
            said = said.replace(self.password, "***")
        state = cause.sqlstate or ""
        if state in NOT_WRITABLE:
            return CatalogueNotWritable(f"PostgreSQL at {self}: {said}", remedy=NOT_WRITABLE[state])
        if state.startswith(SERVER_IS_AWAY) or (not state and isinstance(cause, CONNECTION_FAILED)):
            remedy = next((remedy for sign, remedy in REMEDIES.items() if sign in said), START_IT)
            return CatalogueUnreachable(f"PostgreSQL at {self}: {said}", remedy=remedy)
        if state in TABLE_OR_COLUMN_MISSING:
            return SchemaMismatch(f"PostgreSQL at {self}: {said}", remedy="Any sync brings the schema up to date.")
        return CatalogueError(f"PostgreSQL at {self} refused: {said}")


class Reader(_Catalogue):
    """The catalogue for who asks it a few things: one connection of the driver's own. Not for several threads."""

    def __init__(self, url: str) -> None:
        """Raises InvalidSetting."""
        try:
            parts = urlsplit(url.strip())
            given = {"host": parts.hostname, "user": parts.username, "password": parts.password}
            port = {"port": parts.port} if parts.port else {}
        except ValueError as error:
            raise InvalidSetting("database.url is not a URL.", remedy=GIVE_IT) from error
        _check_scheme(parts.scheme)
        more = {name: ",".join(values) for name, values in parse_qs(parts.query).items()}
        named = {name: unquote(value) for name, value in given.items() if value}
        database = {"dbname": parts.path[1:]} if parts.path[1:] else {}
        self.options: dict[str, Any] = {**named, **port, **database, **more}
        self.password = self.options.get("password")
        self.place = f"{self.options.get('host') or 'localhost'}/{self.options.get('dbname', '')}"

    @cached_property
    def _connection(self) -> psycopg.Connection[Any]:
        options = {"connect_timeout": CONNECT_SECONDS, "application_name": "channelscribe", **self.options}
        made = psycopg.connect(**options, row_factory=namedtuple_row)
        made.adapters.register_dumper(str, StrDumper)  # text, not of a type that the server has to guess
        return made

    def read(
        self, function: Callable[Concatenate[psycopg.Connection[Any], P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call `function(connection, ...)` in one transaction that only reads. Raises CatalogueUnreachable."""
        with self.translated(), self._connection.transaction():
            return function(self._connection, *args, **kwargs)

    def __enter__(self) -> Reader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "_connection" in self.__dict__:
            self._connection.close()


class Database(_Catalogue):
    """The catalogue's database: a small pool of connections, opened when first used; safe to share between threads.

    What can be asked of it are the functions of this package, which take a session: `run` calls one in a transaction
    of its own, `session` makes one transaction of several.
    """

    def __init__(self, url: str, look: Callable[[Session], None] | None = None) -> None:
        """`look` is called with a session at the first one and then once a minute; what it raises ends the session."""
        from sqlalchemy import create_engine, event

        self.url = parse_url(url)
        self.place = f"{self.url.host or self.url.query.get('host') or 'localhost'}/{self.url.database or ''}"
        self.password = str(self.url.password) if self.url.password else None
        self._look, self._next_look = look, 0.0
        self.engine: Engine = create_engine(
            self.url,
            pool_size=5,
            hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": "channelscribe"},
        )

        event.listen(self.engine, "checkout", _refuse_closed)

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


PARAMETER = re.compile(r"(?<![:\w]):(\w+)(?!:)")


def execute(session: Transaction, statement: str, **values: Any) -> CursorResult[Any]:
    """Run one SQL statement with named parameters, as `:name`."""
    if isinstance(session, psycopg.Connection):
        done = session.execute(PARAMETER.sub(r"%(\1)s", statement.replace("%", "%%")).encode(), values)
        return cast("CursorResult[Any]", _Rows(done.fetchall() if done.description else ()))
    from sqlalchemy import Connection, text

    connection = session if isinstance(session, Connection) else session.connection()
    return connection.execute(text(statement), values)


class _Rows:
    """What a statement gave: as much of SQLAlchemy's result as functions that only read ask for."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows = list(rows)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def all(self) -> list[Any]:
        return self._rows

    def one(self) -> Any:
        (row,) = self._rows
        return row

    def one_or_none(self) -> Any:
        return self.one() if self._rows else None

    def mappings(self) -> _Rows:
        return _Rows(row._asdict() for row in self._rows)

    def scalars(self) -> _Rows:
        return _Rows(row[0] for row in self._rows)

    def scalar(self) -> Any:
        return self._rows[0][0] if self._rows else None

    def scalar_one(self) -> Any:
        return self.one()[0]

    def scalar_one_or_none(self) -> Any:
        return self.scalar_one() if self._rows else None


def driver_connection(session: Session) -> psycopg.Connection[Any]:
    """psycopg's own connection under a session, for COPY; it is in the session's transaction."""
    return cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)
