#!/bin/sh
# Make the environments of `make bench`: ours with the peers that live in the same Python, and ours alone in every other Python
# from 3.11 to 3.14 that is found, for signing. Called by `make bench`.
#   scripts/bench.sh TARGET PYTHON UV
# TARGET is the environment to write (others are TARGET-3.12 and so on), PYTHON our own interpreter, UV the uv to install with.
# The official SDK has an environment of its own: scripts/judges.sh.
set -eu
cd "$(dirname "$0")/.."
target=$1
python=$2
uv=$3

environment() { # TARGET PYTHON LOCK
    "$uv" venv --quiet --no-config --python "$2" "$1"
    "$uv" pip install --quiet --no-config --compile-bytecode --python "$1/bin/python" --require-hashes --no-deps \
        --only-binary :all: -r "$3"
    "$uv" pip install --quiet --no-config --python "$1/bin/python" --no-deps --no-build-isolation --editable .
}

is_python() { # INTERPRETER VERSION
    "$1" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$2')" 2>/dev/null
}

find_python() { # VERSION
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$1".*/bin/python; do
        if is_python "$candidate" "$1"; then
            echo "$candidate"
            return
        fi
    done
}

rm -rf "$target" "$target"-3.*
echo "Preparing $target with ccxt, nautilus_trader, talipp and TA-Lib (once; about half a minute) ..."
environment "$target" "$python" requirements-bench.lock
ours=$("$target/bin/python" -c "import sys; print('%d.%d' % sys.version_info[:2])")
for version in 3.11 3.12 3.13 3.14; do
    found=$(find_python "$version")
    if [ "$version" != "$ours" ] && [ -n "$found" ]; then
        echo "Preparing $target-$version for signing ..."
        environment "$target-$version" "$found" requirements.lock
    fi
done
touch "$target/.ready"
