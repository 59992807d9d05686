"""Search the library of this folder: `python examples/search_library.py "night train"`.

Starts the embedded PostgreSQL for as long as this takes, unless `database.url` names a server.
"""

from __future__ import annotations

import sys

from channelscribe.catalogue.connection import Database
from channelscribe.catalogue.search import search
from channelscribe.catalogue.search_query import Question
from channelscribe.local_stack import LocalStack
from channelscribe.settings.registry import SettingsRegistry


def main(query: str) -> int:
    settings = SettingsRegistry().resolve()
    with LocalStack(settings, ["database"], command="search_library") as stack:
        stack.wait_ready()
        catalogue = Database(stack.addresses.database_url or "")
        hits = catalogue.read(search, Question(query), limit=5)
        catalogue.close()
    for hit in hits:
        print(f"{hit.start:8.2f}  {hit.title}: {hit.text.strip()}")
        print(f"          {hit.url}")
    return 0 if hits else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
