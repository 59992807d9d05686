"""The catalogue: everything that channelscribe knows about sources, videos and transcripts, in PostgreSQL.

Machines that have no server get one from `local_stack.postgres`.

Who uses it holds a `connection.Database`. What can be asked are functions of these modules, each with a session as its
first argument: `database.run(leases.renew, pk, owner, 60)` is a transaction of its own, `with database.session() as
session:` makes one of several.

| module | knows |
|---|---|
| `tables`, `schema`, `migrations` | what the tables are, and how a database gets them |
| `connection`, `dump` | the way to the server; all rows into files and back |
| `listings`, `triage` | sources and what they list; what is not to be fetched, and the dry run |
| `leases`, `breakers` | who works on which video; sites that are left alone for a while |
| `videos`, `references` | a video's row through its life; what the rows point to in the store |
| `publishing`, `transcripts` | a transcript into rows, and back |
| `search`, `search_query`, `words`, `entities` | what was said, and who is named |
| `stats`, `prometheus` | counts: the status, and the figures that are watched |
"""
