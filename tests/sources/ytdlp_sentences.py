"""The sentences in the sources of the installed yt-dlp with which its extractors fail, read without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yt_dlp.extractor  # type: ignore[import-untyped]

EXTRACTORS = Path(yt_dlp.extractor.__file__).parent
UNKNOWN = "X"
"""Stands for what is known only when it happens: a title, the site's own words."""

_ALWAYS_EXPECTED = {"raise_login_required", "raise_geo_restricted", "GeoRestrictedError", "UserNotLive"}
_FAILS = {"ExtractorError", "raise_no_formats", *_ALWAYS_EXPECTED}
_MARKS = ("expected=True", *_ALWAYS_EXPECTED)


@dataclass(frozen=True)
class Sentence:
    """What an extractor says, and with which call."""

    file: str
    call: str
    text: str


@cache
def sentences() -> tuple[Sentence, ...]:
    """All for which the site is to blame (`expected`) and not yt-dlp, in the order of the files."""
    found: list[Sentence] = []
    for path in sorted(EXTRACTORS.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if any(each in source for each in _MARKS):
            found += _in_source(source, str(path.relative_to(EXTRACTORS)))
    return tuple(found)


def _in_source(source: str, file: str) -> Iterator[Sentence]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        keywords = {each.arg: each.value for each in node.keywords}
        message = node.args[0] if node.args else keywords.get("msg")
        if name not in _FAILS or message is None:
            continue
        told = keywords.get("expected")
        expected = name in _ALWAYS_EXPECTED or (isinstance(told, ast.Constant) and told.value is True)
        for text in _texts(message) if expected else ():
            if text.replace(UNKNOWN, "").strip(" .:"):
                yield Sentence(file, name, text)


def _texts(node: ast.expr) -> list[str]:
    """The texts that an expression can be, with `X` for what is not written there."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else [UNKNOWN]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else UNKNOWN for part in node.values)]
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    if isinstance(node, ast.BoolOp):
        return [text for each in node.values for text in _texts(each)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [left + right for left in _texts(node.left) for right in _texts(node.right)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
        return _texts(node.left)
    return [UNKNOWN]
