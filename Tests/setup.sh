#!/usr/bin/env bash
# Installs what building and testing need, and the packages that are named, only what is missing.
# Safe to run at any time.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v swift >/dev/null; then
    echo "setup: Swift 6.3 is missing. Install it (https://www.swift.org/install/linux)" \
        "and put it on the PATH." >&2
    exit 1
fi

packages=(
    liburing-dev libssl-dev libpq-dev libpg-query-dev postgresql pgbouncer
    libpostgresql-jdbc-java golang-github-jackc-pgx-v4-dev valgrind binutils "$@"
)
command -v go >/dev/null || packages+=(golang-go)
command -v javac >/dev/null || packages+=(default-jdk-headless)
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)

installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' "${packages[@]}" 2>/dev/null || true)
missing=()
for package in "${packages[@]}"; do
    grep -qx "installed $package" <<<"$installed" || missing+=("$package")
done

if ((${#missing[@]})); then
    root=()
    [ "$(id -u)" = 0 ] || root=(sudo)
    if ! type -P apt-get "${root[@]}" >/dev/null; then
        echo "setup: missing: ${missing[*]}" >&2
        echo "setup: install them (as root: apt-get install ${missing[*]}) and try again." >&2
        exit 1
    fi
    echo "setup: installing ${missing[*]}"
    # The packages would start their own cluster and pooler. Tests start what they need themselves.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
        "${root[@]}" chmod 755 "$policy"
        trap '"${root[@]}" rm -f "$policy"' EXIT
    fi
    if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
        "${root[@]}" mkdir -p /etc/postgresql-common
        echo 'create_main_cluster = false' |
            "${root[@]}" tee /etc/postgresql-common/createcluster.conf >/dev/null
    fi
    "${root[@]}" apt-get update -qq
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}"
fi

wanted=Tests/Integration/requirements.txt
if ! cmp -s "$wanted" .venv/requirements.installed; then
    echo "setup: making .venv"
    python3 -m venv .venv
    .venv/bin/pip install --quiet -r "$wanted"
    cp "$wanted" .venv/requirements.installed
fi
