#!/bin/sh
# Before a worker starts: make its scratch folders, and clear what killed ones left there. Runs end after three days
# (prefect.longest_run_hours), so what is older is nobody's. Broken off downloads are the sweep's.
set -eu
data=${CHANNELSCRIBE_DATA_DIR:-/tmp/data}
scratch=$data/scratch
export TMPDIR="${TMPDIR:-$scratch/tmp}"
mkdir -p "$TMPDIR" "$scratch"
find "$TMPDIR" -mindepth 1 -maxdepth 1 -mtime +3 -exec rm -rf {} + 2>/dev/null || true
find "$scratch" -mindepth 1 -maxdepth 1 ! -name partial ! -name tmp ! -name dask -mtime +3 -exec rm -rf {} + 2>/dev/null || true
exec "$@"
