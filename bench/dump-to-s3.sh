#!/usr/bin/env bash
# A PostgreSQL database to S3: Holdfast against `pg_dump | zstd -3 | upload` with the same SDK, taking turns.
# Servers are started here on loopback (as root) and stopped at the end. usage: bench/dump-to-s3.sh [SCALE of pgbench] [REPEAT]
# Needs scripts/servers.sh, npm run build, zstd, /usr/bin/time. A scale of 140 is about 2 GB in the database.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/node_modules/.bin:$PATH"
scale=${1:-140} repeat=${2:-3}
pg=/usr/lib/postgresql/15/bin pg_port=24311 s3_port=24312
work=$(mktemp -d) pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  setpriv --reuid postgres --regid postgres --init-groups "$pg/pg_ctl" -D "$work/pg" -m fast stop >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap cleanup EXIT
chmod 755 "$work"; install -d -o postgres -g postgres "$work/pg" "$work/socket"
as_postgres() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
as_postgres "$pg/initdb" -D "$work/pg" -A trust --no-sync >/dev/null
as_postgres "$pg/pg_ctl" -D "$work/pg" -w -l "$work/pg/log" -o "-p $pg_port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$work/socket -c fsync=off -c shared_buffers=512MB" start >/dev/null
export PGHOST=127.0.0.1 PGPORT=$pg_port PGUSER=postgres
"$pg/createdb" bench
"$pg/pgbench" -q -i -s "$scale" bench >/dev/null 2>&1
# Words, so that the dump compresses as real tables do.
"$pg/psql" -q bench -c "create unlogged table orders as select aid as id, md5(aid::text) as reference, 'customer ' || (aid % 977) as customer, abalance, repeat(md5((aid % 5003)::text), 2) as note from pgbench_accounts; drop table pgbench_accounts;" >/dev/null
echo "database: $("$pg/psql" -At bench -c "select pg_size_pretty(pg_database_size('bench'))")"

export AWS_ENDPOINT_URL=http://127.0.0.1:$s3_port AWS_REGION=eu-central-1 AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
mkdir "$work/tmp"
TMPDIR=$work/tmp GATEWAY_PORT=$s3_port BIND_HOST=127.0.0.1 IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 .servers/py/bin/python -m hypercorn ministack.app:app --bind "127.0.0.1:$s3_port" --keep-alive 75 >"$work/s3.log" 2>&1 &
pids+=($!)
until curl -sf "$AWS_ENDPOINT_URL/_ministack/health" >/dev/null; do sleep 0.2; done

export HOME=$work XDG_STATE_HOME=$work/state XDG_CONFIG_HOME=$work/config
cat >"$work/holdfast.yaml" <<YAML
vaults:
  bench: { s3: { bucket: BUCKET, prefix: vault, endpoint: "$AWS_ENDPOINT_URL", path-style: true, region: eu-central-1 }, key-file: key }
plans:
  bench: { source: { type: postgres, host: 127.0.0.1, port: $pg_port, database: bench, user: postgres } }
YAML
measure() { # name, command
  local times; times=$work/time
  /usr/bin/time -f '%e %U %S %M' -o "$times" bash -o pipefail -c "$2" >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
  read -r wall user sys peak < <(tail -1 "$times")
  echo "$1: $wall s, $(awk "BEGIN{printf \"%.1f\", $user+$sys}") CPU s, $((peak / 1024)) MiB peak of one process"
}
bucket() { node -e '
  const { S3Client, CreateBucketCommand } = require("@aws-sdk/client-s3");
  new S3Client({ forcePathStyle: true }).send(new CreateBucketCommand({ Bucket: process.argv[1], CreateBucketConfiguration: { LocationConstraint: process.env.AWS_REGION } }));' "$1"; }
stored() { node -e '
  const { S3Client, paginateListObjectsV2 } = require("@aws-sdk/client-s3");
  (async () => { let bytes = 0; for await (const page of paginateListObjectsV2({ client: new S3Client({ forcePathStyle: true }) }, { Bucket: process.argv[1] })) for (const { Size } of page.Contents ?? []) bytes += Size;
  console.log("  stored " + (bytes / 1e6).toFixed(1) + " MB"); })();' "$1"; }
holdfast="node --no-warnings $PWD/dist/holdfast.mjs"
for turn in $(seq "$repeat"); do
  bucket "plain$turn"; bucket "vault$turn"
  measure "pg_dump | zstd -3 | upload" "$pg/pg_dump --format=custom --compress=0 bench | zstd -q -3 | node $PWD/bench/upload.mjs plain$turn dump.zst"; stored "plain$turn"
  sed -i "s/bucket: [A-Za-z0-9]*/bucket: vault$turn/" "$work/holdfast.yaml"; rm -f "$work/key"
  $holdfast init --no-yaml --config "$work/holdfast.yaml" --vault bench >/dev/null 2>&1
  measure "holdfast, first" "$holdfast backup bench --config $work/holdfast.yaml"; stored "vault$turn"
  measure "holdfast, again" "$holdfast backup bench --config $work/holdfast.yaml"; stored "vault$turn"
  curl -sf -X DELETE "$AWS_ENDPOINT_URL/plain$turn/dump.zst" -o /dev/null || true
done
