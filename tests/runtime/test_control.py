"""The control endpoint: whoever has the token of this run may speak, nobody else, and never a browser."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from flashscalper.model.errors import FlashScalperError, TransportError
from flashscalper.runtime.control import Asked, ControlServer, Door, ask
from flashscalper.runtime.session_lock import AccountFolder

Told = list[tuple[str, Asked]]


def served(tmp_path: Path, then: Callable[[AccountFolder, Door, Told], Coroutine[Any, Any, None]]) -> Told:
    told: Told = []

    def act(action: str, asked: Asked) -> dict[str, Any]:
        told.append((action, asked))
        return {"did": action}

    async def main() -> None:
        folder = AccountFolder("testnet", "0xabc", tmp_path)
        async with ControlServer(folder, "run-1", os.getpid(), act):
            door = msgspec.json.decode(folder.control.read_bytes(), type=Door)
            await then(folder, door, told)
        assert not folder.control.exists()

    asyncio.run(main())
    return told


def test_the_token_opens_it_and_the_answer_is_what_was_done(tmp_path: Path) -> None:
    async def then(folder: AccountFolder, door: Door, told: Told) -> None:
        assert folder.control.stat().st_mode & 0o777 == 0o600
        assert len(bytes.fromhex(door.token)) == 32
        assert await ask(folder, "pause", Asked(reason="lunch")) == {"did": "pause"}
        assert await ask(folder, "resume", Asked(clear_kill=True)) == {"did": "resume"}

    assert served(tmp_path, then) == [("pause", Asked(reason="lunch")), ("resume", Asked(clear_kill=True))]


@pytest.mark.parametrize(
    ("method", "path", "changes", "body", "status"),
    [
        ("POST", "/kill", {"Authorization": "Bearer " + "0" * 64}, b"{}", 401),
        ("POST", "/kill", {"Authorization": ""}, b"{}", 401),
        ("POST", "/kill", {"Authorization": "Bearer \xe4"}, b"{}", 401),
        ("POST", "/kill", {"Host": "evil.example"}, b"{}", 403),
        ("POST", "/kill", {"Host": "127.0.0.1"}, b"{}", 403),
        ("POST", "/kill", {"Origin": "http://127.0.0.1"}, b"{}", 403),
        ("GET", "/status", {}, b"", 405),
        ("POST", "/kill", {"Content-Type": "text/plain"}, b"{}", 415),
        ("POST", "/explode", {}, b"{}", 404),
        ("POST", "/kill", {}, b'{"reason":1}', 400),
        ("POST", "/kill", {}, b'{"unknown":1}', 400),
        ("POST", "/kill", {}, b'{"reason":"' + b"x" * 10_000 + b'"}', 400),
    ],
)
def test_everything_else_is_refused_and_nothing_is_done(
    method: str, path: str, changes: dict[str, str], body: bytes, status: int, tmp_path: Path
) -> None:
    async def then(folder: AccountFolder, door: Door, told: Told) -> None:
        headers = {"Authorization": f"Bearer {door.token}", "Content-Type": "application/json", **changes}
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, door.url + path, data=body or None, headers=headers) as answer,
        ):
            assert answer.status == status
            assert door.token.encode() not in await answer.read()

    assert served(tmp_path, then) == []


def test_an_unknown_action_is_said_to_whoever_asked(tmp_path: Path) -> None:
    async def then(folder: AccountFolder, door: Door, told: Told) -> None:
        with pytest.raises(FlashScalperError, match="refused explode: HTTP 404"):
            await ask(folder, "explode", Asked())

    served(tmp_path, then)


def test_a_process_that_is_gone_does_not_answer(tmp_path: Path) -> None:
    folder = AccountFolder("testnet", "0xabc", tmp_path)
    with pytest.raises(TransportError, match=r"control\.json"):
        asyncio.run(ask(folder, "kill", Asked()))
    folder.control.write_bytes(msgspec.json.encode(Door(url="http://127.0.0.1:9", token="0", run="r", pid=1)))
    with pytest.raises(TransportError, match="process 1 does not answer"):
        asyncio.run(ask(folder, "kill", Asked()))
