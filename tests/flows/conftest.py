"""The database of the catalogue's tests, for steps that are called without a run."""

from __future__ import annotations

from tests.catalogue.conftest import catalogue, new_database, one_database, server

__all__ = ["catalogue", "new_database", "one_database", "server"]
