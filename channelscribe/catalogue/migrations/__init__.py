"""The schema's history, as Alembic revisions; run by `channelscribe.catalogue.schema`.

A new one: change `tables.py`, add `versions/rNNNN_what.py` by hand or with `alembic revision`, and let
`tests/catalogue/test_schema.py` compare the two.
"""
