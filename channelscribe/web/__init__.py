"""The reading room: a read API (`/api/v1`) over the library, and pages to read, listen and search; no engine in it.

| module | knows |
|---|---|
| `app` | what is served: routes, errors, OpenAPI; `create_app` makes it of a `Room` |
| `guard` | what stands before every request: hosts, sizes, rates, who asks, the headers of every answer |
| `access` | logins, tokens, sessions, roles |
| `records` | what API and pages ask the catalogue for |
| `models` | the shapes of the API's answers, for OpenAPI |
| `answers` | bodies with ETag, gzip, ranges, and problems |
| `api`, `pages`, `people` | the routes; in `people` those on which editors decide |
| `events` | server-sent events, fed by one LISTEN of PostgreSQL |
| `syncs` | asks Prefect's API for a sync |
| `site` | the pages as a folder of files |
"""
