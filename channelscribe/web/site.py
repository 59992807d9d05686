"""The reading room as a folder of static pages, for any web server or object store: `build(…)`.

The same templates, with other links. Incremental: `.site.json` in the folder says what each page was made of; a new
video touches its page, the lists and the words it has in the index. Search happens in the browser over that index:
`find/videos.json` numbers the videos, `find/<first letters>.json` says which of them have a word, and each video's
`text.json` holds its passages. Pagefind was looked at: it reads every page anew for one that was added.

Leaves behind: the folder, whole files only; what a killed run did not note is made again.
"""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from channelscribe import __version__
from channelscribe.catalogue import transcripts
from channelscribe.catalogue.connection import clean_text, execute
from channelscribe.catalogue.listings import IN_CHANNEL, known_channel, unknown_channel
from channelscribe.catalogue.voices import shown_names
from channelscribe.errors import ChannelscribeError, StoreNotWritable, UsageError
from channelscribe.export import VideoMeta, render
from channelscribe.files import content_key
from channelscribe.sources.identifiers import safe_id
from channelscribe.transcript import FILE_FORMATS
from channelscribe.web import records
from channelscribe.web.answers import as_json
from channelscribe.web.api import FILE_TYPES
from channelscribe.web.pages import Links, as_place, assets, rendered, templates, video_context

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from channelscribe.web.app import Room

__all__ = ["Built", "build", "words_of_text"]

MANIFEST = ".site.json"
FEED_ENTRIES = 50
PAGE_VIDEOS = 200
LARGEST_SITEMAP = 50_000
READABLE = f"""
SELECT transcript.id AS pk, video.site, video.video_id AS video, video.title, transcript.transcript_id,
    transcript.reading_id,
    to_jsonb(transcript) ->> 'corrected' AS corrected, transcript.files, transcript.duration, video.published,
    transcript.language, video.url, video.state, video.reason,
    {records.CHANNEL} AS channel,
    md5(concat(video.title, video.url, video.published, video.description, video.chapters)) AS about
FROM video JOIN transcript ON transcript.id = video.current_transcript_pk
WHERE taken_down_at IS NULL AND {{condition}} ORDER BY video.published DESC NULLS LAST, video.id
"""  # noqa: S608 - constants of this module and its neighbours
_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]|[^\W_]+")


def words_of_text(text: str) -> set[str]:
    """The words of a text as the index has them: small letters without accents; scripts without spaces letter by
    letter. `static/find.js` does the same with what is typed.
    """
    plain = text.lower()
    if not plain.isascii():
        parted = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
        plain = unicodedata.normalize("NFC", parted)
    return {word[:40] for word in _WORD.findall(plain)}


def shard(word: str) -> str:
    """The file of the index that has a word: the code points of its first two letters."""
    return "-".join(f"{ord(letter):x}" for letter in word[:2])


class StaticLinks(Links):
    """Where things are in the folder, seen from a page that lies `depth` folders deep."""

    live = False

    def __init__(self, depth: int, slugs: dict[str, str], base: str | None) -> None:
        self._up = "../" * depth or "./"
        self._slugs = slugs
        self.base = base

    def rooms(self) -> Sequence[tuple[str, str]]:
        return (("home", "Library"), ("search", "Search"))

    def room(self, name: str) -> str:
        return self.home() if name == "home" else self.search()

    def home(self) -> str:
        return f"{self._up}index.html"

    def static(self, name: str) -> str:
        return f"{self._up}static/{name}?{assets()[name][2]}"

    def search(self, **query: Any) -> str:
        words = {"q": query.get("q") or query.get("entity")}
        given = {name: value for name, value in words.items() if value}
        return f"{self._up}search.html" + (f"?{urlencode(given)}" if given else "")

    def source(self, source: dict[str, Any]) -> str:
        slug = self._slugs.get(source["title"])
        return f"{self._up}s/{slug}/index.html" if slug else self.home()

    def video(self, video: dict[str, Any], *, at: float | None = None, version: int | None = None) -> str:
        return f"{self._up}{folder_of(video)}/index.html" + (f"#t={as_place(at)}" if at is not None else "")

    def words(self, video: dict[str, Any], version: records.TranscriptVersion) -> str:
        return "words.json"

    def file(self, video: dict[str, Any], name: str, version: records.TranscriptVersion) -> str:
        return f"transcript.{name}"


def folder_of(video: dict[str, Any]) -> str:
    return f"v/{safe_id(video['site'])}/{safe_id(video['video'])}"


@dataclass(slots=True)
class Built:
    """What was done."""

    videos: int = 0
    written: int = 0
    removed: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)


def build(
    room: Room, folder: Path, *, channel: str | None = None, base: str | None = None, audio: bool = True
) -> Built:
    """Bring the folder to what the library has, of one source or of all. Raises UnknownSource, UsageError,
    StoreNotWritable. A video that fails is told, and stops no other.
    """
    if base is not None and not base.startswith(("http://", "https://")):
        raise UsageError(f"{base[:200]!r} is no address.", remedy="Give it as https://example.org/transcripts/.")
    base = base and base.rstrip("/") + "/"
    made = Built()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _Site(room, folder, channel, base, audio, made).bring_up_to_date()
    except OSError as error:
        raise StoreNotWritable(
            f"{error.filename or folder}: {error.strerror or error}.",
            remedy="Choose another folder, or make room there.",
        ) from error
    return made


class _Site:
    def __init__(
        self, room: Room, folder: Path, channel: str | None, base: str | None, audio: bool, made: Built
    ) -> None:
        self.room, self.folder, self.channel, self.base, self.audio, self.made = (
            room,
            folder,
            channel,
            base,
            audio,
            made,
        )
        self.stale = False
        self.known = self._read_manifest()
        self.look = content_key(
            __version__, base, audio, *(digest for _, _, digest in assets().values()),
            *(templates().loader.get_source(templates(), name)[0] for name in sorted(templates().list_templates())),  # type: ignore[union-attr]
        )  # fmt: skip

    def _read_manifest(self) -> dict[str, Any]:
        path = self.folder / MANIFEST
        if not path.exists():
            if any(self.folder.iterdir()):
                raise UsageError(f"{self.folder} has files, and is no site of ours.", remedy="Take an empty folder.")
            self._note({"videos": {}, "next": 0})
        try:
            known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            known["videos"], known["next"]
            return known
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(f"{path} cannot be read.", remedy="Take an empty folder.") from error

    def bring_up_to_date(self) -> None:
        database = self.room.database
        with database.snapshot() as connection:
            if self.channel is not None and not known_channel(connection, self.channel):
                raise unknown_channel(connection, self.channel)
            given = {"channel": clean_text(self.channel)} if self.channel is not None else {}
            statement = READABLE.format(condition=IN_CHANNEL if self.channel is not None else "true")
            wanted = [dict(row) for row in execute(connection, statement, **given).mappings()]
            titles = list(dict.fromkeys(each["channel"] for each in wanted if each["channel"]))
            self.slugs = {title: _slug(title) for title in titles}
            sources = {each["title"]: each for each in records.sources(connection)}
            for name, (content, _, _) in assets().items():
                self._write(f"static/{name}", content)
            self.made.videos = len(wanted)
            words: dict[str, list[int]] = {}
            named = shown_names(connection, [row["pk"] for row in wanted])
            for row in wanted:
                row["names"] = named.get(row["pk"], {})
                self._bring_video(connection, row, words)
        gone = [folder for folder in self.known["videos"] if folder not in {folder_of(row) for row in wanted}]
        for name in gone:
            shutil.rmtree(self.folder / name, ignore_errors=True)
            del self.known["videos"][name]
        self.made.removed = len(gone)
        self.stale |= bool(gone)
        failed = {each["folder"] for each in self.made.failed}
        shown = [row for row in wanted if folder_of(row) not in failed]
        self._merge(words)
        self._lists(shown, sources)
        self._note({**self.known, "look": self.look})

    def _bring_video(self, connection: Connection, row: dict[str, Any], words: dict[str, list[int]]) -> None:
        name = folder_of(row)
        made_of = content_key(
            self.look, row["transcript_id"], row["corrected"], row["reading_id"], row["about"], row["channel"],
            *(f"{label}={name}" for label, name in sorted(row["names"].items())),
        )  # fmt: skip
        known = self.known["videos"].get(name)
        if known and known["made_of"] == made_of:
            return
        try:
            texts = self._video(connection, row, name)
        except ChannelscribeError as error:
            self.made.failed.append(
                {"folder": name, "video": row["video"], "reason": error.reason, "message": str(error)}
            )
            return
        # Words are noted under a new number; an old one means nobody any more.
        self.stale |= known is not None
        number = self.known["next"]
        self.known["next"] += 1
        for word in words_of_text("\n".join(texts)):
            words.setdefault(word, []).append(number)
        self.known["videos"][name] = {"made_of": made_of, "number": number}
        self.made.written += 1

    def _video(self, connection: Connection, row: dict[str, Any], name: str) -> list[str]:
        link = StaticLinks(3, self.slugs, self.base)
        found = records.video(connection, row["site"], row["video"])
        version = records.version_of(connection, found)
        segments = records.spoken(connection, version)
        context = video_context(connection, found, version, segments)
        sound = self._sound(connection, found, name)
        page = rendered(
            "video.html", link, audio=sound, versions=[], **context,
            canonical=f"{self.base}{name}/" if self.base else None,
        )  # fmt: skip
        said = [each for turn in context["turns"] for each in turn["said"]]
        speaker = {each["n"]: turn["speaker"] for turn in context["turns"] for each in turn["said"]}
        passages = [[each["start"], each["end"], each["id"], speaker[each["n"]], each["text"]] for each in said]
        self._write(f"{name}/index.html", page)
        self._write(f"{name}/words.json", as_json({"words": records.timing(segments)}))
        self._write(f"{name}/text.json", as_json({"audio": sound, "passages": passages}))
        self._files(found, row, name)
        return [row["title"], *(each["text"] for each in said)]

    def _files(self, found: dict[str, Any], row: dict[str, Any], name: str) -> None:
        """From the store, where they are as they were published; made anew where it has lost them."""
        said = None
        for ending in FILE_FORMATS:
            # What is in the store is as it was recognized.
            key = None if row["corrected"] or row["names"] else (row["files"] or {}).get(ending)
            if key and self.room.store.exists(key):
                self._write(f"{name}/transcript.{ending}", self.room.store.read_bytes(key))
                continue
            if said is None:
                _, _, said = self.room.database.run(transcripts.transcript_of, found["pk"])
            published = found["published"].isoformat() if found["published"] else None
            meta = VideoMeta(found["title"], found["url"], found["video"], found["channel"], published)
            text = render(said, ending, meta, subtitles=self.room.settings.subtitles)
            self._write(f"{name}/transcript.{ending}", text.encode("utf-8", "replace"))

    def _sound(self, connection: Connection, found: dict[str, Any], name: str) -> str | None:
        key = records.archive(connection, found) if self.audio else None
        if key is None or not self.room.store.exists(key):
            return None
        file = f"audio.{key.rpartition('.')[2]}"
        there = self.folder / name / file
        if not there.exists() or there.stat().st_size != self.room.store.size(key):
            there.parent.mkdir(parents=True, exist_ok=True)
            with self.room.store.local_path(key) as path:
                shutil.copyfile(path, there.with_suffix(".part"))
            there.with_suffix(".part").replace(there)
        return file

    def _lists(self, shown: list[dict[str, Any]], sources: dict[str, dict[str, Any]]) -> None:
        numbers = {self.known["videos"][folder_of(row)]["number"]: row for row in shown}
        listed = [
            [
                n,
                folder_of(row),
                row["title"] or row["video"],
                str(row["published"] or ""),
                row["channel"],
                row["language"],
            ]
            for n, row in numbers.items()
        ]
        self._write("find/videos.json", as_json(listed))
        self._write("search.html", rendered("find.html", StaticLinks(0, self.slugs, self.base), here="search"))
        by_channel: dict[str, list[dict[str, Any]]] = {title: [] for title in self.slugs}
        for row in shown:
            by_channel.setdefault(row["channel"], []).append(row)
        told = []
        for title, slug in self.slugs.items():
            rows = by_channel[title]
            about = {"title": title, "url": "", "kind": "", "site": "", **sources.get(title, {})}
            about |= {
                "videos": len(rows), "transcripts": len(rows), "hours": sum(row["duration"] for row in rows) / 3600,
                "newest": max((row["published"] for row in rows if row["published"]), default=None),
            }  # fmt: skip
            told.append(about)
            self._source(about, slug, rows)
        totals = {name: sum(source[name] for source in told) for name in ("transcripts", "hours")}
        home = rendered("home.html", StaticLinks(0, self.slugs, self.base), here="home", sources=told, totals=totals)
        self._write("index.html", home)
        self._write("feed.xml", self._atom("Transcripts", shown, ""))
        if self.base:
            self._write("sitemap.xml", self._sitemap(shown))
            self._write("robots.txt", f"User-agent: *\nAllow: /\nSitemap: {self.base}sitemap.xml\n".encode())

    def _source(self, about: dict[str, Any], slug: str, rows: list[dict[str, Any]]) -> None:
        link = StaticLinks(2, self.slugs, self.base)
        for start in range(0, max(len(rows), 1), PAGE_VIDEOS):
            number = start // PAGE_VIDEOS
            older = f"page-{number + 1}.html" if start + PAGE_VIDEOS < len(rows) else None
            page = rendered(
                "videos.html", link, here="home", source=about, videos=rows[start : start + PAGE_VIDEOS], next=older,
                feed="feed.xml",
            )  # fmt: skip
            self._write(f"s/{slug}/{f'page-{number}' if number else 'index'}.html", page)
        self._write(f"s/{slug}/feed.xml", self._atom(about["title"], rows, f"s/{slug}/"))

    def _atom(self, title: str, rows: list[dict[str, Any]], place: str) -> bytes:
        """RFC 4287, with the transcripts as podcasting2.org's namespace has them."""
        from xml.sax.saxutils import escape, quoteattr

        def clean(text: str) -> str:
            return "".join(c for c in text if c in "\t\n" or (ord(c) >= 32 and c not in "\ufffe\uffff"))

        base = self.base or ("../" * place.count("/") or "./")
        day = max((row["published"] for row in rows if row["published"]), default=datetime.now(UTC).date())
        lines = [
            '<?xml version="1.0" encoding="utf-8"?>',
            '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:podcast="https://podcastindex.org/namespace/1.0">',
            f"<title>{escape(clean(title))}</title><id>{_tag('feed', title)}</id><updated>{day}T00:00:00Z</updated>",
            f"<link href={quoteattr(f'{base}{place}index.html')}/><author><name>{escape(clean(title))}</name></author>",
        ]
        for row in rows[:FEED_ENTRIES]:
            at = f"{base}{folder_of(row)}/"
            told = [
                f"<podcast:transcript url={quoteattr(f'{at}transcript.{each}')} type={quoteattr(FILE_TYPES[each])} "
                f"language={quoteattr(row['language'])}/>"
                for each in ("vtt", "srt", "txt")
            ]
            lines += [
                f"<entry><title>{escape(clean(row['title'] or row['video']))}</title>"
                f"<id>{_tag(row['site'], row['video'])}</id><link href={quoteattr(f'{at}index.html')}/>",
                f"<updated>{row['published'] or day}T00:00:00Z</updated>{''.join(told)}</entry>",
            ]
        return "\n".join([*lines, "</feed>\n"]).encode("utf-8", "replace")

    def _sitemap(self, rows: list[dict[str, Any]]) -> bytes:
        """sitemaps.org; the newest where there are more than a file may have."""
        lines = [
            '<?xml version="1.0" encoding="utf-8"?>',
            '<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">',
        ]
        lines.append(f"<url><loc>{self.base}index.html</loc></url>")
        lines += [
            f"<url><loc>{self.base}{folder_of(row)}/index.html</loc></url>" for row in rows[: LARGEST_SITEMAP - 1]
        ]
        return "\n".join([*lines, "</urlset>\n"]).encode()

    def _merge(self, words: dict[str, list[int]]) -> None:
        """New numbers into the files of the index. Where a video went or is another now, no file keeps its words."""
        alive = {each["number"] for each in self.known["videos"].values()}
        by_shard: dict[str, list[str]] = {}
        for word in words:
            by_shard.setdefault(shard(word), []).append(word)
        there = {path.stem for path in (self.folder / "find").glob("*.json")} - {"videos"}
        for name in by_shard.keys() | there if self.stale else by_shard:
            path = self.folder / "find" / f"{name}.json"
            held: dict[str, list[int]] = json.loads(path.read_bytes()) if name in there else {}
            for word in by_shard.get(name, ()):
                held[word] = [*held.get(word, []), *words[word]]
            kept = held
            if self.stale:
                living = ((word, [n for n in numbers if n in alive]) for word, numbers in held.items())
                kept = {word: numbers for word, numbers in living if numbers}
            if kept:
                self._write(f"find/{name}.json", as_json(kept))
            else:
                path.unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        """Whole, and only where it is another content: what syncs the folder further sees what changed."""
        path = self.folder / name
        if path.exists() and path.stat().st_size == len(content) and path.read_bytes() == content:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(content)
        part.replace(path)

    def _note(self, known: dict[str, Any]) -> None:
        self._write(MANIFEST, as_json(known))


def _slug(title: str) -> str:
    return safe_id(re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60] + "-" + content_key(title)[:6])


def _tag(*parts: str) -> str:
    return f"urn:channelscribe:{content_key(*parts)[:32]}"
