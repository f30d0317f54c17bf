"""`flashscalper` and `python -m flashscalper`: hands over to the command line; answers `--version` without loading it."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; `--version` alone is answered from here so that it takes no time."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from flashscalper import __version__

        sys.stdout.write(f"flashscalper {__version__}\n")
        return
    from flashscalper.cli.main import run

    run()


if __name__ == "__main__":
    main()
