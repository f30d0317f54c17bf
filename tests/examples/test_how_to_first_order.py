"""The how-to from sign-up to the first order, executed block by block against the built-in exchange.

What differs from a reader's testnet is put in: the address, the environment, this machine's network, and a main key that
comes through the pipe as the page says.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.verify, pytest.mark.timeout(200)]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-to" / "from-sign-up-to-first-testnet-order.md"
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MAIN_KEY = "0x543b6cf6c91817a87174aaea4fb370ac1c694e864d7740d728f8344d53e815"
"""Of nobody's account; never fund it."""


def test_every_block_of_the_page_works_as_printed(tmp_path: Path) -> None:
    blocks = [(language, text) for language, text in BLOCK.findall(PAGE.read_text())]
    (serve,) = [text for _, text in blocks if text.startswith("flashscalper sim")]
    with simulator(serve, tmp_path) as rest_url:
        desk = Desk(rest_url, tmp_path)
        ran = [desk.run(language, text) for language, text in blocks if text != serve]
        said = desk.shell(f"flashscalper check --url {rest_url.removesuffix('/v1')} --seconds 2")
    assert len(ran) >= 6
    assert "bot" in ran[0]
    assert any("accepted" in each for each in ran), "the order of the page's own words was cancelled"
    assert "ETHUSDT" in ran[-1]
    assert said


class Desk:
    """A reader's shell: variables stay from block to block."""

    def __init__(self, rest_url: str, folder: Path) -> None:
        self._rest_url = rest_url
        self._folder = folder
        self._exports: list[str] = []

    def run(self, language: str, text: str) -> str:
        """One block of the page; its output."""
        if language == "python":
            (self._folder / "block.py").write_text(text)
            return self.shell(f"python {self._folder}/block.py")
        text = text.replace("203.0.113.7/32", "127.0.0.1/32").replace(
            "PARADEX_ENVIRONMENT=testnet", "PARADEX_ENVIRONMENT=simulator"
        )
        text = text.replace("http://127.0.0.1:8787/v1", self._rest_url)
        if "PARADEX_SECRET_KEY" in text:
            self._exports.clear()  # another terminal: section 6 needs no stored key
        exports, commands = partition(text)
        self._exports += exports
        return self.shell("\n".join(commands)) if commands else ""

    def shell(self, commands: str) -> str:
        """Run it as bash does, with a main key in the pipe for whoever asks."""
        variables = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self._folder),
            "PARADEX_KEYSTORE": str(self._folder / "keys.json"),
            "PARADEX_ENVIRONMENT": "simulator",
            "PARADEX_REST_URL": self._rest_url,
            "PARADEX_WS_URL": self._rest_url.replace("http", "ws", 1),
        }
        script = "\n".join(["set -e", *self._exports, commands])
        done = subprocess.run(
            ["bash", "-c", script], cwd=ROOT, env=variables, input=f"{MAIN_KEY}\n", capture_output=True, text=True,
            timeout=90, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def partition(text: str) -> tuple[list[str], list[str]]:
    lines = [line for line in text.splitlines() if line.strip()]
    return [line for line in lines if line.startswith("export ")], [line for line in lines if not line.startswith("export ")]


@contextmanager
def simulator(command: str, folder: Path) -> Iterator[str]:
    """The page's own simulator, on a port that is free; its REST address."""
    arguments = command.split()[1:]
    arguments[arguments.index("8787")] = "0"
    program = [sys.executable, "-m", "flashscalper", *arguments]
    process: Any = subprocess.Popen(program, cwd=folder, stdout=subprocess.PIPE, text=True)
    try:
        yield json.loads(process.stdout.readline())["rest"]
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()
