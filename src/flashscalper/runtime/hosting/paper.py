"""The exchange that paper trading runs on: our simulator as a child process, over loopback, with state of its own.

It ends with us: its standard input is a pipe whose other end only we hold, so it ends even when we are killed.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import IO, Final

import msgspec

from flashscalper.model.errors import FlashScalperError, TransportError
from flashscalper.model.secrets import Secret

READY_WITHIN_S: Final = 90.0
_ENDS_WITHIN_S: Final = 5.0
_SHOWN_CHARACTERS: Final = 2_000
MIRROR: Final = "paradex:"
"""How a feed begins that mirrors a real exchange's public data."""


class _Ready(msgspec.Struct):
    """The line that a simulator prints when it is ready."""

    rest: str
    websocket: str


class PaperExchange:
    """One simulator for as long as the `async with` block lasts. `feed`: `synthetic`, a recording, or `paradex:prod`.

    `state` is the folder in which it keeps accounts and orders from one run to the next; `log` takes what it says.
    """

    def __init__(
        self, *, feed: str, seed: int, balance: Decimal, symbols: Sequence[str], state: Path, log: Path,
        variables: Mapping[str, str],
    ) -> None:  # fmt: skip
        source = ["--mirror", feed] if feed.startswith(MIRROR) else ["--feed", feed, "--seed", str(seed)]
        self._feed = feed
        self._arguments = [
            "sim", "--port", "0", *source, "--markets", ",".join(symbols), "--balance", str(balance),
            "--state", str(state), "--until-stdin-closes",
        ]  # fmt: skip
        self._variables = dict(variables)
        self._log = log
        self._output: IO[bytes] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._ended: asyncio.Task[int] | None = None
        self.rest_url = ""
        self.ws_url = ""

    @property
    def ended(self) -> bool:
        """Whether the child is gone although the block still lasts."""
        return self._ended is not None and self._ended.done()

    @property
    def last_words(self) -> str:
        """The last line that it wrote about itself."""
        try:
            text = self._log.read_bytes()[-_SHOWN_CHARACTERS:].decode(errors="replace")
        except OSError:
            text = ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1].removeprefix("flashscalper: ") if lines else "it said nothing"

    async def __aenter__(self) -> PaperExchange:
        """Raises FlashScalperError when it does not start, saying why and what else there is."""
        self._output = self._log.open("ab")
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "flashscalper", *self._arguments, stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=self._output, env=self._variables, start_new_session=True,
        )  # fmt: skip
        self._ended = asyncio.create_task(self._process.wait())
        try:
            ready = await asyncio.wait_for(self._ready(self._process), READY_WITHIN_S)
        except (TimeoutError, TransportError, msgspec.MsgspecError) as error:
            await self._end()
            raise self._not_started(error) from None
        except BaseException:
            await self._end()
            raise
        self.rest_url, self.ws_url = ready.rest, ready.websocket
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def _ready(self, process: asyncio.subprocess.Process) -> _Ready:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            raise TransportError("it ended before it was ready")
        return msgspec.json.decode(line, type=_Ready)

    def _not_started(self, error: Exception) -> FlashScalperError:
        why = f"not ready within {READY_WITHIN_S:.0f} s" if isinstance(error, TimeoutError) else self.last_words
        offer = "" if self._feed == "synthetic" else ". `--feed synthetic` trades on an invented market, without any network"
        return FlashScalperError(f"the paper exchange did not start on feed {self._feed!r}: {why}{offer}")

    async def _end(self) -> None:
        """Close its standard input, which ends it in order; what does not listen is terminated."""
        process, ended = self._process, self._ended
        if process is not None and ended is not None:
            assert process.stdin is not None
            process.stdin.close()
            await asyncio.wait({ended}, timeout=_ENDS_WITHIN_S)
            if not ended.done():
                with suppress(ProcessLookupError):
                    process.kill()
                await ended
        if self._output is not None:
            self._output.close()


def paper_key(name: str) -> Secret:
    """The key of a paper account. Anybody can make it from the name, which is all right where there is no money."""
    digest = hashlib.sha256(f"flashscalper paper account {name}".encode()).digest()
    return Secret(hex(int.from_bytes(digest, "big") >> 6 | 1))
