"""The database of the catalogue's tests."""

from __future__ import annotations

from tests.catalogue.conftest import catalogue, new_database, one_database, server

__all__ = ["catalogue", "new_database", "one_database", "server"]
