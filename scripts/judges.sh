#!/bin/sh
# Make the environment of the judges: paradex-py and ccxt as they are published, away from our own packages. Called by `make judges`.
#   scripts/judges.sh TARGET PYTHON UV
# TARGET is the environment to write, PYTHON our own interpreter (3.11+), UV the uv to install with.
#
# paradex-py signs with a wheel that exists for CPython 3.10 only (Linux x86-64), so a 3.10 is looked for: $JUDGE_PYTHON, then
# python3.10 on the path, then pyenv's versions. Without one, ccxt alone is installed for PYTHON and the SDK's tests say so and skip.
set -eu
cd "$(dirname "$0")/.."
target=$1
python=$2
uv=$3

is_310() {
    "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null
}

find_310() {
    if [ -n "${JUDGE_PYTHON:-}" ]; then
        is_310 "$JUDGE_PYTHON" || { echo "JUDGE_PYTHON: saw '$JUDGE_PYTHON'; accepted: a Python 3.10" >&2; exit 1; }
        echo "$JUDGE_PYTHON"
        return
    fi
    [ "$(uname -sm)" = "Linux x86_64" ] || return 0
    for candidate in python3.10 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10.*/bin/python; do
        if is_310 "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

install() {
    "$uv" pip install --quiet --no-config --compile-bytecode --python "$target/bin/python" --require-hashes --no-deps "$@"
}

found=$(find_310)
rm -rf "$target"
if [ -n "$found" ]; then
    echo "Preparing $target with the official SDK and ccxt (once; about half a minute) ..."
    "$uv" venv --quiet --no-config --python "$found" "$target"
    # Four of the SDK's dependencies come as source only; what builds them is pinned as well.
    install --build-constraints requirements-judges-build.lock -r requirements-judges.lock
else
    echo "Preparing $target with ccxt only: no Python 3.10 for the official SDK (JUDGE_PYTHON=... names one) ..."
    "$uv" venv --quiet --no-config --python "$python" "$target"
    install --only-binary :all: -r requirements-judges-ccxt.lock
fi
touch "$target/.ready"
