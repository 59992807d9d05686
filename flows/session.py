"""What a command stands on: the local stack (or the addresses in the settings), joined and exported.

The addresses go into this process's environment before Prefect is imported, so that the flow uses the same server as
the Dask workers. Logs of the engines go to `data/logs/channelscribe.log`, not to the terminal.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from channelscribe.project import FOLDER
from channelscribe.settings import Settings
from channelscribe.settings.prefect_profile import access_of, prefects_own
from channelscribe.settings.registry import SettingsRegistry, parse_assignment
from channelscribe.settings.travel import refuse_own
from flows.output import tell

if TYPE_CHECKING:
    from prefect import Flow

    from channelscribe.catalogue.connection import Database, Reader
    from channelscribe.local_stack import LocalStack

Told = Callable[[str, float], None]
R = TypeVar("R")
S = TypeVar("S")

TOLD_LESS = ("aiobotocore", "botocore", "httpcore", "s3transfer", "urllib3", "websockets")
"""Libraries that write passwords and keys into their DEBUG lines: the headers of requests, and what they send."""


def assigned(options: argparse.Namespace) -> dict[str, Any]:
    """What `--set` gave."""
    return dict(parse_assignment(text) for text in options.assignments)


def read_settings(given: Mapping[str, Any]) -> Settings:
    """The settings of a command that works here. What a person may take for settings and is none is told."""
    registry = SettingsRegistry(run=given)
    for note in registry.notes:
        tell(f"channelscribe: {note}")
    return registry.resolve()


def run_settings(options: argparse.Namespace, **more: Any) -> tuple[Settings, dict[str, Any]]:
    """The settings of a command that runs a flow, and those of them that were given as parameters of the run."""
    given = assigned(options) | {key.replace("__", "."): value for key, value in more.items() if value is not None}
    settings = read_settings(given)
    # The parameters of a run are seen in the Prefect UI, and workers have addresses of their own.
    refuse_own(given, "the options of one run")
    return settings, given


@contextmanager
def database(settings: Settings, command: str, *, writes: bool = False) -> Iterator[Database]:
    """Only the catalogue: for commands without an engine. Its schema changes only for those that write."""
    from channelscribe.catalogue import schema
    from channelscribe.catalogue.connection import Database
    from channelscribe.local_stack import LocalStack
    from channelscribe.local_stack.stack import end_process

    with LocalStack(settings, ["database"], command=command, lost=end_process) as stack:
        stack.wait_ready()
        catalogue = Database(stack.addresses.database_url or "")
        try:
            if settings.database.url is None and (writes or schema.revision_of(catalogue) is None):
                bring_up_to_date(catalogue, stack)
            elif writes:
                # Others may use a server's database with the program that it was made for: only a sync changes it.
                catalogue.read(schema.check_schema)
            elif note := schema.note_if_older(catalogue):
                tell(f"channelscribe: {note}")
            yield catalogue
        finally:
            catalogue.close()


@contextmanager
def reading(settings: Settings, command: str) -> Iterator[Reader]:
    """The catalogue for a command that asks it a few things, without SQLAlchemy. Its schema stays as it is."""
    from channelscribe.catalogue import schema
    from channelscribe.catalogue.connection import Database, Reader
    from channelscribe.local_stack.stack import LocalStack, end_process

    with LocalStack(settings, ["database"], command=command, lost=end_process) as stack:
        stack.wait_ready()
        url = stack.addresses.database_url or ""
        with Reader(url) as catalogue:
            if settings.database.url is None and schema.revision_of(catalogue) is None:
                empty = Database(url)
                bring_up_to_date(empty, stack)
                empty.close()
            elif note := schema.note_if_older(catalogue):
                tell(f"channelscribe: {note}")
            yield catalogue


@contextmanager
def engine(settings: Settings, command: str, told: Told | None = None) -> Iterator[tuple[LocalStack, Database]]:
    """The database and the Prefect server, answering, with the flows ready to be imported and called."""
    with looking(settings, command, told) as (stack, catalogue), prefect_on(stack):
        yield stack, catalogue


@contextmanager
def looking(settings: Settings, command: str, told: Told | None = None) -> Iterator[tuple[LocalStack, Database]]:
    """The catalogue alone, for who looks what there is to do: up to date, and what killed runs held given back."""
    from channelscribe.catalogue import leases, schema
    from channelscribe.catalogue.connection import Database

    with joined(settings, ("database",), command, told) as stack:
        stack.look_at_given("prefect", "dask")
        stack.wait_ready()
        catalogue = Database(stack.addresses.database_url or "")
        try:
            if settings.database.url is None:
                bring_up_to_date(catalogue, stack)
            else:
                schema.migrate(catalogue)
            if "database" in stack.want and not stack.shared_with:
                # Nobody else runs on this database: what is still leased belonged to a process that was killed.
                catalogue.run(leases.release_all)
            yield stack, catalogue
        finally:
            catalogue.close()


@contextmanager
def prefect_on(stack: LocalStack, *more: str) -> Iterator[None]:
    """A Prefect server beside the database, and `more`. Else workers start when a run comes to a step of theirs."""
    stack.start("prefect", *more)
    tell_where_prefect_is(stack)
    with surroundings(variables_of(stack), stack.places.standing):
        # Importing costs seconds of CPU: do it while the server starts.
        import flows.sync_channel  # noqa: F401

        quiet_terminal()
        stack.wait_ready()
        try:
            yield
        finally:
            settle()


def variable_on(stack: LocalStack) -> dict[str, Any] | None:
    """What the Prefect variable sets, from the local server's own database: for that the server need not run.

    None where it cannot be known so: Prefect, or the catalogue, is elsewhere.
    """
    import psycopg

    from channelscribe.settings.travel import VARIABLE, of_variable

    if "database" not in stack.want or stack.settings.prefect.api_url is not None:
        return None
    # What an older release had in SQLite is brought along when the server starts.
    nothing: dict[str, Any] | None = None if (stack.places.prefect / "prefect.db").exists() else {}
    url = stack.addresses.database_url or ""
    with psycopg.connect(url) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'prefect'").fetchone():
            return nothing
    with psycopg.connect(url, dbname="prefect") as connection:
        if not connection.execute("SELECT 1 FROM pg_tables WHERE tablename = 'variable'").fetchone():
            return nothing
        found = connection.execute("SELECT value FROM variable WHERE name = %s", [VARIABLE]).fetchone()
    return of_variable(found and found[0])


def call(flow: Flow[[R], S], request: R) -> S:
    """Run a flow in this process; returns its summary, also of a run that ended as failed but tells what it did."""
    ended = flow(request, return_state=True)
    answer: Any = ended.result(raise_on_failure=False)
    if isinstance(answer, Exception):
        raise answer
    return cast(S, answer)


def bring_up_to_date(catalogue: Database, stack: LocalStack) -> None:
    """The embedded database gets this program's schema; what it had is copied first."""
    from channelscribe.catalogue import schema

    if schema.is_ours(catalogue):
        return
    from channelscribe.retention.backup import bring_up_to_date as migrate_with_copy

    if copy := migrate_with_copy(catalogue, stack.places.copies):
        tell(f"channelscribe: the catalogue has a newer schema now; its rows as they were are in {copy}.")


def settle() -> None:
    """Let Prefect deliver its last logs and events while there is a server to take them."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    from tasks import events

    events.flush(5)
    EventsWorker.drain_all(timeout=5)
    APILogWorker.drain_all(timeout=5)


@contextmanager
def joined(settings: Settings, want: Sequence[str], command: str, told: Told | None = None) -> Iterator[LocalStack]:
    """The stack, its services on their way, and this process where Prefect and our tasks find them."""
    from channelscribe.local_stack import LocalStack
    from channelscribe.local_stack.stack import end_process, of_runs

    with LocalStack(settings, want, command=command, told=told, lost=end_process) as stack:
        if "prefect" in want:
            tell_where_prefect_is(stack)
        places = stack.places
        with of_runs(stack), surroundings(variables_of(stack), places.standing):
            log_to_file(places.log_file, settings.log_level)
            yield stack


def variables_of(stack: LocalStack) -> dict[str, str | None]:
    """Where things are, for what runs in this process and what it starts."""
    from channelscribe.local_stack.services import prefect_environment

    addresses = stack.addresses
    found: dict[str, str | None] = {"CHANNELSCRIBE_DATA_DIR": str(stack.places.data)}
    if addresses.database_url:
        found["CHANNELSCRIBE_DATABASE__URL"] = addresses.database_url
    if addresses.prefect_api_url:
        found["CHANNELSCRIBE_PREFECT__API_URL"] = addresses.prefect_api_url
        ours = stack.settings.prefect.api_url is None
        found |= prefect_environment(stack.places, addresses.prefect_api_url, ours=ours)
        found |= access_of(addresses.prefect_api_url, os.environ)
    if "prefect" in stack.want:
        found |= {"PREFECT_API_KEY": None, "PREFECT_PROFILE": None}
    return found


def tell_where_prefect_is(stack: LocalStack) -> None:
    """Where it is Prefect's own settings that name a server, not ours."""
    given = stack.settings.prefect.api_url
    if given is not None and (own := prefects_own(os.environ)) and own.api_url == given:
        tell(f"Prefect: {own.api_url} ({own.origin}).")


@contextmanager
def asking_prefect(settings: Settings, api_url: str) -> Iterator[None]:
    """For a command that asks a Prefect server something beside its work: where it is, and not to wait for it long."""
    from channelscribe.local_stack.places import places_of
    from channelscribe.local_stack.services import prefect_environment

    places = places_of(settings.data_dir)
    patience = {"PREFECT_CLIENT_MAX_RETRIES": "1", "PREFECT_API_REQUEST_TIMEOUT": "10"}
    # Whoever only asks need not be able to write into the data folder.
    folder = places.standing if places.standing.is_dir() else Path(places.data.anchor)
    access = access_of(api_url, os.environ)
    with surroundings({**access, **prefect_environment(places, api_url), **patience}, folder):
        yield


@contextmanager
def surroundings(variables: Mapping[str, str | None], folder: Path) -> Iterator[None]:
    """This process's environment and working directory while it has Prefect in it, which reads settings in both.

    None takes a variable away. Afterwards all is as it was. Prefect reads its settings once, when it is imported: in a
    process that had it before, it reads them again.
    """
    before, here = dict(os.environ), Path.cwd()
    changed = {FOLDER: os.environ.get(FOLDER) or str(here), **variables}
    os.environ.update({name: value for name, value in changed.items() if value is not None})
    for name in [name for name, value in changed.items() if value is None]:
        os.environ.pop(name, None)
    os.chdir(folder)
    try:
        with prefect.root_settings_context() if (prefect := sys.modules.get("prefect.context")) else nullcontext():
            yield
    finally:
        os.chdir(here)
        os.environ.clear()
        os.environ.update(before)


def log_to_file(path: Path, level: str) -> None:
    """Everything that is logged in this process goes to the file."""
    handler = RotatingFileHandler(path, maxBytes=10_000_000, backupCount=3, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    for library in TOLD_LESS:
        logging.getLogger(library).setLevel(logging.INFO)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # a line a request tells nothing


def quiet_terminal() -> None:
    """Take the handlers that write to the terminal off every logger: Prefect put them there when imported."""
    loggers = [logging.getLogger(), *(logging.getLogger(name) for name in logging.root.manager.loggerDict)]
    for logger in loggers:
        for handler in list(logger.handlers):
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                logger.removeHandler(handler)
        # Loggers that kept to themselves now reach the file through the root.
        if logger.name.split(".")[0] in {"prefect", "distributed"}:
            logger.propagate = True
    logging.captureWarnings(True)
    sys.unraisablehook = lambda unraisable: logging.getLogger("channelscribe").warning("unraisable: %s", unraisable)
