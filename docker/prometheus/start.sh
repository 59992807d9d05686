#!/bin/sh
# Prometheus, with the user and the password that Prefect's figures are behind, which a configuration cannot take from
# the environment: a copy of it with the user's name, and a file with the password, readable by nobody else, in RENDERED
# (on a tmpfs). Arguments go to Prometheus.
set -eu
: "${PREFECT_API_AUTH_STRING:?user:password of the Prefect server}"
from=${CONFIGURATION:-/etc/prometheus} rendered=${RENDERED:-/tmp/prometheus}
user=${PREFECT_API_AUTH_STRING%%:*}
case $user in
  *[!A-Za-z0-9._@-]* | "") echo "start.sh: the user's name in PREFECT_API_AUTH_STRING is not plain" >&2; exit 1 ;;
esac
umask 077
mkdir -p "$rendered"
printf %s "${PREFECT_API_AUTH_STRING#*:}" >"$rendered/prefect-password"
unset PREFECT_API_AUTH_STRING
cp "$from/rules.yml" "$rendered/rules.yml"
sed "s/username: PREFECT_USER/username: $user/" "$from/prometheus.yml" >"$rendered/prometheus.yml"
exec "${PROMETHEUS:-prometheus}" --config.file="$rendered/prometheus.yml" "$@"
