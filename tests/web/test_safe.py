"""Who may come in, and what hostile requests get: nothing served, nothing broken."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from channelscribe.catalogue import voices
from channelscribe.catalogue.connection import execute
from channelscribe.errors import InvalidSetting, UsageError
from channelscribe.web import guard, pages
from channelscribe.web.access import COOKIE, Logins
from channelscribe.web.app import Room, create_app
from tests.catalogue.records import SITE
from tests.web.conftest import HOST, VIDEO, Library, client_of, publish_voices, room_on, served, two_videos

PASSWORD = "correct horse battery"
V = f"/api/v1/videos/{SITE}/{VIDEO}"


@pytest.fixture
def open_to_all(room: Room, quick: None) -> Room:
    """The room on an address that others reach, with a reader and an editor."""
    room.logins.set_password("ada", PASSWORD, "editor")
    room.logins.set_password("bo", PASSWORD, "reader")
    return Room(room.database, room.store, room.settings, room.logins, "0.0.0.0")  # noqa: S104


def signed_in(room: Room, name: str) -> TestClient:
    client = client_of(room, "room.example")
    answer = client.post(
        "/login",
        data={"name": name, "password": PASSWORD, "next": "/names"},
        headers={"Origin": "http://room.example:4300"},
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/names")
    told = answer.headers["set-cookie"]
    assert "HttpOnly" in told and "SameSite=strict" in told and "Secure" not in told
    return client


def token_of(client: TestClient) -> str:
    page = client.get("/login").text
    return page.partition('name="csrf" value="')[2].partition('"')[0]


def test_others_are_let_in_only_with_a_login(room: Room) -> None:
    others = Room(room.database, room.store, room.settings, room.logins, "0.0.0.0")  # noqa: S104
    with pytest.raises(UsageError, match="nobody has a login"):
        others.access.require_a_way_in("0.0.0.0")  # noqa: S104
    room.access.require_a_way_in(HOST)


def test_without_a_login_nothing_is_read(open_to_all: Room) -> None:
    client = client_of(open_to_all, "room.example")
    for path in ("/api/v1/sources", f"{V}/audio", "/api/v1/openapi.json", "/api/v1/events"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (401, "login"), path
    answer = client.get(f"/v/{SITE}/{VIDEO}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next=/v/{SITE}/{VIDEO}")
    assert client.get("/login").status_code == client.get("/static/room.css").status_code == 200


def test_a_session_reads_and_ends(open_to_all: Room) -> None:
    client = signed_in(open_to_all, "bo")
    assert "bo" in client.get("/").text
    csrf = token_of(client)
    origin = {"Origin": "http://room.example:4300"}
    assert client.post("/logout", data={"csrf": "no"}, headers=origin).status_code == 403
    cookie = client.cookies[COOKIE]
    assert client.post("/logout", data={"csrf": csrf}, headers=origin).status_code == 303
    assert client.get("/api/v1/sources").status_code == 401
    # Another password ends every session of the old one.
    open_to_all.logins.set_password("bo", PASSWORD + "!", "reader")
    assert client.get("/api/v1/sources", headers={"Cookie": f"{COOKIE}={cookie}"}).status_code == 401


def test_tokens_for_programs(open_to_all: Room) -> None:
    client = client_of(open_to_all, "room.example")
    token = open_to_all.logins.add_token("robot", "reader")
    assert client.get("/api/v1/sources", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    post = client.post(
        "/api/v1/syncs", json={"source": "https://a.example/f"}, headers={"Authorization": f"Bearer {token}"}
    )
    assert (post.status_code, post.json()["reason"]) == (403, "readers_only")
    editor = {"Authorization": f"Bearer {open_to_all.logins.add_token('maker', 'editor')}"}
    post = client.post("/api/v1/syncs", json={"source": "https://a.example/f"}, headers=editor)
    assert (post.status_code, post.json()["detail"]) == (503, "No Prefect server runs here.")
    open_to_all.logins.remove("robot")
    assert client.get("/api/v1/sources", headers={"Authorization": f"Bearer {token}"}).status_code == 401


def test_the_file_keeps_no_password_and_is_its_owners(open_to_all: Room) -> None:
    token = open_to_all.logins.add_token("robot", "reader")
    text = open_to_all.logins.path.read_text()
    assert PASSWORD not in text and token not in text
    assert stat.S_IMODE(open_to_all.logins.path.stat().st_mode) == 0o600
    open_to_all.logins.path.write_text("{")
    with pytest.raises(InvalidSetting, match=r"logins\.json"):
        bool(Logins(open_to_all.logins.path))


@pytest.mark.parametrize(
    ("name", "password"), [("", PASSWORD), ("a b", PASSWORD), ("../x", PASSWORD), ("ada", "short")]
)
def test_names_and_passwords_that_will_not_do(tmp_path: Path, name: str, password: str) -> None:
    with pytest.raises(UsageError):
        Logins(tmp_path / "logins.json").set_password(name, password, "reader")


def test_guessing_is_slowed(open_to_all: Room) -> None:
    client = client_of(open_to_all, "room.example")
    origin = {"Origin": "http://room.example:4300"}
    statuses = [
        client.post("/login", data={"name": "ada", "password": "wrong"}, headers=origin).status_code for _ in range(5)
    ]
    assert statuses == [403, 403, 403, 429, 429]
    right = client.post("/login", data={"name": "ada", "password": PASSWORD}, headers=origin)
    assert (right.status_code, int(right.headers["retry-after"]) >= 1) == (429, True)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 303),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": None}, 403),
        ({"Origin": None, "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"csrf": ""}, 403),
        ({"csrf": "0" * 64}, 403),
    ],
)
def test_changes_come_from_our_pages_only(
    open_to_all: Room, monkeypatch: pytest.MonkeyPatch, change: dict[str, str | None], status: int
) -> None:
    monkeypatch.setattr(pages, "start_sync", lambda *_: {"name": "a-run"})
    client = signed_in(open_to_all, "ada")
    csrf = change.pop("csrf", token_of(client))
    headers = {name: value for name, value in {"Origin": "http://room.example:4300", **change}.items() if value}
    answer = client.post("/syncs", data={"csrf": csrf, "source": "https://feeds.example/f"}, headers=headers)
    assert answer.status_code == status
    reader = signed_in(open_to_all, "bo")
    asked = {"csrf": token_of(reader), "source": "https://feeds.example/f"}
    assert reader.post("/syncs", data=asked, headers={"Origin": "http://room.example:4300"}).status_code == 403


def test_on_loopback_reading_is_open_and_changing_is_not(client: TestClient) -> None:
    assert client.get("/api/v1/sources").status_code == 200
    same = {"Origin": f"http://{HOST}:4300"}
    for path in ("/api/v1/syncs", "/syncs", "/logout"):
        assert client.post(path, json={"source": "https://a.example/f"}, headers=same).status_code == 401, path


def test_editors_try_again_what_failed(open_to_all: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def start(_: str | None, request: dict[str, Any], ui: str | None) -> dict[str, str]:
        asked.append(request)
        return {"name": "a-run"}

    monkeypatch.setattr(pages, "start_sync", start)
    with open_to_all.database.session() as session:
        execute(session, "UPDATE video SET state = 'retrying', reason = 'sign_in_required', remedy = 'Give cookies.'")
    client = signed_in(open_to_all, "ada")
    assert "Give cookies." in client.get("/").text
    page = client.get("/videos", params={"source": "Channel One"}).text
    assert "Try again what failed" in page
    assert "Try again" not in signed_in(open_to_all, "bo").get("/videos", params={"source": "Channel One"}).text
    form = {"csrf": token_of(client), "source": "https://www.youtube.com/@one", "again": "all"}
    assert client.post("/syncs", data=form, headers={"Origin": "http://room.example:4300"}).status_code == 303
    assert asked == [{"source": "https://www.youtube.com/@one", "again": ["all"]}]


def test_editors_name_voices_watch_and_correct(open_to_all: Room) -> None:
    publish_voices(open_to_all.database, "v1", (0, 1))
    publish_voices(open_to_all.database, "v2", (2, 1))
    client, reader = signed_in(open_to_all, "ada"), signed_in(open_to_all, "bo")
    csrf, origin = token_of(client), {"Origin": "http://room.example:4300"}

    def post(path: str, **form: str) -> int:
        refused = reader.post(path, data={**form, "csrf": token_of(reader)}, headers=origin)
        assert refused.status_code == client.post(path, data=form, headers=origin).status_code == 403
        return client.post(path, data={**form, "csrf": csrf}, headers=origin).status_code

    numbers = [voice.number for voice in open_to_all.database.run(voices.listed)]
    assert len(numbers) == 3
    assert post("/voices/name", voice=f"{numbers[0]}", name="Ada Lovelace") == 303
    assert post("/voices/name", voice="99", name="Nobody") == 400
    assert post("/voices/merge", voice=f"{numbers[1]}", into=f"{numbers[0]}") == 303
    assert [voice.name for voice in open_to_all.database.run(voices.listed)].count("Ada Lovelace") == 1
    page, shown = client.get("/voices").text, reader.get("/voices").text
    assert 'value="Ada Lovelace"' in page and "Ada Lovelace" in shown and "/voices/name" not in shown
    assert post("/watches", query="haarlem OR zoo", source="Channel One") == 303
    assert post("/watches", query="") == post("/watches", query="x", source="nobody") - 4 == 400
    page, shown = client.get("/watches").text, reader.get("/watches").text
    assert "haarlem OR zoo" in shown and "/watches/remove" in page and "/watches/remove" not in shown
    assert client.get("/watches/haarlem-or-zoo.atom").status_code == 200
    assert open_to_all.store.exists("watches/haarlem-or-zoo.atom")
    assert post("/watches/remove", watch="haarlem-or-zoo") == 303
    assert "Nothing is watched for." in client.get("/watches").text
    assert not open_to_all.store.exists("watches/haarlem-or-zoo.atom")
    assert f'action="/v/{SITE}/v1/correct"' in client.get(f"/v/{SITE}/v1").text
    assert f'action="/v/{SITE}/v1/correct"' not in reader.get(f"/v/{SITE}/v1").text
    assert post(f"/v/{SITE}/v1/correct", at="0:03", old="elephants", new="Loxodon") == 303
    assert post(f"/v/{SITE}/v1/correct", at="soon", old="elephants", new="Loxodon") == 400
    assert "Loxodon" in reader.get(f"/v/{SITE}/v1").text


def behind_a_proxy(room: Room, **more: Any) -> Room:
    given = {"user_header": "X-Remote-User", "proxies": ("127.0.0.0/8",), "editors": ("ada",), **more}
    web = room.settings.web.model_copy(update=given)
    return Room(room.database, room.store, room.settings.model_copy(update={"web": web}), room.logins, HOST)


def test_a_proxy_says_who_asks(room: Room) -> None:
    behind = behind_a_proxy(room)
    client = client_of(behind)
    assert client.get("/api/v1/sources").status_code == 401  # on loopback, too: others come through the proxy
    assert client.get("/api/v1/sources", headers={"X-Remote-User": "bo"}).status_code == 200
    assert 'name="source"' in client.get("/", headers={"X-Remote-User": "ada"}).text
    assert 'name="source"' not in client.get("/", headers={"X-Remote-User": "bo"}).text
    twice = client.get("/", headers=[("X-Remote-User", "bo"), ("X-Remote-User", "ada")])
    assert twice.status_code == 400
    elsewhere = client_of(behind_a_proxy(room, proxies=("10.0.0.0/8",)))
    assert elsewhere.get("/api/v1/sources", headers={"X-Remote-User": "ada"}).status_code == 401


def test_names_of_others_are_not_answered_to(client: TestClient, room: Room) -> None:
    for host in ("evil.example", "evil.example:4300", "127.0.0.1.evil.example", "", "a b", "[::1", "localhost@evil"):
        assert client.get("/api/v1/sources", headers={"Host": host}).status_code == 421, host
    for host in ("localhost:4300", "127.0.0.1", "[::1]:4300", "LOCALHOST"):
        assert client.get("/api/v1/sources", headers={"Host": host}).status_code == 200, host
    web = room.settings.web.model_copy(update={"hosts": ("room.example",)})
    named = Room(room.database, room.store, room.settings.model_copy(update={"web": web}), room.logins, HOST)
    assert client_of(named, "room.example").get("/api/v1/sources").status_code == 200


def test_who_asks_too_much_waits(room: Room) -> None:
    web = room.settings.web.model_copy(update={"requests_per_second": 0.2})
    client = client_of(
        Room(room.database, room.store, room.settings.model_copy(update={"web": web}), room.logins, HOST)
    )
    statuses = [client.get("/health").status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]


def test_slow_and_large_bodies_are_refused(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "BODY_SECONDS", 0.2)
    editor = room.logins.add_token("maker", "editor")
    head = f"POST /api/v1/syncs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {editor}\r\n"
    with served(create_app(room)) as url:
        port = int(url.rpartition(":")[2])
        assert raw(port, head + "Content-Length: 100\r\n\r\nabc") == 408
        assert raw(port, head + "Content-Length: 99999999\r\n\r\n") == 413
        chunk = "10000\r\n" + "x" * 0x10000 + "\r\n"
        assert raw(port, head + "Transfer-Encoding: chunked\r\n\r\n" + chunk * 3 + "0\r\n\r\n") == 413


def raw(port: int, text: str | bytes) -> int:
    """The status that bytes on the wire are answered with; 0 where the connection is closed without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            connection.sendall(text if isinstance(text, bytes) else text.encode("latin-1"))
            answer = connection.recv(4096)
        except ConnectionError:
            return 0
    return int(answer.split()[1]) if answer else 0


@pytest.fixture(scope="module")
def port_of_all(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    room = room_on(library.fill(two_videos), tmp_path_factory.mktemp("served"))
    (room.settings.data_dir / "secret.txt").write_text("canary")
    with served(create_app(room)) as url:
        yield int(url.rpartition(":")[2])


@pytest.fixture
def port(port_of_all: int) -> Iterator[int]:
    yield port_of_all
    assert raw(port_of_all, get("/api/v1/sources")) == 200  # it goes on


def get(path: str, *headers: str) -> str:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers, "", ""])


HOSTILE = {
    "traversal": get("/static/../../../../etc/passwd"),
    "traversal, encoded": get("/static/%2e%2e%2f%2e%2e%2fsecret.txt"),
    "traversal, twice": get("/static/%252e%252e%252fsecret.txt"),
    "traversal in a site": get("/api/v1/videos/..%2f..%2f/secret.txt/audio"),
    "traversal in an id": get(f"/api/v1/videos/{SITE}/..%2f..%2fsecret/files/txt"),
    "backslashes": get("/static/..\\..\\secret.txt"),
    "NUL in an id": get(f"/api/v1/videos/{SITE}/a%00b"),
    "NUL in a filter": get("/api/v1/videos?source=%00"),
    "not UTF-8": get("/api/v1/videos/%ff%fe/%c0%ae"),
    "an absolute address": get("http://evil.example/api/v1/sources"),
    "a proxy's request": "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "no host": "GET / HTTP/1.1\r\n\r\n",
    "another host": get("/").replace("127.0.0.1", "evil.example"),
    "two hosts": get("/", "Host: evil.example"),
    "SQL in an id": get(f"/api/v1/videos/{SITE}/'%20OR%201=1--"),
    "SQL in a filter": get("/api/v1/videos?state=published'%20OR%201=1--"),
    "SQL in a source": get("/api/v1/videos?source=%25'%20OR%201=1--"),
    "a cursor of others": get("/api/v1/videos?after=WyIwMDAwMDAwMCIsMSwxXQ"),
    "a cursor of nonsense": get("/api/v1/videos?after=%ff"),
    "a cursor beyond numbers": get("/api/v1/search?q=zoo&after=WyIwMDAwMDAwMCIsMWU5OTksMSwxLDFd"),
    "a deep cursor": get("/api/v1/videos?after=" + "W1tb" * 90),
    "a version beyond numbers": get(f"{V}/transcript?version=99999999999999999999"),
    "a negative limit": get("/api/v1/videos?limit=-1"),
    "a huge limit": get("/api/v1/videos?limit=1000000"),
    "an address without end": get("/api/v1/search?q=" + "a" * 9000),
    "a header without end": get("/", "X-Long: " + "a" * 70_000),
    "many headers": get("/", *(f"X-{n}: {n}" for n in range(5000))),
    "a header in a header": get(f"{V}/files/txt%0d%0aSet-Cookie:%20a=b"),
    "a change by GET": get("/logout"),
    "a change without a login": "POST /syncs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
    "a body told twice": "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 0\r\n\r\nabc",
    "smuggling": "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a method of nobody": "PROPFIND / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n",
    "TRACE": "TRACE / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,
    "a range of the end of numbers": get(f"{V}/audio", "Range: bytes=99999999999999999-"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_requests_get_nothing(port: int, name: str) -> None:
    status = raw(port, HOSTILE[name])
    assert status == 0 or 400 <= status < 500, name


@pytest.mark.parametrize(
    "cookie",
    ["", "x", "a" * 3000, "bnVsbA==", "W10=", COOKIE, "../../x", "\x00", "W251bGwsIDEsIG51bGxd" * 4, "é"],
)
def test_forged_cookies_are_nobodys(open_to_all: Room, cookie: str) -> None:
    client = client_of(open_to_all, "room.example")
    headers = {"Cookie": f"{COOKIE}={cookie}".encode("latin-1")}
    assert client.get("/api/v1/sources", headers=headers).status_code == 401


def test_a_login_leads_nowhere_else() -> None:
    for to in ("//evil.example", "https://evil.example", "/\\evil.example", "\n/x", "javascript:alert(1)", ""):
        assert pages._inside(to) == "/"
    assert pages._inside("/v/a/b?version=1") == "/v/a/b?version=1"


def test_syncs_are_asked_of_prefect(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for Prefect's two routes; tests/deployments/test_deploy.py asks the real ones."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    asked: list[Any] = []

    async def deployment(_: Request) -> JSONResponse:
        return JSONResponse({"id": "d-1"})

    async def run(request: Request) -> JSONResponse:
        asked.append(await request.json())
        if asked[-1]["parameters"]["request"].get("limit") == 0:
            return JSONResponse({"detail": "limit is less than 1"}, 409)
        return JSONResponse({"id": "r-1", "name": "brave-fox"}, 201)

    routes = [
        Route("/api/deployments/name/sync-channel/channel-sync", deployment),
        Route("/api/deployments/d-1/create_flow_run", run, methods=["POST"]),
    ]
    client, token = client_of(room), {"Authorization": f"Bearer {room.logins.add_token('maker', 'editor')}"}
    with served(Starlette(routes=routes)) as url:
        room.prefect_api_url = lambda: f"{url}/api"
        answer = client.post("/api/v1/syncs", json={"source": "https://a.example/f", "limit": 3}, headers=token)
        assert (answer.status_code, answer.json()) == (
            202, {"flow_run": "r-1", "name": "brave-fox", "url": f"{url}/runs/flow-run/r-1"},
        )  # fmt: skip
        refused = client.post("/api/v1/syncs", json={"source": "https://a.example/f", "limit": 0}, headers=token)
        assert (refused.status_code, "less than 1" in refused.json()["detail"]) == (400, True)
    assert asked[0]["parameters"] == {"request": {"source": "https://a.example/f", "limit": 3}}
    for source in ("file:///etc/passwd", "https://me:secret@a.example", "x"):
        wrong = client.post("/api/v1/syncs", json={"source": source}, headers=token)
        assert (wrong.status_code, json.loads(wrong.text)["reason"]) == (400, "usage")
