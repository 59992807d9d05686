"""Events: on a real Prefect server, once however often they are told; nothing without a server; while it is away."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import uuid4

import httpx
import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from channelscribe.local_stack import LocalStack
from tasks import events


def events_of(url: str, name: str, resource: str) -> list[dict[str, object]]:
    wanted = {"filter": {"event": {"name": [name]}, "resource": {"id": [resource]}}}
    found: list[dict[str, object]] = httpx.post(f"{url}/events/filter", json=wanted).raise_for_status().json()["events"]
    return found


@pytest.mark.stack
def test_an_event_is_on_the_server_once(stack: LocalStack) -> None:
    url = stack.addresses.prefect_api_url or ""
    mark, event_id = uuid4().hex, uuid4()
    with temporary_settings({PREFECT_API_URL: url}):
        events.emit("video.published", f"video.test.{mark}", {"version": 1}, title="A title")
        for _ in range(2):
            events.send("phrase.said", f"watch.{mark}", {"watch": "x"}, event_id=event_id)
    assert events.flush()
    deadline = time.monotonic() + 60
    while not (
        (published := events_of(url, "channelscribe.video.published", f"channelscribe.video.test.{mark}"))
        and (said := events_of(url, "channelscribe.phrase.said", f"channelscribe.watch.{mark}"))
    ):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert [each["payload"] for each in published] == [{"version": 1}]
    assert [each["id"] for each in said] == [str(event_id)]


def test_without_a_server_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        events.emit("video.published", "video.test.x", {})
    assert events._waiting.unfinished_tasks == 0


def test_what_is_told_while_the_server_is_away_comes_when_it_is_back() -> None:
    got: list[str] = []

    class Back(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            got.extend(each["payload"]["number"] for each in body)
            self.send_response(204)
            self.end_headers()

        def do_GET(self) -> None:  # the client asks for the server's version
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    holder = ThreadingHTTPServer(("127.0.0.1", 0), Back)
    port = holder.server_port
    holder.server_close()
    with temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"}):
        for number in range(3):
            events.emit("sync.finished", "source.x", {"number": number})
    assert not events.flush(0.1)
    server = ThreadingHTTPServer(("127.0.0.1", port), Back)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    assert events.flush(60)
    server.shutdown()
    server.server_close()
    assert got == [0, 1, 2]
