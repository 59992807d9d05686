"""The local Prefect server: its database in the embedded PostgreSQL, its pages for themselves alone.

`uvicorn --factory deployments.server:create_app`. Prefect's newer UI calls Amplitude from the browser, whatever the
server's settings say of analytics (3.8); a header of each page forbids it. Behind the proxy of `docker/` nginx does so.

On a new data folder the database is made: from a copy that this machine keeps for the version of Prefect
(`~/.cache/channelscribe`), as its migrations take seconds, else by the migrations, which then leave the copy. What a
release before had in SQLite (`prefect/prefect.db`: runs, blocks, variables) is brought along once.
"""

from __future__ import annotations

import asyncio
import logging
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import prefect
import psycopg
from alembic.script import ScriptDirectory
from docket import Worker
from prefect.server.api import background_workers
from prefect.server.api.server import create_app as create_prefect_app
from prefect.server.database.alembic_commands import alembic_config
from prefect.server.database.dependencies import provide_database_interface
from prefect.settings import get_current_settings
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import Engine, create_engine, insert, select, text
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from channelscribe.local_stack import postgres

__all__ = ["create_app"]

POLICY = "connect-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
DATABASE_SECONDS = 60.0
LEFT_BEHIND = frozenset(("alembic_version", "events", "event_resources"))
ROWS_AT_ONCE = 1000

_log = logging.getLogger(__name__)


def create_app() -> ASGIApp:
    """The server, as Prefect's settings in the environment say."""
    # Its queue of background work looks for some four times a second; every two seconds takes a third of what it idles.
    interval = timedelta(seconds=2)
    calmer: Any = partial(Worker, minimum_check_interval=interval, scheduling_resolution=interval)
    background_workers.Worker = calmer  # type: ignore[attr-defined]
    whole: ASGIApp = create_prefect_app()
    configured = get_current_settings().server.database.connection_url
    url = configured.get_secret_value() if configured else ""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = POLICY
            await send(message)

        if scope["type"] == "lifespan" and url.startswith("postgresql+asyncpg:"):
            await _make_ready(url.replace("+asyncpg", "", 1))
        await whole(scope, receive, send_with_policy if scope["type"] == "http" else send)

    return app


async def _make_ready(url: str) -> None:
    """The database, made unless it is there, at the version of this Prefect when it is new."""
    if not await asyncio.to_thread(_create, url):
        return
    home = Path.home() / ".cache" / "channelscribe"
    copy = home / f"prefect-{prefect.__version__}-postgresql-{postgres.MAJOR}.dump"
    programs = postgres.installed()
    restore: list[str | Path] = [
        programs / "pg_restore",
        "--single-transaction",
        "--exit-on-error",
        f"--dbname={url}",
        copy,
    ]
    if not copy.exists() or await asyncio.to_thread(_fails, restore):
        with psycopg.connect(url) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        await provide_database_interface().run_migrations_upgrade()
        await asyncio.to_thread(_keep, copy, [programs / "pg_dump", "--format=custom", f"--dbname={url}"])
    before = get_current_settings().home / "prefect.db"
    if before.exists():
        await asyncio.to_thread(_bring_along, before, url)


def _create(url: str) -> bool:
    """Whether the database is new, that is without tables; it is waited for until its server answers."""
    name = conninfo_to_dict(url)["dbname"]
    deadline = time.monotonic() + DATABASE_SECONDS
    while True:
        try:
            with psycopg.connect(make_conninfo(url, dbname="postgres"), autocommit=True) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                    connection.execute(f'CREATE DATABASE "{name}"')
                # A run's last states lost in a power cut are found out; a commit that waits for the disk is felt.
                connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
            break
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT to_regclass('public.alembic_version') IS NULL").fetchone() == (True,)


def _fails(command: Sequence[str | Path]) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        _log.warning("%s: %s", Path(command[0]).name, done.stderr.strip())
    return done.returncode != 0


def _keep(copy: Path, dump: Sequence[str | Path]) -> None:
    """Leave a copy for the next data folder, where there is room for one; those of other versions go."""
    with suppress(OSError), tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "made"
        if not _fails([*dump, f"--file={made}"]):
            copy.parent.mkdir(parents=True, exist_ok=True)
            written = copy.with_name(f"{copy.name}.{time.time_ns()}")
            written.write_bytes(made.read_bytes())
            for other in copy.parent.glob("prefect-*.dump"):
                other.unlink(missing_ok=True)
            written.replace(copy)


def _bring_along(before: Path, url: str) -> None:
    """Copy what another release had in SQLite, without the events; what is of another Prefect stays, with a word."""
    old = create_engine(f"sqlite:///file:{before}?mode=ro&uri=true")
    new = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    try:
        if _is_of_this_version(old):
            _copy(old, new)
        else:
            _log.warning("%s is of another version of Prefect: its runs, blocks and variables are left there", before)
    except Exception:  # whatever is wrong with an old file, the server must start
        _log.exception("%s could not be read: its runs, blocks and variables are left there", before)
    finally:
        old.dispose()
        new.dispose()


def _is_of_this_version(old: Engine) -> bool:
    config = alembic_config()
    migrations = Path(config.get_main_option("script_location") or "") / "versions" / "sqlite"
    config.set_main_option("version_locations", str(migrations))
    newest = ScriptDirectory.from_config(config).get_current_head()
    with old.connect() as connection:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == newest


def _copy(old: Engine, new: Engine) -> None:
    tables = provide_database_interface().Base.metadata.sorted_tables
    with old.connect() as reading, new.begin() as writing:
        writing.execute(text("SET LOCAL session_replication_role = replica"))  # rows may come before what they name
        for table in (table for table in tables if table.name not in LEFT_BEHIND):
            writing.execute(table.delete())
            for rows in reading.execute(select(table)).mappings().partitions(ROWS_AT_ONCE):
                writing.execute(insert(table), [dict(row) for row in rows])
