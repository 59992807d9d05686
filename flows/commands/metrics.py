"""`channelscribe metrics`"""

from __future__ import annotations

import argparse
import sys
import time
from functools import partial

from channelscribe.catalogue import stats
from channelscribe.catalogue.prometheus import LibraryCollector, exposition
from channelscribe.errors import StackError, UsageError
from flows.output import tell
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    """The figures once, on stdout; with --listen until it is stopped, over HTTP."""
    settings, _ = run_settings(options)
    with database(settings, "metrics") as catalogue:
        figures = partial(catalogue.run, stats.figures)
        if options.listen is None:
            sys.stdout.write(exposition(figures).decode())
            return 0
        host, port = address(options.listen)
        serve(LibraryCollector(figures), host, port)
    return 0


def address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (colon and host and port.isdigit() and int(port) < 1 << 16):
        raise UsageError(f"{text!r} is no address.", remedy="Give HOST:PORT, such as 127.0.0.1:9108.")
    return host.strip("[]"), int(port)


def serve(collector: LibraryCollector, host: str, port: int) -> None:
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    try:
        server, _ = start_http_server(port, host, registry)
    except OSError as error:
        raise StackError(f"{host}:{port} cannot be listened on: {error}.", remedy="Choose another port.") from error
    tell(f"metrics on http://{host}:{server.server_port}/metrics")
    try:
        while True:
            time.sleep(3600)
    finally:
        server.shutdown()
