#!/bin/bash
# Once, when the database folder is empty: a database and a user for Prefect and for the library, and a user that only
# reads figures. Neither of the first two can connect to the other's.
set -euo pipefail
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  -v prefect="$PREFECT_DATABASE_PASSWORD" -v library="$LIBRARY_DATABASE_PASSWORD" -v monitor="$MONITOR_DATABASE_PASSWORD" <<'SQL'
CREATE ROLE prefect LOGIN PASSWORD :'prefect';
CREATE ROLE channelscribe LOGIN PASSWORD :'library';
CREATE ROLE monitor LOGIN PASSWORD :'monitor' IN ROLE pg_monitor;
CREATE DATABASE prefect OWNER prefect;
CREATE DATABASE channelscribe OWNER channelscribe;
REVOKE CONNECT, TEMPORARY ON DATABASE prefect, channelscribe FROM PUBLIC;
\connect prefect
CREATE EXTENSION IF NOT EXISTS pg_trgm;
\connect channelscribe
CREATE EXTENSION IF NOT EXISTS pg_trgm;
SQL
