#!/bin/sh
# Write all lock files anew; ours are universal (CPython 3.11 to 3.14, Linux and macOS), with hashes, without index addresses.
# Run it as `make lock` after changing dependencies in pyproject.toml, and commit what it wrote.
set -eu
cd "$(dirname "$0")/.."
lock() {
    uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
        --python-version 3.11 --quiet pyproject.toml --group build "$@"
}
lock --only-binary :all: -o requirements.lock
lock --group dev -o requirements-dev.lock

# The judges (docs/decisions/0003): the official SDK with ccxt for CPython 3.10 on Linux x86-64, what builds its source-only
# dependencies there, and ccxt alone for our own Pythons.
judges() {
    uv pip compile --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate --quiet "$@" -
}
sdk="--python-version 3.10 --python-platform x86_64-manylinux_2_28"
printf '%s\n' paradex-py==0.8.2 ccxt==4.5.90 | judges $sdk -o requirements-judges.lock
printf '%s\n' setuptools wheel build cython | judges $sdk --only-binary :all: -o requirements-judges-build.lock
printf '%s\n' ccxt==4.5.90 | judges --universal --python-version 3.11 --only-binary :all: -o requirements-judges-ccxt.lock

# What `make bench` compares with, beside our own dependencies, for CPython 3.11 and newer. ccxt wants an older uvloop than we do.
peers=$(mktemp)
older=$(mktemp)
trap 'rm -f "$peers" "$older"' EXIT
linux="sys_platform == 'linux'"
printf "%s; $linux\n" nautilus_trader ccxt==4.5.90 talipp ta-lib > "$peers"
echo "starknet-pathfinder-crypto==0.1.0; $linux and python_full_version < '3.12'" >> "$peers"
echo uvloop==0.22.1 > "$older"
lock --only-binary :all: --override "$older" "$peers" -o requirements-bench.lock
