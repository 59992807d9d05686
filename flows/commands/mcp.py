"""`channelscribe mcp`: the library for assistants, over stdio, read-only, until stdin is closed."""

from __future__ import annotations

import argparse

from channelscribe.errors import StackError
from flows.output import tell
from flows.session import database, run_settings


def run(options: argparse.Namespace) -> int:
    settings, _ = run_settings(options)
    try:
        from channelscribe.web.assistants import mcp_server
    except ModuleNotFoundError as error:
        raise StackError("The SDK of assistants is missing.", remedy="pip install 'channelscribe[mcp]'.") from error
    with database(settings, "mcp") as catalogue:
        tell("channelscribe: an assistant may ask, on stdin.")
        mcp_server(catalogue).run("stdio")
    return 0
