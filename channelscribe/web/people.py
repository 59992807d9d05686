"""The pages on which editors decide: whose voice it is, what is watched for, what was really said.

Readers see the same without the forms. Each change is a form that `channelscribe.web.guard` has let through: it came
from a page of the room, of an editor. What it does is what the commands `voices`, `watch` and `correct` do.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from channelscribe.catalogue import corrections, voices, watches
from channelscribe.catalogue.listings import known_channel, unknown_channel
from channelscribe.catalogue.voice_names import suggestions
from channelscribe.catalogue.watches import Watch
from channelscribe.errors import ChannelscribeError, UsageError
from channelscribe.notify.atom import remove_feed, write_feed
from channelscribe.web import records
from channelscribe.web.answers import answer, status_of
from channelscribe.web.pages import Links, error_page, fields_of, known_of, rendered, sent_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from channelscribe.web.app import Room

__all__ = ["people"]

MOST_VOICES = 200
A_MONTH = timedelta(days=30)


def people(room: Room) -> APIRouter:
    """The routes over one room."""
    router = APIRouter(default_response_class=Response, include_in_schema=False)
    database, link = room.database, Links()

    def page(request: Request, name: str, **context: Any) -> Response:
        body = rendered(name, link, **known_of(room, request), **context)
        return answer(request, body, "text/html; charset=utf-8")

    async def changed(request: Request, to: str, work: Callable[[dict[str, str], str], object]) -> Response:
        """The page `to` once `work` was done with the fields of the form, for who sent it."""
        form = await fields_of(request)
        if not sent_token(request, form):
            return error_page(request, 403, "The page's token is wrong.", "Load the page again.")
        try:
            await run_sync(work, form, request.state.user.name)
        except ChannelscribeError as error:
            return error_page(request, status_of(error), error.message, error.remedy)
        return RedirectResponse(to, 303)

    @router.get("/voices")
    def all_voices(request: Request, channel: str = "") -> Response:
        with database.connection() as connection:
            known = voices.listed(connection, channel[:2000] or None) if voices.has_voices(connection) else []
            shown = known[:MOST_VOICES]
            names = suggestions(connection, [voice for voice in shown if not voice.name], known)
        rows = [
            {
                "number": voice.number, "name": voice.name, "seconds": voice.seconds, "videos": voice.videos,
                "days": [day for day in dict.fromkeys(voice.days) if day],
                "clearest": voice.clearest and {"site": voice.clearest.site, "video": voice.clearest.video},
                "at": voice.clearest.longest[0] if voice.clearest else 0.0,
                "hints": [each.name for each in names.get(voice.number, ())],
            }
            for voice in shown
        ]  # fmt: skip
        return page(request, "voices.html", here="voices", voices=rows, more=len(known) - len(shown))

    @router.post("/voices/name")
    async def name(request: Request) -> Response:
        def work(form: dict[str, str], who: str) -> None:
            database.run(voices.name, form.get("voice", ""), form.get("name", ""), who)

        return await changed(request, "/voices", work)

    @router.post("/voices/merge")
    async def merge(request: Request) -> Response:
        def work(form: dict[str, str], who: str) -> None:
            database.run(voices.merge, [form.get("into", ""), form.get("voice", "")], who)

        return await changed(request, "/voices", work)

    @router.get("/watches")
    def all_watches(request: Request) -> Response:
        since = (datetime.now(UTC) - A_MONTH).date()
        known = database.read(watches.watches)
        tests = {
            each.name: link.search(q=each.query, channel=each.source, speaker=each.speaker, since=since)
            for each in known
        }
        return page(request, "watches.html", here="watches", watches=known, tests=tests)

    @router.post("/watches")
    async def watch(request: Request) -> Response:
        def work(form: dict[str, str], who: str) -> None:
            given = {each: form.get(each, "").strip() or None for each in ("query", "source", "speaker")}
            if not given["query"]:
                raise UsageError("A watch needs a query.", remedy="Give it as for a search.")
            if given["source"] and not database.read(known_channel, given["source"]):
                raise database.read(unknown_channel, given["source"])
            made = database.run(watches.add, Watch("", given["query"], given["source"], given["speaker"]))
            write_feed(database, room.store, made.name)

        return await changed(request, "/watches", work)

    @router.post("/watches/remove")
    async def remove(request: Request) -> Response:
        def work(form: dict[str, str], who: str) -> None:
            if database.run(watches.remove, form.get("watch", "")):
                remove_feed(room.store, form["watch"])

        return await changed(request, "/watches", work)

    @router.post("/v/{site}/{video}/correct")
    async def correct(request: Request, site: str, video: str) -> Response:
        found = database.read(records.video, site, video)

        def work(form: dict[str, str], who: str) -> None:
            with database.session() as session:
                made = corrections.correct(
                    session, found["pk"], seconds_of(form.get("at", "")), form.get("old", ""), form.get("new", "")
                )
                corrections.record(session, made, who)

        return await changed(request, link.video(found), work)

    return router


def seconds_of(clock: str) -> float:
    """1:01:40, 01:33.5 or 93.5 in seconds. Raises UsageError."""
    total = 0.0
    try:
        for part in clock.strip().split(":"):
            total = total * 60 + float(part)
    except ValueError:
        total = -1.0
    if not 0 <= total < 1e7:
        raise UsageError(f"{clock[:20]!r} is no time in a video.", remedy="Give it as 1:33.")
    return total
