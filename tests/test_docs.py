"""README and docs/: links lead somewhere, commands are ones the program knows, what repeats the code agrees with it."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import os
import re
import shlex
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

import pytest

from channelscribe import __version__
from channelscribe.catalogue.search_query import LANGUAGES
from channelscribe.local_stack.places import Places
from channelscribe.sample import world
from channelscribe.settings import Settings
from channelscribe.settings.registry import SettingsRegistry, parse_assignment
from channelscribe.settings.travel import refuse_own
from channelscribe.speech.registry import BUILT_IN
from channelscribe.store import layout
from flows.cli import WITHIN, parser

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
FENCE = re.compile(r"^ {0,3}(```|~~~)")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
MANY_WORDS = 10


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def generate() -> ModuleType:
    """docs/generate.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["api.md", "commands.md", "settings.md"])
def test_a_page_that_repeats_the_code_is_current(name: str) -> None:
    made = generate()
    assert set(made.PAGES) == {"api.md", "commands.md", "settings.md"}
    assert (DOCS / "reference" / name).read_text(encoding="utf-8") == made.PAGES[name](), "`make docs` writes it"


def test_the_settings_page_has_all_settings() -> None:
    page = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    keys = {each.key for each in SettingsRegistry(environ={}).explain()}
    assert len(keys) > 100
    # A setting of free form, such as speech.models, has keys of its own below.
    told = set(re.findall(r"^\| `([a-z_.]+)` ", page, re.MULTILINE))
    assert {key for key in keys if not any(key == each or key.startswith(f"{each}.") for each in told)} == set()


def blocks(text: str) -> Iterator[tuple[bool, str]]:
    """Each line, and whether it is within a block of code: fenced, or indented after an empty line."""
    fenced = indented = False
    before = ""
    for line in text.splitlines():
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            indented = (line.startswith("    ") and (indented or not before.strip())) or (indented and not line.strip())
            yield indented, line
        else:
            yield True, line
        before = line


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    lines = [line for code, line in blocks(page.read_text(encoding="utf-8")) if not code and line.startswith("#")]
    heads = [line.lstrip("#").strip() for line in lines]
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", head).lower() for head in heads]
    return {re.sub(r"[^\w\- ]", "", head).replace(" ", "-") for head in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    wrong = []
    for code, line in blocks(page.read_text(encoding="utf-8")):
        for found in LINK.finditer("" if code else re.sub(r"`[^`]*`", "", line)):
            target, _, anchor = (found[1] or found[2]).partition("#")
            if target.startswith(("http://", "https://", "mailto:")):
                continue
            there = (page.parent / target).resolve() if target else page
            if not there.exists() or (anchor and anchor not in anchors(there)):
                wrong.append(found[0])
    assert wrong == []


def commands(page: Path) -> Iterator[str]:
    """What a page has people type, from `channelscribe` on; comments, pipes and prompts are the shell's."""
    text = re.sub(r" \\\n\s*", " ", page.read_text(encoding="utf-8"))
    for code, line in blocks(text):
        if code and "channelscribe" in line:
            words = shlex.split(line.strip().removeprefix("$ "), comments=True)
            while words and (ASSIGNMENT.fullmatch(words[0]) or words[0] in ("sudo", "export")):
                words = words[1:]
            if words[:2] == ["docker", "compose"] and "channelscribe" in words:
                words = words[words.index("channelscribe") :]
            if words and words[0].rpartition("/")[2] == "channelscribe":
                ends = [n for n, word in enumerate(words) if word in ("|", "&&", ">", "2>", "&", ";")]
                # [--optional VALUE] in a synopsis is given like the rest.
                yield shlex.join(
                    re.sub(r"^\[(--\w[^\]]*)\]?$|^([^\[]*\w)\]$", r"\1\2", word)
                    for word in words[: min(ends, default=None)]
                )


TYPED = [(page, line) for page in PAGES if page.name != "commands.md" for line in commands(page)]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_in_sentences_are_ones_that_the_program_knows(page: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They may leave out what a command needs: `channelscribe sync`."""
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for span in re.findall(r"`channelscribe ([^`…]+)`", prose):
        if span != "COMMAND --help":
            with suppress(SystemExit):
                parser().parse_args(shlex.split(span))
            said = capsys.readouterr().err
            assert not said or "the following arguments are required" in said, f"{span}: {said}"


def test_commands_are_found() -> None:
    assert len(TYPED) > 60
    assert {page.name for page, _ in TYPED} >= {"README.md", "tutorial.md", "keeping.md", "operating.md"}


@pytest.mark.parametrize(("page", "line"), TYPED, ids=lambda each: name_of(each) if isinstance(each, Path) else each)
def test_a_command_is_one_that_the_program_knows(
    page: Path, line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = shlex.split(line)[1:]
    if words in ([], ["COMMAND", "--help"]):
        return
    try:
        options = parser().parse_args(words)
    except SystemExit as ended:
        assert ended.code == 0, capsys.readouterr().err
    else:
        given = dict(parse_assignment(each) for each in options.assignments)
        SettingsRegistry(run=given, environ={}, folder=tmp_path).resolve()
        module = importlib.import_module(f"flows.commands.{WITHIN.get(options.command, options.command)}")
        if "run_settings" in Path(str(module.__file__)).read_text(encoding="utf-8"):
            refuse_own(given, "the options of one run")


def test_the_readme_can_be_read_at_a_glance() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 1100
    cells = [cell for line in text.splitlines() if line.startswith("|") for cell in line.strip("|").split("|")]
    assert [cell for cell in cells if len(cell.split()) > MANY_WORDS] == []


def test_pictures_are_there_shown_and_small() -> None:
    shown = {
        (page.parent / name).resolve()
        for page in PAGES
        for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    }
    assert shown == set((DOCS / "images").resolve().iterdir())
    for each in shown:
        content = each.read_bytes()
        assert content.startswith(b"\x89PNG") and len(content) < 300_000


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    linked = {(DOCS / (found[1] or found[2]).partition("#")[0]).resolve() for found in LINK.finditer(index)}
    assert {name_of(page) for page in PAGES if page.is_relative_to(DOCS) and page not in linked} == {"docs/README.md"}


def code() -> str:
    """All source text of the program, string literals joined as the parser joins them."""
    folders = ("channelscribe", "flows", "tasks", "blocks", "deployments")
    files = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_what_troubleshooting_quotes_is_said() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    quoted = [" ".join(each.split()) for each in re.findall(r"\*\*`([^`]+)`", page)]
    assert len(quoted) > 20
    # Sites' own words stand in docs/reasons.md, and the system's in no file of ours.
    said = code() + (DOCS / "reasons.md").read_text(encoding="utf-8") + os.strerror(errno.ENOSPC)
    assert [each for each in quoted if each.rstrip(".") not in said] == []


def test_reasons_that_troubleshooting_names_are_reasons() -> None:
    page = (DOCS / "troubleshooting.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^\| `([a-z_]+)` ", (DOCS / "reasons.md").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\(`([a-z_]+)`\)", page))
    assert len(named) > 8
    assert named <= known


def test_settings_that_pages_name_are_there() -> None:
    keys = {each.key for each in SettingsRegistry(environ={}).explain()} | {"speech.models", "sources.logins"}
    sections = {key.partition(".")[0] for key in keys if "." in key} - {"text", "search", "store"}
    wrong = set()
    pattern = rf"`((?:{'|'.join(sorted(sections))})\.[a-z_.]+)`"
    for page in PAGES:
        for key in re.findall(pattern, page.read_text(encoding="utf-8")):
            if not any(known == key or known.startswith(f"{key}.") for known in keys):
                wrong.add((name_of(page), key))
    assert {each for each in wrong if not each[1].endswith((".yaml", ".py", ".toml", ".md"))} == set()


def test_the_drawing_shows_the_folders_that_there_are() -> None:
    page = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
    drawn = page.partition("```mermaid")[2].partition("```")[0]
    library = set(re.findall(r'^\s+(\w+)\["', drawn.partition("subgraph channelscribe")[2], re.MULTILINE))
    project = set(re.findall(r'^\s+(\w+)\["', drawn.partition("subgraph channelscribe")[0], re.MULTILINE))
    folders = {path.parent.name for path in (ROOT / "channelscribe").glob("*/__init__.py")}
    assert library == folders
    assert project - {"project"} == {"flows", "tasks", "blocks", "deployments"}
    assert all((ROOT / name).is_dir() for name in re.findall(r"`([a-z_]+)` (?:trains|packages|measures)", page))


def test_the_session_in_the_readme_is_one_that_was_run() -> None:
    """docs/transcript.py wrote the file; the README may leave out lines (…) and nothing else."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.partition("<!-- transcript -->\n\n```console\n")[2].partition("```")[0].splitlines()
    run = (DOCS / "transcript.txt").read_text(encoding="utf-8").splitlines()
    assert len(shown) > 10
    at, before = 0, ""
    for line in shown:
        if line not in ("…", ""):
            assert line in run[at:], line
            found = run.index(line, at)
            assert before == "…" or not any(run[at:found]), (line, run[at:found])
            at = found + 1
        before = line or before


def test_what_the_session_finds_is_in_the_sample() -> None:
    """The words of its hit are those of the script, at the second that the link opens."""
    told = (DOCS / "transcript.txt").read_text(encoding="utf-8")
    found = re.search(r"^(.+?)  \d+:\d\d  SPEAKER_\d\d\n  (.+)\n  (\S+)#t=(\d+)$", told, re.MULTILINE)
    assert found
    episode = next(each for each in world.episodes() if each.title == found[1])
    at = next(word.start for word in episode.script.words if word.text.lower().startswith("strange"))
    assert found[2].replace("**", "").rstrip("?") in episode.script.text.replace("?", "")
    assert 0 <= at - int(found[4]) < 10


def test_the_files_page_has_all_places() -> None:
    page = (DOCS / "reference" / "files.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(?:library/)?([a-z_]+)(?:/|\.json`)", page))
    video, digest = ("site", "id"), "a" * 64
    keys = (
        layout.archive_key(*video),
        layout.part_key(*video, digest, "1", "mp3"),
        layout.original_key(*video, "140", "m4a"),
        layout.speech_key(*video, digest),
        layout.checkpoint_key("align", digest),
        layout.transcript_key(*video, digest, "srt"),
        layout.publisher_key(*video, "en", "srt"),
        layout.reading_key(*video, digest),
        layout.result_key("prepare", 1, digest),
        layout.feed_key("name"),
    )
    assert {key.partition("/")[0] for key in keys} <= told
    places = Places(Path("data"))
    assert {path.name for path in (places.postgres, places.prefect, places.logs, places.copies)} <= told


def test_numbers_and_names_in_the_readme_are_those_of_the_code() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"channelscribe-{__version__}-py3-none-any.whl[all]" in text and project["version"] == __version__
    assert f"the forms of {len(set(LANGUAGES.values()))} languages" in text
    assert f"http://{Settings().web.listen}" in text
    versions = [each.rpartition(" ")[2] for each in project["classifiers"] if re.search(r"Python :: 3\.\d+$", each)]
    assert f"Python {' or '.join(versions)}" in text
    assert project["requires-python"] == f">={versions[0]},<3.{int(versions[-1].partition('.')[2]) + 1}"
    for name in re.findall(r"`((?:small|large|base|tiny)[a-z0-9-]*)`", text):
        assert name in BUILT_IN
    assert project["license"] in text


def test_the_changelog_has_this_version_and_what_comes() -> None:
    heads = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert heads[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(__version__)} – \d{{4}}-\d\d-\d\d", heads[1])
