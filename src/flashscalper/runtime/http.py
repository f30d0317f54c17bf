"""HTTP as a client makes it: executes `HttpRequest`, reports `HttpResponse` or `HttpFailed`, exactly one of them.

Connections are kept alive in a pool. A request has its own deadline and is sent once, never again by itself;
`HttpFailed.sent` says whether any byte may have left. Off loopback there is TLS with certificate and host name verified, or
no connection.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Final

import aiohttp

from flashscalper.exchanges.base import HttpFailed, HttpRequest, HttpResponse, Incoming
from flashscalper.runtime.addresses import plain_text_reason
from flashscalper.runtime.sockets import Report, verifying

BODY_LIMIT: Final = 32 * 1024 * 1024
"""Bytes of one answer's body; a longer one fails the request."""

_CONNECTIONS: Final = 16
_KEEP_ALIVE_S: Final = 30.0
_DNS_CACHE_S: Final = 60


class _Progress:
    """How far one request came: `connected` when a connection was its own, so bytes may have left from then on."""

    __slots__ = ("connected",)

    def __init__(self) -> None:
        self.connected = False


class HttpShell:
    """Every HTTP request of one client. `report` is called from the event loop, never from inside `request`.

    `tls` replaces the system's certificate authorities (a test's own); one that does not verify is refused.
    """

    def __init__(self, report: Report, tls: ssl.SSLContext | None = None) -> None:
        self._report = report
        self._tls = verifying(tls)
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def request(self, item: HttpRequest) -> None:
        """Begin a request."""
        task = asyncio.get_running_loop().create_task(self._run(item))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def exchange(self, item: HttpRequest) -> HttpResponse | HttpFailed:
        """Make one request and return how it ended; for callers that wait themselves."""
        unsafe = plain_text_reason(item.url)
        if unsafe:
            return HttpFailed(item.id, sent=False, reason=f"{item.url} is not used; accepted: {unsafe}")
        progress = _Progress()
        try:
            async with asyncio.timeout(item.timeout_s):
                return await self._exchange(item, progress)
        except TimeoutError:
            return HttpFailed(item.id, progress.connected, f"no answer within {item.timeout_s} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return HttpFailed(item.id, progress.connected, f"{type(error).__name__}: {error}")

    async def aclose(self) -> None:
        """Give up what is under way, without a further word to `report`, and close the pool."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _run(self, item: HttpRequest) -> None:
        answer: Incoming = await self.exchange(item)
        self._report(answer)

    async def _exchange(self, item: HttpRequest, progress: _Progress) -> HttpResponse:
        session = self._session or self._open_session()
        async with session.request(
            item.method,
            item.url,
            data=item.body or None,
            headers=item.headers,
            allow_redirects=False,
            trace_request_ctx=progress,
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > BODY_LIMIT:
                    response.close()
                    raise ValueError(f"an answer of more than {BODY_LIMIT} bytes")
            headers = {name.lower(): value for name, value in response.headers.items()}
            return HttpResponse(item.id, response.status, headers, bytes(body))

    def _open_session(self) -> aiohttp.ClientSession:
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_note_connected)
        trace.on_connection_reuseconn.append(_note_connected)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=_CONNECTIONS, ssl=self._tls, keepalive_timeout=_KEEP_ALIVE_S, ttl_dns_cache=_DNS_CACHE_S
            ),
            timeout=aiohttp.ClientTimeout(total=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("Content-Type",),
            headers={"User-Agent": "flashscalper"},
            trace_configs=[trace],
        )
        # aiohttp would send PUT and DELETE again by itself when a kept-alive connection breaks; sending is ours to
        # decide. It has no public name for that; a test holds this one.
        self._session._retry_connection = False
        return self._session


async def _note_connected(_session: aiohttp.ClientSession, context: Any, _params: object) -> None:
    context.trace_request_ctx.connected = True
