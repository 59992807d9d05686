"""Secrets are found nowhere: canaries as every secret setting, runs that succeed and runs that fail, then a search.

The stack is one of its own, with what a server has: a database with a password, S3, a Prefect API with credentials,
a proxy with a password, cookies, PO tokens. Everything logs at DEBUG. What is searched: all that Prefect keeps (its
database's file: parameters, logs, events, artifacts, variables, block documents), the data folder with its logs and
results, all rows of PostgreSQL and its files, all objects of the store, what commands print, and the command lines of
all processes while they run.
"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import HTTPRedirectHandler, Request, build_opener

import boto3  # type: ignore[import-untyped]
import psutil
import psycopg
import pytest
from moto.server import ThreadedMotoServer
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from psycopg import sql

from blocks import BLOCKS, SiteAccessBlock, SpeechModelsBlock
from channelscribe.local_stack import running_addresses
from channelscribe.local_stack.postgres import temporary_server
from channelscribe.sample import world
from channelscribe.settings import Settings
from tests.conftest import ON_SAMPLE, Ended, clean_environment
from tests.e2e.syncing import Syncs
from tests.standin.site import StandinSite, Video

pytestmark = [pytest.mark.long, pytest.mark.stack, pytest.mark.speech, pytest.mark.timeout(600)]

NAMES = (
    *("database", "accesskey", "secretkey", "hub", "cookie", "proxy", "token", "api"),
    *("blockcookie", "blockproxy", "blocktoken", "blockhub", "said", "redirect", "login", "feedtoken"),
)
# Letters and digits only: the same in a URL, in JSON and in a repr. CONTROL is no secret, and has to be found.
CORES = {name: f"Canary{name}7f3a9c" for name in NAMES}
CONTROL = "Controltitle7f3a9c"


def secret(name: str) -> str:
    """The whole of it has to be escaped in a URL, so that hiding one form of it does not hide the other."""
    return f"{CORES[name]}/@:{CORES[name]}"


def forms(core: str) -> list[bytes]:
    """As it is, and in base64, wherever in a longer text it stands."""
    found = [core.encode()]
    for shift in range(3):
        whole = base64.b64encode(b"x" * shift + core.encode())
        # The first characters hold what is before it, the last ones what comes after it.
        found.append(whole[(0, 2, 3)[shift] : -4 if whole.endswith(b"=") else None])
    return found


# Each call names what of its environment is changed, and how to.
ALL = """
import json, os, sys
from flows.cli import main
codes = []
for changed, arguments in json.loads(sys.argv[1]):
    os.environ.update({name: os.environ[f"NOWHERE_{name}"] for name in changed})
    codes.append(main([os.environ.get(word, word) for word in arguments]))
    sys.stdout.flush()
print("exit codes", codes)
"""

SOUGHT = {form: name for name, core in CORES.items() for form in forms(core)}


@dataclass
class Haystack:
    """What was searched, and the secrets that were found: where, and which."""

    found: list[str] = field(default_factory=list)
    controls: set[str] = field(default_factory=set)

    def search(self, kind: str, where: str, content: bytes) -> None:
        if CONTROL.encode() in content:
            self.controls.add(kind)
        for form, name in SOUGHT.items():
            place = content.find(form)
            if place >= 0:
                about = content[max(0, place - 200) : place + 80]
                self.found.append(f"{name} in {kind} {where}: …{about!r}…")


class _Redirects(HTTPRedirectHandler):
    """Whoever asks is told of a redirect."""

    def redirect_request(self, *_: object) -> None:
        return None


class _Proxy(BaseHTTPRequestHandler):
    """Passes absolute URLs on to whom they are for; refuses those who do not know the password."""

    def do_GET(self) -> None:
        wanted = base64.b64encode(f"user:{secret('proxy')}".encode()).decode()
        if self.headers.get("Proxy-Authorization") != f"Basic {wanted}":
            self.send_error(407)
            return
        try:
            headers = {name: value for name, value in self.headers.items() if name == "Authorization"}
            with build_opener(_Redirects).open(Request(self.path, headers=headers)) as answer:
                content = answer.read()
        except HTTPError as error:
            answer, content = error, error.read()
        self.send_response(answer.status)
        for name in ("Content-Type", "Location"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Leading(BaseHTTPRequestHandler):
    """Redirects to an address with a password and a signature in it, where nothing is."""

    def do_GET(self) -> None:
        if "feed" not in self.path:
            self.send_error(404)
            return
        password = quote(secret("redirect"), safe="")
        self.send_response(302)
        self.send_header("Location", f"http://user:{password}@{self.headers['Host']}/gone.xml?sig={CORES['redirect']}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        pass


class _Private(BaseHTTPRequestHandler):
    """A feed with one episode, behind a password and a token in the query, as private podcasts are."""

    def do_GET(self) -> None:
        wanted = base64.b64encode(f"me:{secret('login')}".encode()).decode()
        path, _, query = self.path.partition("?")
        if self.headers.get("Authorization") != f"Basic {wanted}" or query != f"token={CORES['feedtoken']}":
            self.send_error(401)
            return
        media = f"http://{self.headers['Host']}/episode.mp3?token={CORES['feedtoken']}"
        feed = f"""<rss version="2.0"><channel><title>Private</title><item><title>Mine</title><guid>mine</guid>
            <enclosure url="{media}" length="1" type="audio/mpeg"/></item></channel></rss>"""
        episode = next(each.path for each in world.episodes() if each.media.endswith(".mp3"))
        content = feed.encode() if path == "/feed.xml" else episode.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "application/rss+xml" if path == "/feed.xml" else "audio/mpeg")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """HOST:PORT."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@contextmanager
def object_store() -> Iterator[tuple[str, object]]:
    """The endpoint of an S3 server with a bucket `library`, and a client."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1"
    )
    client.create_bucket(Bucket="library")
    yield endpoint, client
    server.stop()


@contextmanager
def watched_command_lines(haystack: Haystack) -> Iterator[None]:
    """All processes of this machine, a few times a second."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.25):
            for process in psutil.process_iter(["cmdline"]):
                line = "\0".join(process.info["cmdline"] or []).encode(errors="replace")
                if any(form in line for form in SOUGHT):
                    haystack.search("command line", process.name(), line)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    yield
    over.set()
    thread.join()


def cookies(core: str) -> str:
    return f"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\t{core}\n"


def environment(data: Path, database: str, endpoint: str, proxy: str) -> dict[str, str]:
    """A server's settings, each secret a canary."""
    password = quote(secret("database"), safe="")
    auth = f"user:{secret('api')}"
    return clean_environment(data) | {
        "CHANNELSCRIBE_LOG_LEVEL": "DEBUG",
        "PREFECT_LOGGING_LEVEL": "DEBUG",
        "CHANNELSCRIBE_DATABASE__URL": database.replace("@", f":{password}@", 1),
        "CHANNELSCRIBE_STORE__URL": "s3://library/media",
        "CHANNELSCRIBE_STORE__ENDPOINT_URL": endpoint,
        "CHANNELSCRIBE_STORE__ACCESS_KEY": secret("accesskey"),
        "CHANNELSCRIBE_STORE__SECRET_KEY": secret("secretkey"),
        "CHANNELSCRIBE_STORE__REGION": "us-east-1",
        "CHANNELSCRIBE_SPEECH__HUB_TOKEN": secret("hub"),
        "CHANNELSCRIBE_SOURCES__COOKIES": cookies(secret("cookie")),
        "CHANNELSCRIBE_SOURCES__PROXY": f"http://user:{quote(secret('proxy'), safe='')}@{proxy}",
        "CHANNELSCRIBE_SOURCES__EXTRACTOR_ARGS": f"youtube:po_token=web.gvs+{secret('token')}",
        "PREFECT_SERVER_API_AUTH_STRING": auth,
        "PREFECT_API_AUTH_STRING": auth,
    }


def plant_blocks(api: str, proxy: str) -> None:
    """Documents of an operator: cookies that are no cookies, a password that the proxy refuses."""
    with temporary_settings({PREFECT_API_URL: api, PREFECT_API_AUTH_STRING: f"user:{secret('api')}"}):
        for kind in BLOCKS:
            kind.register_type_and_schema()
        SiteAccessBlock(
            cookies=f"session={secret('blockcookie')}",
            extractor_args=f"youtube:po_token=web.gvs+{secret('blocktoken')}",
        ).save("wrong-cookies")
        wrong = f"http://user:{quote(secret('blockproxy'), safe='')}@{proxy}"
        SiteAccessBlock(cookies=cookies(secret("blockcookie")), proxy=wrong).save("refused-by-proxy")
        SpeechModelsBlock(hub_token=secret("blockhub")).save("models")


def run_all(given: dict[str, str], private: str) -> Ended:
    """What an operator runs beside syncs, a sync of a `private` feed among it; the last two where neither proxy nor
    database is.

    One process for all of them: what it imports costs more than what it does.
    """
    password = {name: quote(secret(name), safe="") for name in ("database", "proxy")}
    nowhere = {
        "CHANNELSCRIBE_DATABASE__URL": f"postgresql://u:{password['database']}@127.0.0.1:9/x",
        "CHANNELSCRIBE_SOURCES__PROXY": f"http://user:{password['proxy']}@127.0.0.1:9",
    }
    calls: list[tuple[dict[str, str], list[str]]] = [
        ({}, ["deploy"]),
        ({}, ["doctor", "--set", "sources.access=refused-by-proxy", "--set", "speech.block=models"]),
        ({}, ["sync", "PRIVATE_FEED", "--json", *ON_SAMPLE]),
        ({}, ["search", "the", "--channel", "PRIVATE_FEED", "--json"]),
        ({}, ["search", "the"]),
        ({}, ["export", "Private"]),
        ({}, ["config", "show", "--json"]),
        ({}, ["config", "show"]),
        ({}, ["status"]),
        (nowhere, ["status"]),
        (nowhere, ["canary", "http://media.invalid/feed.xml"]),
    ]
    done = subprocess.run(
        [sys.executable, "-c", ALL, json.dumps([(list(more), arguments) for more, arguments in calls])],
        env=given | {f"NOWHERE_{name}": value for name, value in nowhere.items()} | {"PRIVATE_FEED": private},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def rows_of(url: str) -> Iterator[tuple[str, bytes]]:
    """Every table of ours as text, but for the column in which addresses are kept whole."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            query = sql.SQL("SELECT (to_jsonb(t) - 'private_url')::text FROM {} t").format(sql.Identifier(table))
            rows = connection.execute(query).fetchall()
            yield table, "\n".join(row[0] for row in rows).encode()


def test_no_secret_is_found_anywhere(tmp_path: Path) -> None:
    haystack = Haystack()
    data = tmp_path / "data"
    with ExitStack() as here:
        # Not pytest's folder: as root it is closed to the user that PostgreSQL runs as.
        folder = Path(here.enter_context(tempfile.TemporaryDirectory(prefix="canary-", ignore_cleanup_errors=True)))
        database = here.enter_context(temporary_server(folder / "postgres"))
        endpoint, objects = here.enter_context(object_store())
        proxy = here.enter_context(serving(_Proxy))
        given = environment(data, database.url, endpoint, proxy)
        leading = here.enter_context(serving(_Leading))
        login, host = quote(secret("login"), safe=""), here.enter_context(serving(_Private))
        private = f"http://me:{login}@{host}/feed.xml?token={CORES['feedtoken']}"
        site = here.enter_context(StandinSite())
        password = quote(secret("said"), safe="")
        refusal = f"Look at https://user:{password}@example.org/x?sig={CORES['said']} instead"
        channel = site.channel(
            "canaries",
            Video("good", title=CONTROL),
            Video("refused", says=refusal, says_as="unexpected"),
        )
        here.enter_context(watched_command_lines(haystack))
        errors = here.enter_context((tmp_path / "stderr").open("wb+"))
        with Syncs(data, given, errors) as syncs:
            assert syncs(channel.url, {"sources.budgets": {}})["published"] == 1
            assert site.requests  # through the proxy
            plant_blocks(running_addresses(Settings(data_dir=data)).prefect_api_url or "", proxy)
            with ThreadPoolExecutor(1) as beside:
                commands = beside.submit(run_all, given, private)
                failures = [
                    syncs(channel.url, {"sources.access": "wrong-cookies"}),
                    syncs(channel.url, {"sources.access": "refused-by-proxy", "speech.block": "models"}),
                    syncs(f"http://{leading}/feed.xml"),
                    syncs(site.video_url("refused")),
                ]
                ended = commands.result()
        assert [failure["reason"] for failure in failures] == ["cookies", "proxy", "not_found", "source_error"]
        deployed, _of_doctor, *others = json.loads(ended.out.rpartition("exit codes ")[2])
        # What the doctor misses depends on the models of this machine.
        assert (deployed, others) == (0, [0, 0, 0, 0, 0, 0, 0, 1, 1]), str(ended)
        haystack.search("output", "of commands", f"{ended.out}\n{ended.err}".encode())
        haystack.search("output", "stderr", (tmp_path / "stderr").read_bytes())
        haystack.search("output", "summaries", repr(failures).encode())
        for table, rows in rows_of(database.url):
            haystack.search("row", table, rows)
        for item in objects.get_paginator("list_objects_v2").paginate(Bucket="library").search("Contents"):  # type: ignore[attr-defined]
            body = objects.get_object(Bucket="library", Key=item["Key"])["Body"].read()  # type: ignore[attr-defined]
            haystack.search("object", item["Key"], item["Key"].encode() + b"\n" + body)
        kept = {"login", "feedtoken"}  # in columns of PostgreSQL, and so in its files
        for kind, root in (("file", data), ("PostgreSQL's file", folder)):
            for path in root.rglob("*"):
                if path.is_file():
                    haystack.search(kind, str(path.relative_to(root)), path.read_bytes())
    found = [each for each in haystack.found if not (each.split(" in ")[0] in kept and "PostgreSQL's file" in each)]
    assert not found, "\n".join(found)
    # The search does find things: the title of the video is where titles are.
    assert haystack.controls >= {"file", "row", "object", "PostgreSQL's file"}


def test_the_search_finds_what_is_hidden_in_a_longer_text() -> None:
    for shift in range(4):
        for tail in ("", "a", "bc"):
            whole = f"{'u' * shift}{CORES['api']}{tail}".encode()
            haystack = Haystack()
            haystack.search("base64", "", base64.b64encode(whole))
            assert haystack.found, (shift, tail)
