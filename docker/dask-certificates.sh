#!/bin/sh
# Certificates for a Dask cluster over TLS: an authority, and one certificate each that it signs.
#
# `dask-certificates.sh DIR` leaves in DIR, each role's own in a folder of its own, so that a service need see no more:
#
#     authority/ca.pem, ca-key.pem                the key stays here; no service needs it
#     scheduler/ca.pem, cert.pem, key.pem         serves, and asks workers
#     worker/ca.pem, cert.pem, key.pem            serves, and asks the scheduler and other workers
#     client/ca.pem, cert.pem, key.pem            only asks: a runner of flows, Prometheus
#
# Keys are readable by their owner only. What is there and good is left as it is; what is missing, does not belong
# together or ends within 60 days is made anew, and a new authority signs all three anew. Dask reads these files when it
# starts: restart it then. Dask asks whether the authority signed a certificate, not for which name. Needs openssl.
set -eu
[ $# = 1 ] || { echo "Usage: dask-certificates.sh DIR" >&2; exit 2; }
if ! { mkdir -p "$1" && cd "$1"; } 2>/dev/null; then
  echo "The certificates cannot be kept in $1: name a folder of yours." >&2
  exit 1
fi
umask 077
soon=$((60 * 86400)) made=

belong_together() {
  [ -r "$1" ] && [ -r "$2" ] && of=$(openssl x509 -in "$1" -noout -pubkey 2>/dev/null) &&
    [ "$of" = "$(openssl pkey -in "$2" -pubout 2>/dev/null)" ]
}
lasts() { openssl x509 -in "$1" -noout -checkend "$soon" >/dev/null 2>&1; }
new_key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -out "$1.new" 2>/dev/null; }
# Whole or not at all, and a key at no moment open to others.
keep() { for file; do case $file in *key.pem) ;; *) chmod 0644 "$file.new" ;; esac; mv "$file.new" "$file"; done; }

mkdir -p authority
if ! belong_together authority/ca.pem authority/ca-key.pem || ! lasts authority/ca.pem; then
  new_key authority/ca-key.pem
  openssl req -x509 -new -key authority/ca-key.pem.new -sha256 -days "${AUTHORITY_DAYS:-3650}" \
    -subj "/CN=channelscribe authority" -addext keyUsage=critical,keyCertSign,cRLSign -out authority/ca.pem.new
  # The key first: without a certificate that belongs to it, the next call begins again.
  keep authority/ca-key.pem authority/ca.pem
  made=authority
fi

for role in scheduler worker client; do
  case $role in client) purposes=clientAuth ;; *) purposes=serverAuth,clientAuth ;; esac
  mkdir -p "$role" && chmod 0755 "$role"
  if belong_together "$role/cert.pem" "$role/key.pem" && lasts "$role/cert.pem" &&
    cmp -s authority/ca.pem "$role/ca.pem" && openssl verify -CAfile authority/ca.pem "$role/cert.pem" >/dev/null 2>&1; then
    chmod 0600 "$role/key.pem"
    continue
  fi
  new_key "$role/key.pem"
  printf '%s\n' basicConstraints=critical,CA:FALSE keyUsage=critical,digitalSignature "extendedKeyUsage=$purposes" \
    subjectKeyIdentifier=hash authorityKeyIdentifier=keyid >"$role/extensions.new"
  openssl req -new -key "$role/key.pem.new" -subj "/CN=channelscribe $role" |
    openssl x509 -req -sha256 -days "${DAYS:-730}" -set_serial "0x$(openssl rand -hex 16)" -CA authority/ca.pem \
      -CAkey authority/ca-key.pem -extfile "$role/extensions.new" -out "$role/cert.pem.new" 2>/dev/null
  rm "$role/extensions.new"
  cp authority/ca.pem "$role/ca.pem.new"
  keep "$role/key.pem" "$role/cert.pem" "$role/ca.pem"
  made="$made $role"
done
if [ "$made" ]; then echo "$1: made ${made# }"; else echo "$1: all there, and good"; fi
