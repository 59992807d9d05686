"""An evaluation as one HTML page: the figures, and each recording's text with every error in its place.

Needs what `recordings` needs; leaves nothing behind. Names and words are strangers': all of it is escaped, and the page
asks nobody for anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from channelscribe.evaluation.recordings import Heard, Recording, edits

__all__ = ["page"]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}
table{border-collapse:collapse;margin:1rem 0}th,td{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}
del{background:#fde0dc;color:#8f1d13;text-decoration:line-through}ins{background:#dcefdc;color:#14532d;text-decoration:none}
small{color:#666}h3{margin-bottom:.2rem}
@media (prefers-color-scheme:dark){body{color:#ddd;background:#161616}th,td{border-color:#444}small{color:#999}
del{background:#4a1f1a;color:#ffb4a9}ins{background:#1d3b22;color:#a6e3b0}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def page(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    heard: Sequence[tuple[Recording, Mapping[str, Heard]]],
) -> str:
    """`rows` are those of the table that people see on the console."""
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f'<meta name="viewport" content="width=device-width"><title>Evaluation</title><style>{_STYLE}</style>',
        "<h1>Evaluation</h1>",
        _table(heads, rows),
        "<p><del>said and not heard</del> <ins>heard and not said</ins>, as Whisper's normalizer leaves words.</p>",
    ]
    for recording, systems in heard:
        parts.append(f"<h2>{escape(recording.name)}</h2>")
        for name, each in systems.items():
            note = f" <small>{escape(each.note)}</small>" if each.note else ""
            parts.append(f"<h3>{escape(name)}{note}</h3><p>{_text(recording, each)}</p>")
    return "\n".join(parts) + "\n</html>\n"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(head)}</th>" for head in heads)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"


def _text(recording: Recording, heard: Heard) -> str:
    if recording.truth.words is None:
        return f"{escape(heard.text)} <small>(what was said is not known)</small>"
    return " ".join(_marked(edits(recording.truth.words, heard.text, heard.language)))


def _marked(found: Any) -> Iterator[str]:
    said, got = found.references[0], found.hypotheses[0]
    for part in found.alignments[0]:
        missing = escape(" ".join(said[part.ref_start_idx : part.ref_end_idx]))
        added = escape(" ".join(got[part.hyp_start_idx : part.hyp_end_idx]))
        if part.type == "equal":
            yield added
            continue
        if missing:
            yield f"<del>{missing}</del>"
        if added:
            yield f"<ins>{added}</ins>"
