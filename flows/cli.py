"""The command line: `channelscribe COMMAND`. A thin shell; `flows/commands/` holds what each command does.

Exit codes: 0 done; 3 done but some videos failed; 1 could not do it; 2 wrong usage; 130 interrupted. With `--json`
stdout holds one JSON object and nothing else; progress and messages go to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import re
import sys
from datetime import date
from typing import NoReturn

from channelscribe import __version__
from channelscribe.errors import ChannelscribeError, UsageError, did_you_mean
from channelscribe.transcript import CORPUS_FORMATS, FILE_FORMATS
from flows.output import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE

WITHIN = {
    **dict.fromkeys(("search", "show", "entities", "export", "sources", "status"), "library"),
    **dict.fromkeys(("versions", "diff", "rollback"), "versions"),
    **dict.fromkeys(("sweep", "takedown", "backup", "restore"), "retention"),
    **dict.fromkeys(("download", "canary"), "fetching"),
    **dict.fromkeys(("deploy", "metrics", "config"), "operating"),
}
"""The module of `flows/commands/` that holds a command, as a function of its name; others are a module's `run`."""


class Parser(argparse.ArgumentParser):
    """Usage errors in one line that names the remedy, as all other errors."""

    def error(self, message: str) -> NoReturn:
        unknown = re.match(r"argument COMMAND: invalid choice: '(.*?)'", message)
        if unknown:
            message = f"there is no command {unknown[1]!r}.{did_you_mean(unknown[1], commands_of(self))}"
        ends = message if message.endswith((".", "?")) else f"{message}."
        self.exit(EXIT_USAGE, f"channelscribe: {ends} See `{self.prog} --help`.\n")


def commands_of(top: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parser of each command."""
    (found,) = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-01-31") from None


def count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return int(text)


def formats(text: str) -> tuple[str, ...]:
    from channelscribe.export import known_formats

    try:
        return tuple(known_formats(text))
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def parser() -> Parser:
    """All commands and their options. The help texts are the reference that the README repeats."""
    top = Parser(prog="channelscribe", description="A searchable transcript library of whole channels.")
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=summary, description=summary)
        made.add_argument("--json", action="store_true", help="print one JSON object on stdout")
        made.add_argument(
            "--set",
            dest="assignments",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="a setting for this run, such as speech.model=small; may be repeated",
        )
        return made

    command("demo", "the main job on the bundled sample channel, offline")

    sync = command("sync", "fetch, transcribe and publish what is new in a source")
    sync.add_argument(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="URL of a channel, playlist, video or feed; a folder, recording or OPML file",
    )
    sync.add_argument("--limit", type=count, metavar="N", help="work on at most N videos of each source")
    sync.add_argument("--since", type=day, metavar="DATE", help="leave out what was published before, YYYY-MM-DD")
    sync.add_argument("--newest", type=count, metavar="N", help="only the newest N of what the rest lets through")
    sync.add_argument("--title", metavar="REGEX", help="only titles in which this is found, case ignored")
    sync.add_argument("--min-minutes", type=float, metavar="N", help="nothing shorter")
    sync.add_argument("--max-minutes", type=float, metavar="N", help="nothing longer")
    sync.add_argument("--season", type=int, metavar="N", help="only this season of a podcast")
    sync.add_argument("--dry-run", action="store_true", help="only say what would be done, and why")
    sync.add_argument("--full", action="store_true", help="read a channel to its end, however recently that was done")
    sync.add_argument(
        "--again",
        action="append",
        default=[],
        metavar="REASON",
        help="try again now what failed for this reason (members_only, blocked, …; all); may be repeated",
    )
    sync.add_argument(
        "--refetch",
        action="append",
        default=[],
        metavar="VIDEO",
        help="fetch and transcribe a video of the source anew (id, guid or URL); may be repeated",
    )
    sync.add_argument("--wait", action="store_true", help="while another run works on a source, wait for its end")
    sync.add_argument("--model", metavar="NAME", help="speech model: sample, small, large-v3-turbo or your own")

    fetch = command("download", "fetch the audio of a video or a whole listing into a folder; needs no database")
    fetch.add_argument("--url", required=True, metavar="URL", help="a video, channel, playlist or feed")
    fetch.add_argument("--out", default=".", metavar="DIR", help="folder of the files, named by ids (default: here)")
    fetch.add_argument("--limit", type=count, metavar="N", help="at most the first N videos")

    canary = command("canary", "does a source still list, and do the first seconds of a video still come")
    canary.add_argument("url", nargs="?", metavar="URL", help="a video or list; default: sources.canary_url")

    audio = command("audio", "archive, speech track and parts of local files; needs no database")
    audio.add_argument("file", nargs="+", metavar="FILE", help="audio or video")
    audio.add_argument("--steps", metavar="STEPS", help="such as convert,normalize,trim,split; default: audio.steps")
    audio.add_argument("--out", default=".", metavar="DIR", help="folder of what is made (default: here)")
    audio.add_argument("--cover", metavar="IMAGE", help="a JPEG, PNG or WebP for the mp3")

    speech = command("transcribe", "transcripts of local audio or video; needs no database")
    speech.add_argument("file", nargs="+", metavar="FILE", help="audio or video")
    speech.add_argument("--model", metavar="NAME", help="speech model: sample, small, large-v3-turbo or your own")
    speech.add_argument("--language", metavar="CODE", help="such as en; default: detected")
    speech.add_argument("--speakers", metavar="N|MIN-MAX", help="how many there are; default: found out")
    speech.add_argument("--formats", default=",".join(FILE_FORMATS), metavar="LIST", help="default: all of them")
    speech.add_argument("--out", default=".", metavar="DIR", help="folder of the transcripts (default: here)")
    speech.add_argument("--raw", action="store_true", help="subtitles as whisperX cuts them; default: for readers")
    speech.add_argument("--max-line-width", type=count, metavar="N", help="characters of a line of a subtitle")
    speech.add_argument("--max-line-count", type=count, metavar="N", help="lines of a subtitle; needs a width")
    speech.add_argument("--highlight-words", action="store_true", help="underline each word while it is said")

    process = command("process", "sentences, names and the rest of a folder of transcripts; needs no database")
    process.add_argument("--directory", required=True, metavar="DIR", help="txt, srt, vtt or json transcripts")
    process.add_argument("--out", default="processed", metavar="DIR", help="of the readings (default: processed)")

    search = command("search", "find what was said, with a link that opens at the second")
    search.add_argument("query", metavar="QUERY", help='words, "a phrase", beginning*, -without, (one OR other)')
    search.add_argument("--channel", metavar="NAME", help="only in this source (title, id or URL)")
    search.add_argument("--speaker", metavar="NAME", help="only what this speaker said, such as SPEAKER_00")
    search.add_argument("--entity", metavar="NAME", help="only where this person, place or organization is named")
    search.add_argument("--since", type=day, metavar="DATE", help="only in what was published since, YYYY-MM-DD")
    search.add_argument("--until", type=day, metavar="DATE", help="only in what was published until, YYYY-MM-DD")
    search.add_argument("--language", metavar="CODE", help="only in this language, such as en")
    search.add_argument("--after", metavar="PLACE", help="the page after this place, which a search told")
    search.add_argument("--limit", type=count, default=20, metavar="N", help="at most N hits (default 20)")

    watch = command("watch", "be told when it is said: add, list, test, rm")
    actions = watch.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=summary, description=summary)
        made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
        return made

    adding = action("add", "tell of what matches in transcripts that are published from now on")
    adding.add_argument("query", metavar="QUERY", help='as for search: climate AND (Ada OR "heat pump")')
    adding.add_argument("--name", metavar="NAME", help="of the watch; default: made from the query")
    adding.add_argument("--source", metavar="NAME", help="only in this source (title, id or URL)")
    adding.add_argument("--speaker", metavar="NAME", help="only what this speaker says")
    adding.add_argument(
        "--notify",
        action="append",
        default=[],
        metavar="BLOCK|URL",
        help="a Prefect block (slack-webhook/newsroom), or a webhook's URL; may be repeated",
    )
    listing = action("list", "all watches, and how they go")
    listing.add_argument("--secrets", action="store_true", help="with what their webhooks are signed with")
    testing = action("test", "what a watch would have found in what was published in the last month")
    testing.add_argument("watch", metavar="NAME|QUERY", help="a watch, or a query")
    testing.add_argument("--source", metavar="NAME", help="only in this source (title, id or URL)")
    testing.add_argument("--speaker", metavar="NAME", help="only what this speaker says")
    action("rm", "no more of it").add_argument("watch", metavar="NAME", help="as `channelscribe watch list` names it")

    show = command("show", "print transcripts, or write them into a folder")
    show.add_argument("video", nargs="+", metavar="VIDEO", help="the video's id, site:id or URL")
    named = f"{', '.join(FILE_FORMATS)}; several with commas (default: txt)"
    show.add_argument("--format", type=formats, default=("txt",), metavar="FORMAT", help=named)
    show.add_argument("--version", type=count, metavar="N", help="an older version; default: the current one")
    show.add_argument("--out", metavar="DIR", help="write a file for each video and format into this folder")

    export = command("export", "a channel as one file, a row a segment, for a corpus")
    export.add_argument("channel", metavar="CHANNEL", help="a source's title, id or URL")
    export.add_argument("--format", choices=CORPUS_FORMATS, default="jsonl", help="default: jsonl")
    export.add_argument("--out", metavar="FILE", help="the file (default for jsonl: stdout)")
    export.add_argument("--language", metavar="CODE", help="only transcripts in this language, such as en")
    export.add_argument("--since", type=day, metavar="DATE", help="only what was published since, YYYY-MM-DD")
    export.add_argument("--until", type=day, metavar="DATE", help="only what was published until, YYYY-MM-DD")

    entities = command("entities", "the people, places and organizations that were named")
    entities.add_argument("--channel", metavar="NAME", help="only in this source (title, id or URL)")
    entities.add_argument("--label", metavar="LABEL", help="only this kind: PERSON, GPE, ORG, DATE")

    report = command("report", "how good the sample's transcripts are; for a video its figures and a picture")
    report.add_argument("video", nargs="?", metavar="VIDEO", help="the video's id, site:id or URL")
    report.add_argument("--out", metavar="FILE", help="the picture, an SVG (default: here, named by the video's id)")

    sources = command("sources", "the channels, playlists and feeds of the library")
    sources.add_argument("--opml", metavar="FILE", help="write the feeds as a list of shows, for podcast players")

    command("status", "videos by state and reason, what is due, what runs")
    again = command("retranscribe", "new versions for old transcripts, with an estimate first")
    again.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="which: channel=…, model=NAME, older_than=DATE, quality_below=0.8; may be repeated, all must hold",
    )
    again.add_argument("--model", metavar="NAME", help="speech model of the new versions; default: speech.model")
    again.add_argument("--limit", type=count, metavar="N", help="at most N, those of the newest videos")
    again.add_argument("--dry-run", action="store_true", help="only the estimate")

    versions = command("versions", "all transcripts of a video, which is current, what made them")
    versions.add_argument("video", metavar="VIDEO", help="the video's id, site:id or URL")

    diff = command("diff", "what two versions of a transcript say differently, and when")
    diff.add_argument("video", metavar="VIDEO", help="the video's id, site:id or URL")
    diff.add_argument("old", nargs="?", type=count, metavar="OLD", help="version; default: the one before NEW")
    diff.add_argument("new", nargs="?", type=count, metavar="NEW", help="version; default: the current one")

    rollback = command("rollback", "make an older version of a transcript the current one")
    rollback.add_argument("video", metavar="VIDEO", help="the video's id, site:id or URL")
    rollback.add_argument("version", type=count, metavar="VERSION", help="as `channelscribe versions` lists it")

    command("up", "the local stack, staying: UI, work pools served, schedules live; Ctrl-C stops it")

    serve = command("serve", "the read API and the reading room, until stopped; passwd: logins for them")
    serve.add_argument("action", nargs="?", choices=["passwd"], help="passwd: give NAME a password, or a token")
    serve.add_argument("name", nargs="?", metavar="NAME", help="of the login")
    serve.add_argument("--listen", metavar="HOST:PORT", help="default: web.listen; others than loopback need logins")
    serve.add_argument("--role", choices=["reader", "editor"], default="reader", help="what the login may do")
    serve.add_argument("--token", action="store_true", help="print a new token for a program, shown only once")
    serve.add_argument("--remove", action="store_true", help="take the login away")

    site = command("site", "the reading room as static pages, for any web server; again: what is new")
    site.add_argument("folder", metavar="DIR", help="where the pages go")
    site.add_argument("--channel", metavar="NAME", help="only this source (title, id or URL)")
    site.add_argument("--base-url", metavar="URL", help="where the folder will be: absolute links and a sitemap")
    site.add_argument("--no-audio", action="store_true", help="leave the audio out; links lead to its site's second")

    metrics = command("metrics", "figures for Prometheus: once on stdout, or over HTTP")
    metrics.add_argument("--listen", metavar="HOST:PORT", help="serve them on /metrics there, until stopped")

    sweep = command("sweep", "what retention and orphan sweep would delete, what is missing; gives lost work back")
    sweep.add_argument("--delete", action="store_true", help="delete it")
    sweep.add_argument("--repair", action="store_true", help="make again what the store has lost of published videos")
    takedown = command("takedown", "everything of one video, everywhere, for good")
    takedown.add_argument("video", metavar="VIDEO", help="the video's id, site:id or URL")
    takedown.add_argument("--yes", action="store_true", help="delete it; without, only say what there is")
    backup = command("backup", "a copy of catalogue and files in a folder; again: what is new")
    backup.add_argument("folder", metavar="DIR", help="where the copy is kept")
    backup.add_argument("--prune", action="store_true", help="delete from the copy what the library no longer has")
    restore = command("restore", "an empty library becomes that of a backup")
    restore.add_argument("folder", metavar="DIR", help="where the copy is kept")
    doctor = command("doctor", "is everything that a run needs there, each with its remedy")
    doctor.add_argument("--url", metavar="URL", help="try this source, too; default: sources.canary_url, if any")

    deploy = command("deploy", "bring a Prefect server to what is declared in git, schedules included")
    deploy.add_argument("--channels", metavar="FILE", help="list of channels; default: prefect.channels")
    deploy.add_argument("--dry-run", action="store_true", help="only say what would change")

    config = command("config", "the settings")
    config.add_argument("action", choices=["show"], help="show: each setting, its value and where it came from")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code. Every failure is one line on stderr."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments:
        parser().print_help(sys.stderr)
        return EXIT_USAGE
    options = parser().parse_args(arguments)
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        # What one command needs costs the others nothing.
        module = importlib.import_module(f"flows.commands.{WITHIN.get(options.command, options.command)}")
        code: int = getattr(module, options.command if options.command in WITHIN else "run")(options)
        return code
    except ChannelscribeError as error:
        print(f"channelscribe: {error}", file=sys.stderr)  # noqa: T201
        return EXIT_USAGE if isinstance(error, UsageError) and error.exit_code == EXIT_USAGE else EXIT_FAILED
    except KeyboardInterrupt:
        print("channelscribe: stopped; the same command goes on where it was.", file=sys.stderr)  # noqa: T201
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`channelscribe search … | head`): nothing to say, nobody to say it to.
        sys.stderr.close()
        return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
