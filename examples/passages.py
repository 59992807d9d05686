"""Join exported segments into passages for a retrieval index: `python examples/passages.py channel.jsonl`.

A passage is what one person says without a longer pause, up to 120 words. Doubtful segments are left out. Prints JSON
Lines with the text and what a citation needs: title, speaker, chapter, and a link that opens at the second.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

MOST_WORDS = 120
LONGEST_PAUSE = 2.0  # seconds

Row = dict[str, Any]


def passages(rows: Iterable[Row]) -> Iterator[Row]:
    """Passages of the rows of `channelscribe export`, in their order."""
    open_: list[Row] = []
    for row in rows:
        if row["flags"]:
            continue
        if open_ and not goes_on(open_, row):
            yield joined(open_)
            open_ = []
        open_.append(row)
    if open_:
        yield joined(open_)


def goes_on(segments: list[Row], row: Row) -> bool:
    last = segments[-1]
    same = all(last[name] == row[name] for name in ("site", "video", "speaker", "chapter"))
    words = sum(len(each["text"].split()) for each in (*segments, row))
    return same and row["start"] - last["end"] <= LONGEST_PAUSE and words <= MOST_WORDS


def joined(segments: list[Row]) -> Row:
    first, last = segments[0], segments[-1]
    second = int(first["start"])
    return {
        "text": " ".join(each["text"].strip() for each in segments),
        "title": first["title"],
        "speaker": first["speaker"],
        "chapter": first["chapter"],
        "start": first["start"],
        "end": last["end"],
        "url": f"{first['url']}&t={second}" if "youtube.com/watch" in first["url"] else f"{first['url']}#t={second}",
    }


def main(name: str) -> None:
    with Path(name).open(encoding="utf-8") as file:
        for passage in passages(json.loads(line) for line in file):
            print(json.dumps(passage, ensure_ascii=False))


if __name__ == "__main__":
    main(sys.argv[1])
