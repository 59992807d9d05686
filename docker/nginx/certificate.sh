#!/bin/sh
# The certificate of the door: the one that is given, else a self-signed one that is made here and kept.
#
# Given: CERTIFICATE and CERTIFICATE_KEY name files that are there. Otherwise both are made for SERVER_NAME, for 820 days
# (Apple's systems refuse more), the key readable by its owner only, and found again at the next start; one made here is
# made anew when SERVER_NAME changes, a half of it is missing, or it ends within a month. One that was given is never
# touched: half of it, or halves that do not belong together, are an error. Needs openssl and a POSIX shell.
set -eu

: "${CERTIFICATE:?where the certificate is, or will be}" "${CERTIFICATE_KEY:?where its key is, or will be}"
name=${SERVER_NAME:-localhost}
[ "$name" = _ ] && name=localhost
maker="channelscribe self-signed"

say() { echo "certificate.sh: $*" >&2; }
ended_in_days() { ! openssl x509 -in "$CERTIFICATE" -noout -checkend $(($1 * 86400)) >/dev/null; }
made_here() { openssl x509 -in "$CERTIFICATE" -noout -subject 2>/dev/null | grep -q "$maker"; }
is_for_name() { openssl x509 -in "$CERTIFICATE" -noout "-check$kind" "$name" | grep -q "does match"; }
belong_together() {
  [ -r "$CERTIFICATE" ] && [ -r "$CERTIFICATE_KEY" ] &&
    of_certificate=$(openssl x509 -in "$CERTIFICATE" -noout -pubkey 2>/dev/null) &&
    of_key=$(openssl pkey -in "$CERTIFICATE_KEY" -pubout 2>/dev/null) &&
    [ "$of_certificate" = "$of_key" ]
}

case $name in
  *[!A-Za-z0-9.-]*) say "SERVER_NAME is no host name: $name"; exit 1 ;;
  *[!0-9.]*) kind=host names="DNS:$name" ;;
  *) kind=ip names="IP:$name" ;;
esac

if made_here; then
  if belong_together && is_for_name && ! ended_in_days 30; then exit 0; fi
elif [ -e "$CERTIFICATE" ] || [ -e "$CERTIFICATE_KEY" ]; then
  belong_together || { say "$CERTIFICATE and $CERTIFICATE_KEY cannot be read, or do not belong together"; exit 1; }
  if ended_in_days 7; then say "$CERTIFICATE ends within a week, or has ended"; fi
  exit 0
fi

mkdir -p "$(dirname "$CERTIFICATE")" "$(dirname "$CERTIFICATE_KEY")"
umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 820 -sha256 \
  -subj "/O=$maker/CN=$name" -addext "subjectAltName=$names,DNS:localhost,IP:127.0.0.1" \
  -addext "extendedKeyUsage=serverAuth" -addext "basicConstraints=critical,CA:FALSE" \
  -keyout "$CERTIFICATE_KEY.new" -out "$CERTIFICATE.new" 2>/dev/null
chmod 0644 "$CERTIFICATE.new"
# The certificate first: should this be stopped in between, the next start sees one made here, without its key.
mv "$CERTIFICATE.new" "$CERTIFICATE"
mv "$CERTIFICATE_KEY.new" "$CERTIFICATE_KEY"
say "made a self-signed certificate for $name: $CERTIFICATE"
