"""Where a running process takes orders from people on this machine: POST on loopback, JSON, a token only its owner can read.

Nothing else can reach it: it listens on 127.0.0.1, knows its own `Host` names only, refuses what a browser would send, and
every request carries the 256-bit token of this run from a file of mode 0600.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp import web

from flashscalper.model.errors import FlashScalperError, TransportError
from flashscalper.runtime.session_lock import AccountFolder, write_whole

HOST: Final = "127.0.0.1"
ACTIONS: Final = ("status", "pause", "resume", "flatten", "kill", "stop")
_MOST_BYTES: Final = 4_096
_ANSWERS_WITHIN_S: Final = 5.0
_KILL_ANSWERED_WITHIN_S: Final = 2.0
"""A kill does not wait longer for a process that hangs: there is another way, and it is to be done within five seconds."""
_TOKEN_BYTES: Final = 32


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request. `clear_kill` opens the latch of the kill switch (with `resume` only)."""

    reason: str = ""
    clear_kill: bool = False


class Door(msgspec.Struct, frozen=True, kw_only=True):
    """What the token file says."""

    url: str
    token: str
    run: str
    pid: int

    def __repr__(self) -> str:
        return f"Door({self.url!r}, ***, {self.run!r}, {self.pid})"


Act = Callable[[str, Asked], dict[str, Any]]
"""Carries an action out and returns the status after it."""


class ControlServer:
    """The endpoint, for as long as the `async with` block lasts. `act` is called on the event loop."""

    def __init__(self, folder: AccountFolder, run: str, pid: int, act: Act) -> None:
        self._folder = folder
        self._run = run
        self._pid = pid
        self._act = act
        self._token = secrets.token_hex(_TOKEN_BYTES)
        self._hosts: frozenset[str] = frozenset()
        application = web.Application(client_max_size=_MOST_BYTES)
        application.router.add_route("*", "/{action}", self._take)
        self._runner = web.AppRunner(application, access_log=None)

    @property
    def token(self) -> str:
        """The secret of this run, so that the log can blot it out."""
        return self._token

    async def __aenter__(self) -> ControlServer:
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, 0).start()
        port = self._runner.addresses[0][1]
        self._hosts = frozenset({f"{HOST}:{port}", f"localhost:{port}"})
        door = Door(url=f"http://{HOST}:{port}", token=self._token, run=self._run, pid=self._pid)
        try:
            write_whole(self._folder.control, msgspec.json.encode(door).decode())
        except OSError as error:
            await self._runner.cleanup()
            raise FlashScalperError(f"{self._folder.control}: {error.strerror}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what is left of it in a folder turned read-only is an address where nobody answers
            self._folder.control.unlink(missing_ok=True)
        await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        refused = self._refusal(request)
        if refused is not None:
            return _answer(refused, {"error": refused.phrase})
        try:
            body = await request.read()
            asked = msgspec.json.decode(body or b"{}", type=Asked)
        except (msgspec.MsgspecError, web.HTTPRequestEntityTooLarge) as error:
            return _answer(HTTPStatus.BAD_REQUEST, {"error": f"body: {error}; accepted: reason, clear_kill"})
        return _answer(HTTPStatus.OK, self._act(request.match_info["action"], asked))

    def _refusal(self, request: web.Request) -> HTTPStatus | None:
        """Why a request is not for us. The token is compared in constant time and before anything else is told apart."""
        sent = request.headers.get("Authorization", "").removeprefix("Bearer ").encode(errors="replace")
        if not hmac.compare_digest(sent, self._token.encode()):
            return HTTPStatus.UNAUTHORIZED
        if request.headers.get("Host", "") not in self._hosts or "Origin" in request.headers:
            return HTTPStatus.FORBIDDEN
        if request.method != "POST":
            return HTTPStatus.METHOD_NOT_ALLOWED
        if request.content_type != "application/json":
            return HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        return None if request.match_info["action"] in ACTIONS else HTTPStatus.NOT_FOUND


async def ask(folder: AccountFolder, action: str, asked: Asked) -> dict[str, Any]:
    """Have the process that trades this account do something; returns its status. Raises TransportError when it does not
    answer in time, FlashScalperError for a refusal."""
    try:
        door = msgspec.json.decode(folder.control.read_bytes(), type=Door)
    except (OSError, msgspec.MsgspecError) as error:
        raise TransportError(f"{folder.control}: {error}") from error
    timeout = aiohttp.ClientTimeout(total=_KILL_ANSWERED_WITHIN_S if action == "kill" else _ANSWERS_WITHIN_S)
    headers = {"Authorization": f"Bearer {door.token}", "Content-Type": "application/json"}
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(f"{door.url}/{action}", data=msgspec.json.encode(asked), headers=headers) as answer,
        ):
            body = await answer.read()
            if answer.status != HTTPStatus.OK:
                raise FlashScalperError(f"the running process refused {action}: HTTP {answer.status} {body.decode()[:200]}")
            return msgspec.json.decode(body, type=dict[str, Any])
    except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError) as error:
        raise TransportError(f"process {door.pid} does not answer: {type(error).__name__} {error}".strip()) from error


def _answer(status: HTTPStatus, document: dict[str, Any]) -> web.Response:
    return web.Response(status=status, body=msgspec.json.encode(document), content_type="application/json")
