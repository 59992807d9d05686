"""The pages: Jinja2 templates over the same functions as the API, readable and searchable without JavaScript.

Whoever looks for React or Vue: there is none. A page is HTML from here; `static/*.js` are small modules, one for each
thing that moves, served as they are. `site` writes the same templates into a folder; what differs are the links.
"""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from functools import cache
from importlib import resources
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from channelscribe.catalogue import transcripts
from channelscribe.catalogue.meaning import current_index
from channelscribe.catalogue.search import HIGHLIGHT
from channelscribe.catalogue.search_query import LONGEST_QUERY, Question
from channelscribe.errors import ModelUnavailable, StackError, UnknownVideo, UsageError
from channelscribe.files import content_key
from channelscribe.transcript import FILE_FORMATS
from channelscribe.web import models, records
from channelscribe.web.access import COOKIE, SESSION_SECONDS
from channelscribe.web.answers import answer
from channelscribe.web.api import difference, names_in, search_page
from channelscribe.web.syncs import start_sync

if TYPE_CHECKING:
    from channelscribe.catalogue.connection import Transaction
    from channelscribe.web.app import Room

__all__ = ["Links", "error_page", "fields_of", "known_of", "pages", "rendered", "sent_token", "video_context"]

HUES = 8
PASSWORDS_AT_ONCE = 2
LONGEST_TURN = 60.0
"""Seconds of one speaker after which a new paragraph begins."""
DOUBTS = {
    "no_text": "speech was heard but no word was recognized",
    "repetitive": "the text says the same again and again",
    "unsure": "the recognizer was unsure of its words",
    "too_fast": "more words than anybody says in that time",
    "too_sparse": "far fewer words than speech",
    "gaps": "sound between the words of hurried talk, of which some may be missing",
    "boilerplate": "a phrase that recognizers invent where nobody speaks",
    "invented": "words where the recognizer itself hears no speech, or has no time for them",
}
"""As `channelscribe.speech.quality_gate.FLAGS`, which is not loaded for it: a test compares the two."""
FIELDS = (
    ("channel", "Source"), ("speaker", "Speaker"), ("entity", "Name"), ("since", "From"), ("until", "To"),
    ("language", "Language"),
)  # fmt: skip
FACETS = (
    ("channel", "Source"), ("speaker", "Speaker"), ("year", "Year"), ("language", "Language"), ("entity", "Name"),
)  # fmt: skip
LABELS = ("", "PERSON", "ORG", "GPE", "DATE")


class Links:
    """Where things are, of a room that is served."""

    live = True

    def rooms(self) -> Sequence[tuple[str, str]]:
        return (
            ("home", "Library"), ("search", "Search"), ("voices", "Voices"), ("names", "Names"),
            ("watches", "Watches"), ("activity", "Activity"),
        )  # fmt: skip

    def room(self, name: str) -> str:
        return "/" if name == "home" else f"/{name}"

    def home(self) -> str:
        return "/"

    def static(self, name: str) -> str:
        return f"/static/{name}?{assets()[name][2]}"

    def search(self, **query: Any) -> str:
        return _with("/search", query)

    def source(self, source: dict[str, Any]) -> str:
        return _with("/videos", {"source": source.get("url") or source["title"]})

    def video(self, video: dict[str, Any], *, at: float | None = None, version: int | None = None) -> str:
        place = f"/v/{quote(video['site'], safe='')}/{quote(video['video'], safe='')}"
        return _with(place, {"version": version}) + (f"#t={as_place(at)}" if at is not None else "")

    def changes(self, video: dict[str, Any]) -> str:
        return f"{self.video(video)}/changes"

    def words(self, video: dict[str, Any], version: records.TranscriptVersion) -> str:
        return f"{self._api(video)}/words?version={version.version}"

    def file(self, video: dict[str, Any], name: str, version: records.TranscriptVersion) -> str:
        return f"{self._api(video)}/files/{name}?version={version.version}"

    def audio(self, video: dict[str, Any]) -> str | None:
        return f"{self._api(video)}/audio"

    def _api(self, video: dict[str, Any]) -> str:
        return f"/api/v1/videos/{quote(video['site'], safe='')}/{quote(video['video'], safe='')}"


def _with(path: str, query: dict[str, Any]) -> str:
    given = {name: value for name, value in query.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


@cache
def assets() -> dict[str, tuple[bytes, str, str]]:
    """Content, type and the first digits of the sha256 of each file that pages need."""
    found = {}
    for file in resources.files("channelscribe.web").joinpath("static").iterdir():
        content = file.read_bytes()
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        found[file.name] = (content, kind, hashlib.sha256(content).hexdigest()[:12])
    return found


def as_clock(seconds: float) -> str:
    """93.4 as 01:33, 3700 as 1:01:40."""
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def as_place(seconds: float) -> str:
    """Seconds as `#t=` has them: 93.4."""
    return f"{max(seconds, 0):.2f}".rstrip("0").rstrip(".")


def as_length(seconds: float | None) -> str:
    """93.4 as "1 min", 5400 as "1 h 30 min"."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def as_marked(text: str) -> Iterator[tuple[str, bool]]:
    """The parts of a highlighted text, and whether each is what was looked for."""
    for place, part in enumerate(text.split(HIGHLIGHT)):
        if part:
            yield part, place % 2 == 1


def as_web(url: str) -> str:
    """`url` where it is one that a link may have; sites say what they like."""
    try:
        return url if urlsplit(url).scheme in ("http", "https") else ""
    except ValueError:
        return ""


@cache
def templates() -> Environment:
    made = Environment(
        loader=PackageLoader("channelscribe.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        auto_reload=False,
    )
    made.filters.update(
        clock=as_clock,
        place=as_place,
        lasting=as_length,
        marked=as_marked,
        web=as_web,
        number=lambda value: f"{value:,}",
        words=lambda code: str(code).replace("_", " "),
        day=lambda day: f"{day.day} {day:%B %Y}",
    )
    return made


def rendered(name: str, link: Any, **context: Any) -> bytes:
    """A page as bytes."""
    given = {"link": link, "here": "", "user": None, "csrf": None, "may_sign_in": False, "canonical": None, **context}
    return templates().get_template(name).render(given).encode("utf-8", "replace")


def video_context(
    connection: Transaction,
    found: dict[str, Any],
    version: records.TranscriptVersion | None,
    segments: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """What the template of a video shows of one version of its transcript, whose rows may be at hand."""
    if version is None:
        return {"video": found, "version": None}
    if segments is None:
        segments = records.transcript(connection, version, words=False)
    speakers = records.speakers_of(connection, version)
    for place, speaker in enumerate(speakers):
        speaker["hue"] = place % HUES
    hues = {speaker["label"]: speaker["hue"] for speaker in speakers}
    turns = list(_turns(segments, hues, version))
    said = [each for turn in turns for each in turn["said"]]
    doubts = [each for each in said if each["doubt"]]
    return {
        "video": found,
        "version": version,
        "turns": turns,
        "speakers": speakers,
        "entities": [(kind, found) for kind, found in _by_kind(records.entities_of(connection, version, 300)) if found],
        "doubts": doubts,
        "lanes": _lanes(speakers, doubts, found["chapters"], version.duration),
        "formats": FILE_FORMATS,
        "excerpt": " ".join(each["text"] for each in said[:4])[:300],
    }


KINDS = (
    ("People", ("PERSON",)), ("Places", ("GPE", "LOC", "FAC")), ("Organizations", ("ORG", "NORP")),
    ("Works, products, events", ("WORK_OF_ART", "PRODUCT", "EVENT", "LAW")), ("Dates", ("DATE",)),
)  # fmt: skip
"""What is told of the names in a video, in this order; of dates those that a reader could look up. Numbers and amounts
are no names.
"""
MOST_OF_A_KIND = 20
_A_DAY = re.compile(r"\d{4}|\d+(?:st|nd|rd|th)?\s+\w{3,}|\w{3,}\s+\d+")


def _by_kind(entities: Sequence[dict[str, Any]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    for kind, labels in KINDS:
        found = [each for each in entities if each["label"] in labels]
        if kind == "Dates":
            found = [each for each in found if _A_DAY.search(each["name"])]
        yield kind, found[:MOST_OF_A_KIND]


def _turns(
    segments: Sequence[Any], hues: dict[str, int], version: records.TranscriptVersion
) -> Iterator[dict[str, Any]]:
    """Paragraphs: segments of one speaker, a minute of them at most. Each segment is a place that links can name."""
    numbered = [(n, row) for n, row in enumerate(segments) if row.text.strip()]
    seen: set[str] = set()
    for speaker, of_one in groupby(numbered, key=lambda each: version.called(each[1].speaker)):
        said: list[dict[str, Any]] = []
        for n, row in of_one:
            if said and row.start - said[0]["start"] > LONGEST_TURN:
                yield _turn(speaker, said, hues)
                said = []
            place = as_place(row.start)
            while place in seen:
                place += "0" if "." in place else ".0"
            seen.add(place)
            doubt = "; ".join(DOUBTS.get(flag, flag) for flag in row.flags)
            text = row.text.strip()
            said.append({"n": n, "id": place, "start": row.start, "end": row.end, "text": text, "doubt": doubt})
        if said:
            yield _turn(speaker, said, hues)


def _turn(speaker: str | None, said: list[dict[str, Any]], hues: dict[str, int]) -> dict[str, Any]:
    hue = hues.get(speaker or "", HUES - 1)
    return {"speaker": speaker, "hue": hue, "id": said[0]["id"], "start": said[0]["start"], "said": said}


MOST_LANES = 6
SMALLEST = 0.8
"""Thousandths of the width: shorter turns that lie together are drawn as one."""


def _lanes(
    speakers: Sequence[dict[str, Any]],
    doubts: Iterable[dict[str, Any]],
    chapters: Iterable[dict[str, Any]],
    whole: float,
) -> dict[str, Any] | None:
    """Rectangles of the picture who speaks when, 1000 wide; the six who speak most have a lane each."""
    if not speakers or whole <= 0:
        return None
    scale = 1000 / whole
    turns: list[list[Any]] = []
    for lane, speaker in enumerate(speakers[:MOST_LANES]):
        for start, end in sorted(speaker["turns"]):
            x, width = start * scale, max((end - start) * scale, 0.5)
            if turns and turns[-1][2] == lane and x - (turns[-1][0] + turns[-1][1]) < SMALLEST:
                turns[-1][1] = max(turns[-1][1], round(x + width - turns[-1][0], 1))
            else:
                turns.append([round(x, 1), round(width, 1), lane, speaker["hue"]])
    unsure = [
        (round(each["start"] * scale, 1), round(max(1, (each["end"] - each["start"]) * scale), 1)) for each in doubts
    ]
    ticks = [round(each["start"] * scale, 1) for each in chapters]
    return {"count": min(len(speakers), MOST_LANES), "turns": turns, "doubts": unsure, "chapters": ticks}


def error_page(request: Request, status: int, detail: str, remedy: str) -> Response:
    titles = {404: "Not here", 503: "Not now", 500: "Something went wrong"}
    body = rendered("error.html", Links(), title=titles.get(status, "Not like this"), detail=detail, remedy=remedy)
    return answer(request, body, "text/html; charset=utf-8", status=status)


def known_of(room: Room, request: Request) -> dict[str, Any]:
    """What every page knows of who asks."""
    return {"user": request.state.user, "csrf": request.state.csrf, "may_sign_in": bool(room.logins)}


def pages(room: Room) -> APIRouter:
    """The routes over one room."""
    router = APIRouter(default_response_class=Response, include_in_schema=False)
    database, link = room.database, Links()
    hashing = CapacityLimiter(PASSWORDS_AT_ONCE)

    def page(request: Request, name: str, *, etag: str | None = None, status: int = 200, **context: Any) -> Response:
        body = rendered(name, link, **known_of(room, request), **context)
        return answer(request, body, "text/html; charset=utf-8", etag=etag, status=status)

    @router.get("/static/{name}")
    def static(request: Request, name: str) -> Response:
        found = assets().get(name)
        if found is None:
            raise HTTPException(404)
        content, kind, digest = found
        forever = {"Cache-Control": "public, max-age=31536000, immutable"} if request.url.query == digest else {}
        return answer(request, content, f"{kind}; charset=utf-8", etag=f'"{digest}"', headers=forever)

    @router.get("/")
    def home(request: Request) -> Response:
        with database.connection() as connection:
            sources = records.sources(connection)
            now = records.activity(connection)
        totals = {name: sum(source[name] for source in sources) for name in ("transcripts", "hours")}
        return page(
            request, "home.html", here="home", sources=sources, totals=totals, running=now["running"], needs=_needs(now)
        )

    @router.get("/videos")
    def videos(request: Request, source: str = "", after: str | None = None) -> Response:
        asked = records.Asked(source=source[:2000] or None)
        with database.connection() as connection:
            found, more = records.videos(connection, asked, 100, after)
            known = records.sources(connection)
        wanted = source.lower()
        of_it = [each for each in known if wanted in ("", each["url"].lower(), each["title"].lower())]
        totals = {name: sum(each[name] for each in of_it) for name in ("videos", "transcripts", "hours")}
        about = {"title": "Episodes", "url": ""} if not source or not of_it else of_it[0]
        about = {**about, **totals}
        older = _with("/videos", {"source": source, "after": more}) if more else None
        return page(request, "videos.html", here="home", source=about, videos=found, next=older, feed=None)

    @router.get("/v/{site}/{video}")
    def video(request: Request, site: str, video: str, version: int | None = None) -> Response:
        with database.session() as connection:  # one for all that is asked: the pool is small
            found = records.video(connection, site, video)
            try:
                made = records.version_of(connection, found, version)
            except UnknownVideo:
                if version is not None:
                    raise
                made = None
            audio = link.audio(found) if records.archive(connection, found) else None
            rows = transcripts.versions(connection, found["pk"]) if made else []
            known = [transcripts.described(row, row.id == found["current_transcript_pk"]) for row in rows]
            user = request.state.user

            def whole() -> bytes:
                context = video_context(connection, found, made)
                return rendered("video.html", link, **context, audio=audio, versions=known, **known_of(room, request))

            about = {name: str(value) for name, value in found.items() if name != "retry_at"}
            asker = [user.name if user else None, request.state.csrf, user.role if user else None, bool(room.logins)]
            key = content_key("video", about, made and [made.pk, made.tag, made.reading_id], audio, known, asker)
            body, packed = room.recent.get(key, whole)
        return answer(request, body, "text/html; charset=utf-8", etag=f'"{key[:24]}"', packed=packed)

    @router.get("/v/{site}/{video}/changes")
    def changes(request: Request, site: str, video: str, old: int | None = None, new: int | None = None) -> Response:
        found = database.read(records.video, site, video)
        return page(request, "changes.html", video=found, found=difference(room, site, video, old, new))

    @router.get("/search")
    def search(request: Request) -> Response:
        given = {
            name: request.query_params.get(name, "")[:2000].strip() for name in ("q", "after", "by", *dict(FIELDS))
        }
        given["q"] = given["q"][:LONGEST_QUERY]
        after = given.pop("after") or None
        given["by"] = given["by"] if given["by"] in ("meaning", "both") else ""
        found, trouble = None, ""
        try:
            question = _question(given, room.settings.search.ignore_accents)
            if any(value for name, value in given.items() if name != "by"):
                found = search_page(room, question, 20, after, True)
        except (UsageError, ModelUnavailable) as error:
            trouble = str(error)
        chosen = [
            {"title": f"{title}: {given[name]}", "link": link.search(**(given | {name: ""}))}
            for name, title in FIELDS
            if given[name]
        ]
        more = link.search(**given, after=found["next"]) if found and found["next"] else None
        return page(
            request, "search.html", here="search", asked=given, fields=FIELDS, found=found, trouble=trouble,
            chosen=chosen, facets=list(_facets(found, given, link)), next=more,
            meaning=database.read(current_index) is not None,
        )  # fmt: skip

    @router.get("/names")
    def named(request: Request, label: str = "", channel: str = "") -> Response:
        told = names_in(room, channel[:2000] or None, label[:40] or None, 300)
        labels = [(each, _with("/names", {"label": each, "channel": channel})) for each in LABELS]
        return page(request, "names.html", here="names", names=told, labels=labels, chosen=label, channel=channel)

    @router.get("/activity")
    def activity(
        request: Request, state: str | None = None, reason: str | None = None, after: str | None = None, run: str = ""
    ) -> Response:
        found: list[dict[str, Any]] = []
        more: str | None = None
        with database.connection() as connection:
            now = records.activity(connection)
            if state or reason:
                found, more = records.videos(connection, records.Asked(state=state, reason=reason), 100, after)
        older = _with("/activity", {"state": state, "reason": reason, "after": more}) if more else None
        return page(
            request, "activity.html", here="activity", activity=now, videos=found, state=state, reason=reason,
            next=older, started=run[:100],
        )  # fmt: skip

    @router.get("/login")
    def login(request: Request, next: str = "/") -> Response:
        return page(request, "login.html", to=_inside(next), trouble="")

    @router.post("/login")
    async def log_in(request: Request) -> Response:
        form = await fields_of(request)
        name, to = form.get("name", "")[:64], _inside(form.get("next", "/"))
        address = request.state.address
        pause = room.access.pause(address, name)
        if pause > 0:
            made = page(
                request, "login.html", to=to, trouble=f"Wait {pause:.0f} seconds before another try.", status=429
            )
            made.headers["Retry-After"] = str(int(pause) + 1)
            return made
        password = form.get("password", "")
        if not await run_sync(room.access.log_in, address, name, password, limiter=hashing):
            return page(request, "login.html", to=to, trouble="The name or the password is wrong.", status=403)
        made = RedirectResponse(to, 303)
        made.set_cookie(
            COOKIE, room.logins.session(name), max_age=SESSION_SECONDS, path="/", secure=request.state.secure,
            httponly=True, samesite="strict",
        )  # fmt: skip
        return made

    @router.post("/logout")
    async def log_out(request: Request) -> Response:
        if not sent_token(request, await fields_of(request)):
            return error_page(request, 403, "The page's token is wrong.", "Load the page again.")
        made = RedirectResponse("/", 303)
        made.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return made

    @router.post("/syncs")
    async def sync(request: Request) -> Response:
        form = await fields_of(request)
        if not sent_token(request, form):
            return error_page(request, 403, "The page's token is wrong.", "Load the page again.")
        try:
            again = {"again": [form["again"]]} if form.get("again") else {}
            asked = models.SyncAsked.model_validate({"source": form.get("source", "").strip(), **again})
        except ValidationError:
            return error_page(request, 400, "This is no address of a source.", "It begins with https://.")
        try:
            made = await run_sync(start_sync, room.prefect_api_url(), asked.model_dump(), room.settings.web.prefect_ui)
        except (StackError, UsageError) as error:
            return error_page(request, 503, error.message, error.remedy)
        return RedirectResponse(_with("/activity", {"run": made["name"]}), 303)

    return router


def _question(given: dict[str, str], ignore_accents: bool) -> Question:
    asked: dict[str, Any] = {name: given[name] or None for name in ("channel", "speaker", "entity", "language")}
    for name in ("since", "until"):
        try:
            asked[name] = date.fromisoformat(given[name]) if given[name] else None
        except ValueError:
            raise UsageError(f"{given[name][:40]!r} is no day.", remedy="Give it as 2026-01-31.") from None
    return Question(given["q"], **asked, ignore_accents=ignore_accents, by=given["by"] or "words")


def _facets(found: dict[str, Any] | None, given: dict[str, str], link: Links) -> Iterator[dict[str, Any]]:
    """What narrows a search down, with how much is left."""
    for kind, title in (
        ("channel", "Source"),
        ("speaker", "Speaker"),
        ("year", "Year"),
        ("language", "Language"),
        ("entity", "Name"),
    ):
        counts = found["facets"][kind] if found else {}
        if kind == "year":
            if not (given["since"] or given["until"]) and len(counts) > 1:
                for year, hits in counts.items():
                    narrowed = given | {"since": f"{int(year):04d}-01-01", "until": f"{int(year):04d}-12-31"}
                    yield {"kind": title, "title": year, "hits": hits, "link": link.search(**narrowed)}
        elif not given[kind] and (len(counts) > 1 or kind == "entity"):
            for value, hits in counts.items():
                yield {"kind": title, "title": value, "hits": hits, "link": link.search(**(given | {kind: value}))}


def _needs(now: dict[str, Any]) -> list[dict[str, Any]]:
    """What a person can do something about, in sentences."""
    found = [
        {"what": f"{each['scope']} is left alone.", "why": each["message"], "remedy": each["remedy"], "link": None}
        for each in now["blocks"]
    ]
    for each in now["reasons"]:
        if each["state"] == "retrying" and each["remedy"]:
            count = f"{each['videos']} episode{'s' if each['videos'] != 1 else ''}"
            link = _with("/activity", {"state": each["state"], "reason": each["reason"]})
            words = each["reason"].replace("_", " ")
            found.append({"what": f"{count}: {words}.", "why": "", "remedy": each["remedy"], "link": link})
    return found


async def fields_of(request: Request) -> dict[str, str]:
    """Fields of an HTML form, each once. The guard has seen to it that the body is small."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise HTTPException(415, "A form is expected.")
    text = (await request.body()).decode("utf-8", "replace")
    try:
        return {name: values[0] for name, values in parse_qs(text, max_num_fields=20).items()}
    except ValueError:
        raise HTTPException(400, "This is no form.") from None


def sent_token(request: Request, form: dict[str, str]) -> bool:
    csrf: str | None = request.state.csrf
    return csrf is not None and hmac.compare_digest(form.get("csrf", "").encode(), csrf.encode())


def _inside(to: str) -> str:
    """A path of this room; nowhere else is gone to after a login."""
    good = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() and "\\" not in to
    return to[:2000] if good else "/"
