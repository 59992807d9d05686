"""`/api/v1`: reading the library over HTTP. Names are those of the command line's `--json`; lists are paged by cursors.

Every answer has an ETag; a transcript's is its own id with the state of its corrections: else versions never change.
Failures are problems (RFC 9457) with the reason codes of docs/reasons.md. Audio is read by ranges from the folder or
the bucket.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from channelscribe.catalogue import entities as names
from channelscribe.catalogue import listings, meaning, transcripts
from channelscribe.catalogue import search as find
from channelscribe.catalogue.connection import clean_text
from channelscribe.catalogue.search_query import LONGEST_QUERY, Question
from channelscribe.errors import ObjectMissing
from channelscribe.export import VideoMeta, render
from channelscribe.export.corpus import json_lines
from channelscribe.files import content_key
from channelscribe.transcript import FILE_FORMATS
from channelscribe.web import models, records
from channelscribe.web.answers import answer, as_json, json_answer, lines, not_modified, problem, ranged
from channelscribe.web.syncs import start_sync

if TYPE_CHECKING:
    from channelscribe.web.app import Room

__all__ = ["AUDIO_TYPES", "FILE_TYPES", "api"]

AUDIO_TYPES = {
    "mp3": "audio/mpeg", "m4a": "audio/mp4", "mp4": "audio/mp4", "aac": "audio/aac", "opus": "audio/ogg",
    "ogg": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav", "webm": "audio/webm",
}  # fmt: skip
FILE_TYPES = {
    "txt": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt", "tsv": "text/tab-separated-values",
    "json": "application/json",
}  # fmt: skip
PRESIGNED_SECONDS = 3600
EXPORTS_AT_ONCE = 3

Site = Annotated[str, Path(max_length=100, description="as yt-dlp calls it", examples=["youtube"])]
VideoId = Annotated[str, Path(max_length=200, description="the site's id", examples=["jNQXAC9IVRw"])]
VersionNumber = Annotated[
    int | None, Query(alias="version", ge=1, le=2**31 - 1, description="default: the current one", examples=[1])
]
Name = Annotated[
    str | None, Query(max_length=2000, description="a source's title, id or URL", examples=["Channel One"])
]
Code = Annotated[str | None, Query(max_length=20, description="a language, such as en", examples=["en"])]
Day = Annotated[date | None, Query(description="of publication", examples=["2020-01-31"])]
LastDay = Annotated[date | None, Query(description="of publication", examples=["2040-01-31"])]
Limit = Annotated[int, Query(ge=1, le=200, examples=[20])]
After = Annotated[str | None, Query(max_length=400, description="`next` of the answer before")]


def _shape(model: Any, *statuses: int) -> dict[int | str, dict[str, Any]]:
    told: dict[int | str, dict[str, Any]] = {200: {"model": model}}
    return told | {status: {"model": models.Problem} for status in (400, 429, *statuses)}


def _content(*types: str) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {each: {} for each in types}}, 404: {"model": models.Problem}}


def api(room: Room) -> APIRouter:
    """The routes over one room."""
    router = APIRouter(prefix="/api/v1", default_response_class=Response)
    database = room.database
    exports = threading.BoundedSemaphore(EXPORTS_AT_ONCE)

    @router.get("/sources", responses=_shape(models.Sources), tags=["library"])
    def sources(request: Request) -> Response:
        """The channels, playlists and feeds."""
        return json_answer(request, {"sources": database.read(records.sources)})

    @router.get("/videos", responses=_shape(models.Videos, 404), tags=["library"])
    def videos(
        request: Request,
        source: Name = None,
        state: Annotated[str | None, Query(max_length=20, examples=["published"])] = None,
        reason: Annotated[str | None, Query(max_length=60, description="a reason code, such as members_only")] = None,
        since: Day = None,
        until: LastDay = None,
        language: Code = None,
        text: Annotated[str | None, Query(max_length=200, description="in the title", examples=["zoo"])] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Response:
        """Videos, the newest first."""
        asked = records.Asked(source, state, reason, since, until, language, text)
        found, more = database.read(records.videos, asked, limit, after)
        return json_answer(request, {"videos": found, "next": more})

    @router.get("/videos/{site}/{video}", responses=_shape(models.VideoDetails, 404), tags=["video"])
    def video(request: Request, site: Site, video: VideoId) -> Response:
        """What is known of a video, with chapters and the names in it."""
        with database.connection() as connection:
            found = records.video(connection, site, video)
            told = {name: value for name, value in found.items() if name not in ("pk", "current_transcript_pk")}
            told["entities"] = []
            if found["current_transcript_pk"] is not None:
                told["entities"] = records.entities_of(connection, records.version_of(connection, found))
            told["audio"] = records.archive(connection, found) is not None
        return json_answer(request, told)

    @router.get("/videos/{site}/{video}/transcript", responses=_shape(models.TranscriptAnswer, 404), tags=["video"])
    def transcript(
        request: Request,
        site: Site,
        video: VideoId,
        version: VersionNumber = None,
        words: Annotated[bool, Query(description="with each word's time", examples=[True])] = True,
    ) -> Response:
        """What was said: segments with their words, and who spoke when."""
        with database.connection() as connection:
            found = records.video(connection, site, video)
            made = records.version_of(connection, found, version)
            etag = f'"{made.tag}-{made.version}-{int(words)}"'
            if not_modified(request, etag):
                return answer(request, b"", "application/json", etag=etag)
            segments = records.transcript(connection, made)
            speakers = records.speakers_of(connection, made)
        return json_answer(request, records.transcript_json(found, made, segments, speakers, words), etag=etag)

    @router.get("/videos/{site}/{video}/words", responses=_shape(models.Words, 404), tags=["video"])
    def words(request: Request, site: Site, video: VideoId, version: VersionNumber = None) -> Response:
        """The times of the words alone, in few bytes, for players that have the text."""
        with database.connection() as connection:
            made = records.version_of(connection, records.video(connection, site, video), version)
            etag = f'"{made.tag}-{made.version}-w"'
            if not_modified(request, etag):
                return answer(request, b"", "application/json", etag=etag)

            def numbers() -> bytes:
                found = records.timing(records.spoken(connection, made))
                return as_json({"transcript": made.transcript, "words": found})

            body, packed = room.recent.get(f"words {made.pk} {made.tag}", numbers)
        return answer(request, body, "application/json", etag=etag, packed=packed)

    @router.get("/videos/{site}/{video}/versions", responses=_shape(models.Versions, 404), tags=["video"])
    def versions(request: Request, site: Site, video: VideoId) -> Response:
        """All transcripts of a video, as `channelscribe versions` lists them."""
        found = database.read(records.video, site, video)
        rows = database.run(transcripts.versions, found["pk"])
        told = [transcripts.described(row, row.id == found["current_transcript_pk"]) for row in rows]
        return json_answer(request, {"video": found["video"], "title": found["title"], "versions": told})

    @router.get("/videos/{site}/{video}/diff", responses=_shape(models.Diff, 404), tags=["video"])
    def diff(
        request: Request,
        site: Site,
        video: VideoId,
        old: Annotated[int | None, Query(ge=1, le=2**31 - 1, examples=[1])] = None,
        new: Annotated[int | None, Query(ge=1, le=2**31 - 1, examples=[2])] = None,
    ) -> Response:
        """What two versions say differently; by default the current one and the one before it."""
        return json_answer(request, difference(room, site, video, old, new))

    @router.get("/videos/{site}/{video}/files/{format}", responses=_content(*FILE_TYPES.values()), tags=["video"])
    def files(
        request: Request,
        site: Site,
        video: VideoId,
        format: Annotated[str, Path(pattern=f"^({'|'.join(FILE_FORMATS)})$", examples=["vtt"])],
        version: VersionNumber = None,
    ) -> Response:
        """The transcript as a file: txt, srt, vtt, tsv or WhisperX's json."""
        with database.session() as session:
            found = records.video(session, site, video)
            made = records.version_of(session, found, version)
            about = (found["title"], found["url"], found["channel"], room.settings.subtitles)
            etag = f'"{made.tag}-{content_key(*about)[:12]}-{format}"'
            if not_modified(request, etag):
                return answer(request, b"", FILE_TYPES[format], etag=etag)
            _, _, said = transcripts.transcript_of(session, found["pk"], made.version)
            published = found["published"].isoformat() if found["published"] else None
            channel = listings.channel_of(session, found["pk"])
        meta = VideoMeta(found["title"], found["url"], found["video"], channel, published)
        text = render(said, format, meta, subtitles=room.settings.subtitles)
        # Ids hold nothing that a header could be made of; titles could.
        named = {"Content-Disposition": f'inline; filename="{_plain(found["site"])}-{_plain(found["video"])}.{format}"'}
        return answer(request, text.encode("utf-8", "replace"), FILE_TYPES[format], etag=etag, headers=named)

    @router.get(
        "/videos/{site}/{video}/audio",
        responses={**_content("audio/mpeg"), 206: {"content": {"audio/mpeg": {}}}, 410: {"model": models.Problem}},
        tags=["video"],
    )
    @router.head("/videos/{site}/{video}/audio", include_in_schema=False)
    def audio(
        request: Request,
        site: Site,
        video: VideoId,
        t: Annotated[float, Query(ge=0, le=1e6, description="the second, where the archive is gone", examples=[2])] = 0,
    ) -> Response:
        """The archived audio, by ranges. 410 where the archive is gone, with the site's address at the second."""
        with database.connection() as connection:
            found = records.video(connection, site, video)
            key = records.archive(connection, found)
        size = room.store.size(key) if key else None
        if key is None or size is None:
            url = records.at_second(found, t)
            return problem(410, "archive_gone", "The audio is not in the archive.", f"Hear it at {url}", url=url)
        if room.settings.web.presign and (address := room.store.address(key, PRESIGNED_SECONDS)):
            return RedirectResponse(address, 302, {"Cache-Control": "private, no-store"})
        kind = AUDIO_TYPES.get(key.rpartition(".")[2], "application/octet-stream")

        def read(start: int, length: int) -> bytes:
            try:
                return room.store.read_range(key, start, length)
            except ObjectMissing:  # retention took it meanwhile: the stream ends
                return b""

        etag = f'"{content_key(key, size)[:24]}"'
        return ranged(request, size, read, kind, etag)

    @router.get("/search", responses=_shape(models.Hits, 404), tags=["search"])
    def search(
        request: Request,
        q: Annotated[str, Query(max_length=LONGEST_QUERY, description="as `channelscribe search`", examples=["zoo"])],
        channel: Name = None,
        speaker: Annotated[str | None, Query(max_length=200, examples=["S0"])] = None,
        entity: Annotated[str | None, Query(max_length=200, description="a name that is mentioned")] = None,
        since: Day = None,
        until: LastDay = None,
        language: Code = None,
        limit: Limit = 20,
        after: After = None,
        by: Annotated[
            Literal["words", "meaning", "both"] | None,
            Query(description="default: both where there is an index of meaning", examples=["words"]),
        ] = None,
        facets: Annotated[bool, Query(description="count what else there is to choose", examples=[True])] = False,
    ) -> Response:
        """Segments in which it was said, the best first."""
        named = (channel or None, speaker or None, entity or None)
        accents = room.settings.search.ignore_accents
        question = Question(q, *named, since, until, language or None, ignore_accents=accents, by=by or "any")
        return json_answer(request, search_page(room, question, limit, after, facets))

    @router.get("/entities", responses=_shape(models.Names), tags=["search"])
    def entities(
        request: Request,
        channel: Name = None,
        label: Annotated[str | None, Query(max_length=40, description="PERSON, GPE, ORG, DATE")] = None,
        limit: Annotated[int, Query(ge=1, le=1000, examples=[20])] = 200,
    ) -> Response:
        """The people, places and organizations that were named."""
        return json_answer(request, {"entities": names_in(room, channel, label, limit)})

    @router.get("/segments.jsonl", responses=_content("application/jsonl"), tags=["library"])
    def segments(
        request: Request,
        channel: Annotated[
            str, Query(max_length=2000, description="a source's title, id or URL", examples=["Channel One"])
        ],
        language: Code = None,
        since: Day = None,
        until: LastDay = None,
    ) -> Response:
        """A whole channel as `channelscribe export` writes it, a segment a line, as it is read."""
        if not exports.acquire(blocking=False):
            return problem(429, "too_many", "Other exports are running.", "Try again.", headers={"Retry-After": "10"})
        made = json_lines(database, clean_text(channel), language=language, since=since, until=until)
        return lines(request, made, exports.release)

    @router.get("/activity", responses=_shape(models.Activity), tags=["work"])
    def activity(request: Request) -> Response:
        """As `channelscribe status`: states, reasons, what is due, what runs."""
        return json_answer(request, database.read(records.activity))

    @router.get("/events", responses={200: {"content": {"text/event-stream": {}}}}, tags=["work"])
    async def events(request: Request) -> Response:
        """Server-sent events `activity`: what is in work, then each change."""
        if room.events.is_full():
            return problem(503, "too_many", "Too many listen.", "Try again later.", headers={"Retry-After": "30"})
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(room.events.stream(), headers=headers, media_type="text/event-stream")

    @router.post(
        "/syncs",
        status_code=202,
        responses={202: {"model": models.SyncStarted}, 401: {"model": models.Problem}, 403: {"model": models.Problem}},
        tags=["work"],
    )
    def syncs(request: Request, asked: models.SyncAsked) -> Response:
        """Start a sync of a source. For editors."""
        made = start_sync(room.prefect_api_url(), asked.model_dump(mode="json"), room.settings.web.prefect_ui)
        return json_answer(request, made, status=202)

    return router


def search_page(room: Room, question: Question, limit: int, after: str | None, facets: bool) -> dict[str, Any]:
    """One page of hits, with what the counts say where they are asked for."""
    with room.database.connection() as connection:
        hits, _ = meaning.find(connection, question, room.settings.meaning, limit, after)
        places = records.places_of(connection, [(hit.site, hit.video) for hit in hits])
        counted = find.facets(connection, question) if facets else None
    told = [
        {
            **hit.to_dict(),
            "site": hit.site,
            "channel": places[hit.site, hit.video][0],
            "audio": places[hit.site, hit.video][1],
            "published": hit.published,
            "language": hit.language,
            "highlighted": hit.highlighted,
        }
        for hit in hits
    ]
    return {"hits": told, "next": hits[-1].place if len(hits) == limit else None, "facets": counted}


def names_in(room: Room, channel: str | None, label: str | None, limit: int) -> list[dict[str, Any]]:
    """The most mentioned names. All mentions of a library are counted for it, so an answer holds for a minute."""

    def counted() -> bytes:
        found = room.database.read(names.entity_counts, channel=channel, label=label, limit=limit)
        return as_json([each.to_dict() for each in found])

    body, _ = room.recent.get(content_key("names", channel, label, limit, int(time.monotonic() // 60)), counted)
    told: list[dict[str, Any]] = orjson.loads(body)
    return told


def difference(room: Room, site: str, video: str, old: int | None, new: int | None) -> dict[str, Any]:
    """Two versions compared. Raises UsageError where there is one alone."""
    from channelscribe.evaluation.changes import changes

    with room.database.session() as session:
        pk = records.video(session, site, video)["pk"]
        old, new = transcripts.compared(session, pk, old, new)
        _, _, before = transcripts.transcript_of(session, pk, old, recognized=True)
        _, _, after = transcripts.transcript_of(session, pk, new, recognized=old != new)
    found = changes(before, after)
    return {"old": old, "new": new, "alike": round(found.alike, 4), **asdict(found)}


def _plain(name: str) -> str:
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)[:100]
