"""The HTTP shell against raw servers: what it says when things go wrong, and that nothing is sent twice."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flashscalper.exchanges.base import HttpFailed, HttpRequest, HttpResponse, Incoming, OpenSocket, SocketClosed
from flashscalper.model.errors import ConfigError
from flashscalper.runtime.addresses import check_url, is_loopback, path_and_query
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.hosting.server import ServerShell
from flashscalper.runtime.http import HttpShell
from flashscalper.runtime.live import run_loop
from flashscalper.runtime.sockets import SocketShell, verifying
from tests.runtime.authority import Authority
from tests.runtime.tiny import TinyServer

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def raw_server(serve: Serve) -> AsyncIterator[str]:
    writers: list[asyncio.StreamWriter] = []

    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(each, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()
        for writer in writers:
            writer.close()


async def one(request: HttpRequest, tls: ssl.SSLContext | None = None) -> HttpResponse | HttpFailed:
    shell = HttpShell(lambda message: None, tls)
    try:
        return await shell.exchange(request)
    finally:
        await shell.aclose()


async def first_word(url: str, tls: ssl.SSLContext | None = None) -> Incoming:
    """What a socket shell reports first about a socket to `url`."""
    heard: asyncio.Queue[Incoming] = asyncio.Queue()
    shell = SocketShell(heard.put_nowait, tls)
    shell.open(OpenSocket("a", url))
    async with asyncio.timeout(10.0):
        word = await heard.get()
    await shell.aclose()
    return word


async def asked(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    return head + await reader.readexactly(length)


def test_nobody_at_the_port_means_nothing_was_sent() -> None:
    async def main() -> None:
        async with raw_server(never) as url:
            pass
        failed = await one(HttpRequest(1, "POST", f"{url}/v1/orders", body=b"{}"))
        assert isinstance(failed, HttpFailed)
        assert not failed.sent

    run_loop(main())


def test_a_host_that_does_not_exist_means_nothing_was_sent() -> None:
    failed = run_loop(one(HttpRequest(1, "POST", "https://no-such-host.invalid/v1/orders", timeout_s=5.0)))
    assert isinstance(failed, HttpFailed)
    assert not failed.sent


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", b"no http at all\r\n\r\n"])
def test_a_cut_or_damaged_answer_means_it_may_have_been_executed(said: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(said)
        writer.close()

    async def main() -> None:
        async with raw_server(serve) as url:
            failed = await one(HttpRequest(1, "POST", f"{url}/v1/orders", body=b"{}"))
        assert isinstance(failed, HttpFailed)
        assert failed.sent

    run_loop(main())


async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)


def test_a_silent_exchange_meets_the_deadline_and_may_have_executed() -> None:
    async def main() -> None:
        async with raw_server(never) as url:
            failed = await one(HttpRequest(1, "POST", f"{url}/v1/orders", body=b"{}", timeout_s=0.05))
        assert failed == HttpFailed(1, sent=True, reason="no answer within 0.05 s")

    run_loop(main())


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
def test_a_request_on_a_connection_that_breaks_is_not_sent_again_by_itself(method: str) -> None:
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await asked(reader))
        writer.write(ANSWER)
        heard.append(await asked(reader))
        writer.close()

    async def main() -> None:
        async with raw_server(serve) as url:
            shell = HttpShell(lambda message: None)
            first = await shell.exchange(HttpRequest(1, "GET", f"{url}/v1/a"))
            assert first == HttpResponse(1, 200, {"content-length": "2"}, b"ok")
            second = await shell.exchange(HttpRequest(2, method, f"{url}/v1/b", body=b"{}"))
            await shell.aclose()
        assert isinstance(second, HttpFailed)
        assert second.sent
        assert len(heard) == 2

    run_loop(main())


def test_a_thousand_requests_in_a_row_use_one_connection() -> None:
    connections: list[object] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        while await asked(reader):
            writer.write(ANSWER)

    async def main() -> None:
        async with raw_server(quiet(serve)) as url:
            shell = HttpShell(lambda message: None)
            for number in range(1_000):
                assert isinstance(await shell.exchange(HttpRequest(number, "GET", f"{url}/v1/bbo")), HttpResponse)
            await shell.aclose()

    run_loop(main())
    assert len(connections) == 1


def quiet(serve: Serve) -> Serve:
    async def each(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    return each


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")

    async def main() -> None:
        async with raw_server(serve) as url:
            answer = await one(HttpRequest(1, "GET", f"{url}/v1/a"))
        assert isinstance(answer, HttpResponse)
        assert answer.status == 302

    run_loop(main())


@pytest.mark.parametrize(
    "url", ["http://example.com/v1", "http://10.0.0.1/v1", "ftp://127.0.0.1/v1", "nonsense", "https://u:p@x/"]
)
def test_nothing_readable_leaves_this_machine(url: str) -> None:
    with pytest.raises(ConfigError, match="PARADEX_REST_URL"):
        check_url("PARADEX_REST_URL", url)
    failed = run_loop(one(HttpRequest(1, "GET", url)))
    assert isinstance(failed, HttpFailed)
    assert not failed.sent

    async def socket() -> Incoming:
        return await first_word(url.replace("http", "ws"))

    closed = run_loop(socket())
    assert isinstance(closed, SocketClosed)
    assert "accepted" in closed.reason


def test_loopback_is_known_without_asking_anybody() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("127.8.9.1")
    assert is_loopback("::1")
    assert is_loopback("localhost")
    assert not is_loopback("localhost.example.com")
    assert not is_loopback("0.0.0.0")
    assert check_url("x", "ws://127.0.0.1:1/v1") == "ws://127.0.0.1:1/v1"
    assert path_and_query("ws://a/v1?b=c&d") == ("/v1", "b=c&d")
    assert path_and_query("http://a") == ("/", "")


def test_tls_is_verified_by_name_and_by_authority(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")

    async def talk(
        server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
    ) -> tuple[HttpResponse | HttpFailed, Incoming, TinyServer]:
        clock = WallClock()
        server = TinyServer(clock.now())
        async with ServerShell(server, clock, tls=server_tls) as shell:
            answer = await one(HttpRequest(1, "POST", f"{shell.http_url}/v1/orders", body=b'{"client_id":"a"}'), client_tls)
            word = await first_word(shell.ws_url, client_tls)
        return answer, word, server

    answer, opened, server = run_loop(talk(ours.server("127.0.0.1"), ours.client()))
    assert isinstance(answer, HttpResponse)
    assert not isinstance(opened, SocketClosed)
    assert server.orders == ["a"]
    for bad in (ours.server("example.com"), theirs.server("127.0.0.1"), ours.server("127.0.0.1", expired=True)):
        refused, closed, server = run_loop(talk(bad, ours.client()))
        assert isinstance(refused, HttpFailed)
        assert not refused.sent
        assert isinstance(closed, SocketClosed)
        assert "CERTIFICATE_VERIFY_FAILED" in closed.reason
        assert server.seen == [], "no byte of a request arrived"


def test_a_context_that_does_not_verify_is_refused() -> None:
    careless = ssl.create_default_context()
    careless.check_hostname = False
    with pytest.raises(ConfigError, match="tls"):
        verifying(careless)
    assert verifying(None).verify_mode is ssl.CERT_REQUIRED
