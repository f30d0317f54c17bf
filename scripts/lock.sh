#!/bin/sh
# Write both lock files anew: universal (CPython 3.11 to 3.14, Linux and macOS), with hashes, without index addresses.
# Run it as `make lock` after changing dependencies in pyproject.toml, and commit what it wrote.
set -eu
cd "$(dirname "$0")/.."
lock() {
    uv pip compile --universal --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate \
        --python-version 3.11 --quiet pyproject.toml --group build "$@"
}
lock --only-binary :all: -o requirements.lock
lock --group dev -o requirements-dev.lock
