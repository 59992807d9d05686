"""Many syncs in one process of their own: each costs a second or two instead of ten.

`python -m tests.e2e.syncing` takes the parameters of `sync-channel` as lines of JSON and answers each with one: the
summary, or {"reason", "message"} of the error. It stands on the stack of its data folder, as the command line does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from tests.conftest import clean_environment

Summary = dict[str, Any]

ON_STANDIN = {
    "speech.model": "sample",
    "text.models": {"en": "sample"},
    "sources.allow_private_addresses": True,
    "sources.retries": 0,
    "sources.pause_seconds": 0,
}


class Syncs:
    """A process that syncs, in a ``with`` block; `environment` is instead of that of a user."""

    def __init__(self, data: Path, environment: dict[str, str] | None = None, stderr: BinaryIO | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.syncing"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment or clean_environment(data),
            cwd=Path(__file__).parent.parent.parent,
            text=True,
        )

    def begin(self, source: str, settings: dict[str, Any] | None = None, **parameters: Any) -> None:
        """Start a sync and go on; `end` waits for it."""
        assert self._process.stdin is not None
        request = {"source": source, "settings": {**ON_STANDIN, **(settings or {})}, **parameters}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def end(self) -> Summary:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process that syncs has ended"
        summary: Summary = json.loads(line)
        return summary

    def __call__(self, source: str, settings: dict[str, Any] | None = None, **parameters: Any) -> Summary:
        self.begin(source, settings, **parameters)
        return self.end()

    def __enter__(self) -> Syncs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


def main() -> None:
    from channelscribe.errors import ChannelscribeError
    from flows.session import call, engine, run_settings

    settings, _ = run_settings(argparse.Namespace(assignments=[]))
    answers, sys.stdout = sys.stdout, sys.stderr
    with engine(settings, "syncs of the tests"):
        from channelscribe.settings.registry import SettingsRegistry
        from flows.forms import SyncRequest
        from flows.sync_channel import sync_channel
        from tasks.site_guard import provide_budgets

        for line in sys.stdin:
            request = SyncRequest.model_validate(json.loads(line))
            provide_budgets(SettingsRegistry(run=request.settings).resolve().sources)
            try:
                answer = call(sync_channel, request).model_dump(mode="json")
            except ChannelscribeError as error:
                answer = {"reason": error.reason, "message": str(error)}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
