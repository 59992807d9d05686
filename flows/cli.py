"""The command line: `channelscribe COMMAND`. A thin shell; `flows/commands/` holds what each command does.

Exit codes: 0 done; 3 done but some videos failed; 1 could not do it; 2 wrong usage; 130 interrupted. With `--json`
stdout holds one JSON object and nothing else; progress and messages go to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import re
import sys
from datetime import date
from typing import NoReturn

from channelscribe import __version__
from channelscribe.errors import ChannelscribeError, UsageError, did_you_mean
from channelscribe.project import collect_less
from channelscribe.transcript import CORPUS_FORMATS, FILE_FORMATS
from flows.output import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE

WITHIN = {
    **dict.fromkeys(("search", "show", "entities", "export", "sources", "status"), "library"),
    **dict.fromkeys(("versions", "diff", "rollback"), "versions"),
    **dict.fromkeys(("correct", "corrections"), "corrections"),
    **dict.fromkeys(("embed", "similar"), "meaning"),
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
    """All commands and their options. docs/reference/commands.md is made from the help texts."""
    top = Parser(
        prog="channelscribe",
        description="A searchable transcript library of whole channels.",
        epilog="Something failed? `channelscribe doctor` checks this machine, `channelscribe status` tells why videos "
        "failed, and docs/troubleshooting.md goes by what you see.",
    )
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

    command("demo", "run the main job on the bundled sample channel, offline")

    sync = command("sync", "fetch, transcribe and publish what is new in a source")
    sync.add_argument(
        "source",
        nargs="+",
        metavar="SOURCE",
        help="URL of a channel, playlist, video or feed; a folder, recording or OPML file",
    )
    sync.add_argument("--limit", type=count, metavar="N", help="work on at most N videos of each source")
    sync.add_argument("--since", type=day, metavar="DATE", help="leave out what was published earlier, YYYY-MM-DD")
    sync.add_argument("--newest", type=count, metavar="N", help="only the newest N that the other filters let through")
    sync.add_argument("--title", metavar="REGEX", help="only titles that match, ignoring case")
    sync.add_argument("--min-minutes", type=float, metavar="N", help="leave out shorter videos")
    sync.add_argument("--max-minutes", type=float, metavar="N", help="leave out longer videos")
    sync.add_argument("--season", type=int, metavar="N", help="only this season of a podcast")
    sync.add_argument("--dry-run", action="store_true", help="only show what would be done, and why")
    sync.add_argument("--full", action="store_true", help="read the whole channel, even if that was done recently")
    sync.add_argument(
        "--again",
        action="append",
        default=[],
        metavar="REASON",
        help="retry now what failed for this reason (members_only, blocked, …; all); may be repeated",
    )
    sync.add_argument(
        "--refetch",
        action="append",
        default=[],
        metavar="VIDEO",
        help="fetch and transcribe this video of the source again (id, guid or URL); may be repeated",
    )
    sync.add_argument("--wait", action="store_true", help="if another run is working on a source, wait for it to end")
    sync.add_argument("--model", metavar="NAME", help="speech model: sample, small, large-v3-turbo or your own")

    fetch = command("download", "fetch the audio of a video or a whole listing into a folder; needs no database")
    fetch.add_argument("--url", required=True, metavar="URL", help="a video, channel, playlist or feed")
    fetch.add_argument(
        "--out", default=".", metavar="DIR", help="folder for the files, named by day, title and id (default: here)"
    )
    fetch.add_argument("--limit", type=count, metavar="N", help="at most the first N videos")

    canary = command("canary", "check that a source still lists and that a video still downloads")
    canary.add_argument("url", nargs="?", metavar="URL", help="a video or list; default: sources.canary_url")

    audio = command("audio", "make archive, speech track and parts from local files; needs no database")
    audio.add_argument("file", nargs="+", metavar="FILE", help="audio or video")
    audio.add_argument("--steps", metavar="STEPS", help="such as convert,normalize,trim,split; default: audio.steps")
    audio.add_argument("--out", default=".", metavar="DIR", help="folder for the results (default: here)")
    audio.add_argument("--cover", metavar="IMAGE", help="cover for the mp3: JPEG, PNG or WebP")

    speech = command("transcribe", "transcribe local audio or video; needs no database")
    speech.add_argument("file", nargs="+", metavar="FILE", help="audio or video")
    speech.add_argument("--model", metavar="NAME", help="speech model: sample, small, large-v3-turbo or your own")
    speech.add_argument("--language", metavar="CODE", help="such as en; default: detected")
    speech.add_argument("--task", choices=("transcribe", "translate"), help="translate: write English")
    speech.add_argument("--hotwords", metavar="TEXT", help='words to expect, such as "WhisperX, ComfyUI"')
    speech.add_argument("--initial-prompt", metavar="TEXT", help="text to be taken for what was said before")
    speech.add_argument("--suppress-numerals", action="store_true", help="write numbers out")
    speech.add_argument("--speakers", metavar="N|MIN-MAX", help="how many people speak; default: detected")
    speech.add_argument("--formats", default=",".join(FILE_FORMATS), metavar="LIST", help="default: all of them")
    speech.add_argument("--out", default=".", metavar="DIR", help="folder for the transcripts (default: here)")
    speech.add_argument("--raw", action="store_true", help="cut subtitles as whisperX does; default: for readers")
    speech.add_argument("--max-line-width", type=count, metavar="N", help="characters in a subtitle line")
    speech.add_argument("--max-line-count", type=count, metavar="N", help="lines in a subtitle; needs --max-line-width")
    speech.add_argument("--highlight-words", action="store_true", help="underline each word while it is said")

    worth = command(
        "evaluate", "how good transcripts of your own recordings are, against their truth; needs no database"
    )
    worth.add_argument("folder", metavar="FOLDER", help="recordings, each with .txt, .stm, .ctm or .rttm of its name")
    worth.add_argument("--against", metavar="LIST", help="whisperx, faster-whisper, or both by comma: the same weights")
    worth.add_argument("--model", metavar="NAME", help="speech model: sample, small, large-v3-turbo or your own")
    worth.add_argument("--language", metavar="CODE", help="such as en; default: detected")
    worth.add_argument("--out", default="evaluation.html", metavar="FILE", help="page with each error in its place")

    process = command("process", "find sentences, names and topics in a folder of transcripts; needs no database")
    process.add_argument(
        "--directory", required=True, metavar="DIR", help="folder of txt, srt, vtt or json transcripts"
    )
    process.add_argument(
        "--out", default="processed", metavar="DIR", help="folder for the results (default: processed)"
    )

    search = command("search", "find what was said, with a link that opens at the second")
    search.add_argument("query", metavar="QUERY", help='words, "a phrase", beginning*, -without, (one OR other)')
    search.add_argument(
        "--by",
        choices=("words", "meaning", "both"),
        help="words: as they are said; meaning: in other words, too; default: both where there is an index of meaning",
    )
    search.add_argument("--channel", metavar="NAME", help="only in this source (title, id or URL)")
    search.add_argument("--speaker", metavar="NAME", help="only what this speaker said: a name, or SPEAKER_00")
    search.add_argument("--entity", metavar="NAME", help="only where this person, place or organization is named")
    search.add_argument(
        "--since", type=day, metavar="DATE", help="only what was published on or after this day, YYYY-MM-DD"
    )
    search.add_argument(
        "--until", type=day, metavar="DATE", help="only what was published on or before this day, YYYY-MM-DD"
    )
    search.add_argument("--language", metavar="CODE", help="only in this language, such as en")
    search.add_argument("--after", metavar="PLACE", help="the next page: the place that the last search printed")
    search.add_argument("--limit", type=count, default=20, metavar="N", help="at most N hits (default 20)")

    similar = command("similar", "find passages like the one at a second of a video")
    similar.add_argument("video", metavar="VIDEO", help="the video's id, site:id or URL")
    similar.add_argument("time", metavar="TIME", help="seconds, or M:SS, H:MM:SS")
    similar.add_argument("--elsewhere", action="store_true", help="only in other videos")
    similar.add_argument("--limit", type=count, default=10, metavar="N", help="at most N passages (default 10)")

    embed = command("embed", "put what is published into the index of meaning, with an estimate first")
    embed.add_argument("--model", metavar="NAME", help="a model's name or folder; searched by it once it has all")
    embed.add_argument("--dry-run", action="store_true", help="only print the estimate")

    watch = command("watch", "be told when something is said: add, list, test, rm")
    actions = watch.add_subparsers(dest="action", metavar="ACTION", required=True, parser_class=Parser)

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        made = actions.add_parser(name, help=summary, description=summary)
        made.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON object")
        return made

    adding = action("add", "add a watch: be told of matches in transcripts published from now on")
    adding.add_argument("query", metavar="QUERY", help='as for search: climate AND (Ada OR "heat pump")')
    adding.add_argument("--name", metavar="NAME", help="name of the watch; default: made from the query")
    adding.add_argument("--source", metavar="NAME", help="only in this source (title, id or URL)")
    adding.add_argument("--speaker", metavar="NAME", help="only what this speaker says")
    adding.add_argument(
        "--notify",
        action="append",
        default=[],
        metavar="BLOCK|URL",
        help="a Prefect block (slack-webhook/newsroom), or a webhook's URL; may be repeated",
    )
    listing = action("list", "list all watches and how they are doing")
    listing.add_argument("--secrets", action="store_true", help="also show the secrets that sign their webhooks")
    testing = action("test", "show what a watch would have found in the last month")
    testing.add_argument("watch", metavar="NAME|QUERY", help="a watch, or a query")
    testing.add_argument("--source", metavar="NAME", help="only in this source (title, id or URL)")
    testing.add_argument("--speaker", metavar="NAME", help="only what this speaker says")
    action("rm", "remove a watch").add_argument("watch", metavar="NAME", help="as `channelscribe watch list` names it")

    show = command("show", "print transcripts, or write them into a folder")
    show.add_argument("video", nargs="+", metavar="VIDEO", help="the video's id, site:id or URL")
    named = f"{', '.join(FILE_FORMATS)}; several with commas (default: txt)"
    show.add_argument("--format", type=formats, default=("txt",), metavar="FORMAT", help=named)
    show.add_argument("--version", type=count, metavar="N", help="an older version; default: the current one")
    show.add_argument("--out", metavar="DIR", help="write a file for each video and format into this folder")

    export = command("export", "write a channel as one file, one row per segment, for a corpus")
    export.add_argument("channel", metavar="CHANNEL", help="a source's title, id or URL")
    export.add_argument("--format", choices=CORPUS_FORMATS, default="jsonl", help="default: jsonl")
    export.add_argument("--out", metavar="FILE", help="the file (default for jsonl: stdout)")
    export.add_argument("--language", metavar="CODE", help="only transcripts in this language, such as en")
    export.add_argument(
        "--since", type=day, metavar="DATE", help="only what was published on or after this day, YYYY-MM-DD"
    )
    export.add_argument(
        "--until", type=day, metavar="DATE", help="only what was published on or before this day, YYYY-MM-DD"
    )

    entities = command("entities", "list the people, places and organizations that were named")
    entities.add_argument("--channel", metavar="NAME", help="only in this source (title, id or URL)")
    entities.add_argument("--label", metavar="LABEL", help="only this kind: PERSON, GPE, ORG, DATE")

    report = command("report", "measure the sample's transcripts; for a video: its figures and a picture")
    report.add_argument("video", nargs="?", metavar="VIDEO", help="the video's id, site:id or URL")
    report.add_argument("--out", metavar="FILE", help="the picture, an SVG (default: here, named by the video's id)")

    sources = command("sources", "list the channels, playlists and feeds of the library")
    sources.add_argument("--opml", metavar="FILE", help="write the feeds as a list of shows, for podcast players")

    command("status", "count videos by state and reason; show what is due and what runs")
    again = command("retranscribe", "make new versions of old transcripts, with an estimate first")
    again.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="which: channel=…, model=NAME, older_than=DATE, quality_below=0.8; may be repeated, all must hold",
    )
    again.add_argument("--model", metavar="NAME", help="speech model of the new versions; default: speech.model")
    again.add_argument("--limit", type=count, metavar="N", help="at most N, the newest videos first")
    again.add_argument("--dry-run", action="store_true", help="only print the estimate")

    versions = command("versions", "list all versions of a transcript, which is current, what made them")
    versions.add_argument("video", metavar="VIDEO", help="the video's id, site:id or URL")

    diff = command("diff", "show what two versions of a transcript say differently, and when")
    diff.add_argument("video", metavar="VIDEO", help="the video's id, site:id or URL")
    diff.add_argument("old", nargs="?", type=count, metavar="OLD", help="version; default: the one before NEW")
    diff.add_argument("new", nargs="?", type=count, metavar="NEW", help="version; default: the current one")

    rollback = command("rollback", "make an older version of a transcript the current one")
    rollback.add_argument("video", metavar="VIDEO", help="the video's id, site:id or URL")
    rollback.add_argument("version", type=count, metavar="VERSION", help="as `channelscribe versions` lists it")

    correct = command("correct", "correct words, or who said them; later versions get the correction, too")
    correct.add_argument("video", metavar="VIDEO", help="the video's id, site:id or URL")
    correct.add_argument("words", nargs="*", metavar="TIME OLD NEW", help="when, the words as shown, the right ones")
    correct.add_argument(
        "--everywhere", action="store_true", help="these words in all videos; without --yes only shown"
    )
    correct.add_argument("--source", action="store_true", help="with --everywhere: only in the sources of the video")
    correct.add_argument("--yes", action="store_true", help="with --everywhere: correct what was shown")
    correct.add_argument("--speaker", metavar="NAME", help="who says what is said in the span TIME, such as 1:05-1:20")
    correct.add_argument("--import", dest="file", metavar="FILE", help="an edited srt, vtt or txt of the video")

    corrections = command("corrections", "list corrections, undo them by number, or print a glossary of them")
    corrections.add_argument(
        "action", nargs="?", choices=["list", "undo", "glossary"], default="list", help="default: list"
    )
    corrections.add_argument("number", nargs="*", type=count, metavar="NUMBER", help="of a correction, as listed")
    corrections.add_argument("--video", metavar="VIDEO", help="only of this video")
    corrections.add_argument("--channel", metavar="NAME", help="only in this source (title, id or URL)")
    corrections.add_argument("--open", action="store_true", help="only those whose words the new version does not have")
    corrections.add_argument("--undone", action="store_true", help="those that were undone, too")
    corrections.add_argument("--together", action="store_true", help="undo all that was corrected by the same command")

    voices = command("voices", "list who is heard; name, merge, split and forget them")
    voices.add_argument(
        "action",
        nargs="?",
        choices=["list", "show", "name", "merge", "split", "forget", "hear"],
        default="list",
        help="default: list; hear: those of older transcripts",
    )
    voices.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        help="name: VOICE NAME; merge: VOICE OTHER…; split: VOICE VIDEO…; VOICE: number, name or VIDEO/SPEAKER_00",
    )
    voices.add_argument("--source", metavar="NAME", help="list, hear, forget: only in this source (title, id or URL)")
    voices.add_argument("--unknown", action="store_true", help="only who has no name yet")
    voices.add_argument("--limit", type=count, metavar="N", help="at most N, those who speak most first")
    voices.add_argument("--clips", metavar="DIR", help="write ten seconds of each into this folder")
    voices.add_argument("--yes", action="store_true", help="forget it; without this, only show it")

    command("up", "run the local stack until Ctrl-C: UI, work pools, schedules")

    serve = command("serve", "serve the reading room and its API until stopped; passwd: manage logins")
    serve.add_argument("action", nargs="?", choices=["passwd"], help="passwd: give NAME a password, or a token")
    serve.add_argument("name", nargs="?", metavar="NAME", help="name of the login")
    serve.add_argument("--listen", metavar="HOST:PORT", help="default: web.listen; anything but loopback needs logins")
    serve.add_argument("--role", choices=["reader", "editor"], default="reader", help="what the login may do")
    serve.add_argument("--token", action="store_true", help="print a new token for a program, shown only once")
    serve.add_argument("--remove", action="store_true", help="remove the login")

    site = command("site", "write the reading room as static pages for any web server; again: only what is new")
    site.add_argument("folder", metavar="DIR", help="where the pages go")
    site.add_argument("--channel", metavar="NAME", help="only this source (title, id or URL)")
    site.add_argument("--base-url", metavar="URL", help="where the folder will be: absolute links and a sitemap")
    site.add_argument("--no-audio", action="store_true", help="leave the audio out and link to its site instead")

    run = command("run", "start a deployment on the Prefect server; with --wait follow it to its end")
    run.add_argument("flow", metavar="FLOW", help="such as sync-channel, or FLOW/DEPLOYMENT")
    run.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a field of its form, such as source=https://…; may be repeated",
    )
    run.add_argument("--wait", action="store_true", help="until it has ended; the exit code is the run's")

    command("mcp", "the library for assistants, over stdio (Model Context Protocol); read-only")

    metrics = command("metrics", "print figures for Prometheus, or serve them over HTTP")
    metrics.add_argument("--listen", metavar="HOST:PORT", help="serve them on /metrics there, until stopped")

    sweep = command("sweep", "show what retention would delete and what is missing; give lost work back")
    sweep.add_argument("--delete", action="store_true", help="delete it")
    sweep.add_argument("--repair", action="store_true", help="remake files of published videos that the store has lost")
    takedown = command("takedown", "delete everything of one video, everywhere, for good")
    takedown.add_argument("video", metavar="VIDEO", help="the video's id, site:id or URL")
    takedown.add_argument("--yes", action="store_true", help="delete it; without this, only show what there is")
    backup = command("backup", "copy catalogue and files into a folder; again: only what is new")
    backup.add_argument("folder", metavar="DIR", help="where the copy is kept")
    backup.add_argument("--prune", action="store_true", help="delete from the copy what the library no longer has")
    restore = command("restore", "fill an empty library from a backup")
    restore.add_argument("folder", metavar="DIR", help="where the copy is kept")
    doctor = command("doctor", "check everything that a run needs, with a remedy for what is missing")
    doctor.add_argument("--url", metavar="URL", help="also try this source; default: sources.canary_url, if set")

    deploy = command("deploy", "bring a Prefect server to what is declared in git, schedules included")
    deploy.add_argument("--channels", metavar="FILE", help="list of channels; default: prefect.channels")
    deploy.add_argument("--dry-run", action="store_true", help="only show what would change")

    config = command("config", "show the settings and where each value comes from")
    config.add_argument("action", choices=["show"], help="show: each setting, its value and where it came from")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns its exit code. Every failure is one line on stderr."""
    collect_less()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # else it looks for some in all that is installed
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
        usage = isinstance(error, UsageError) and error.exit_code == EXIT_USAGE
        # docs/reasons.md and docs/troubleshooting.md go by the code.
        print(f"channelscribe: {error}{'' if usage else f' [{error.reason}]'}", file=sys.stderr)  # noqa: T201
        return EXIT_USAGE if usage else EXIT_FAILED
    except KeyboardInterrupt:
        print("channelscribe: stopped; the same command continues where it was.", file=sys.stderr)  # noqa: T201
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`channelscribe search … | head`): nothing to say, nobody to say it to.
        sys.stderr.close()
        return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main())
