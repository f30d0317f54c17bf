"""Who is trusted, seen from the public clients: a server that is not who it says it is gets no byte of a token or order."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from flashscalper.exchanges.paradex.settings import ParadexSettings
from flashscalper.model.errors import FlashScalperError, TransportError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clients.rest_client import ParadexRestClient, scripted_settings
from flashscalper.runtime.clients.ws_client import ParadexWebSocketClient
from flashscalper.runtime.credentials import Credentials
from flashscalper.runtime.live import run_loop
from tests.promises.box import Served, in_box
from tests.runtime.authority import Authority

TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjQxMDI0NDQ4MDB9.c2lnbmF0dXJl"  # ends in the year 2100
Talk = Callable[[ParadexSettings, ssl.SSLContext], Awaitable[None]]


class Impostor:
    """A TLS server that keeps every byte it could read, and every byte that came over the line."""

    def __init__(self) -> None:
        self.read = b""
        self.line = b""
        self.connections = 0


@asynccontextmanager
async def impostor(tls: ssl.SSLContext) -> AsyncIterator[tuple[Impostor, int]]:
    """The impostor behind a tap on the line; both on free ports."""
    heard = Impostor()
    open_writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.append(writer)
        heard.read += await reader.read(65_536)

    async def tap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.connections += 1
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        open_writers.extend((writer, there_writer))
        back = asyncio.ensure_future(pipe(there_reader, writer, lambda data: None))
        await pipe(reader, there_writer, keep)
        await back

    def keep(data: bytes) -> None:
        heard.line += data

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    line = await asyncio.start_server(tap, "127.0.0.1", 0)
    try:
        yield heard, port_of(line)
    finally:
        for listener in (server, line):
            listener.close()
        for writer in open_writers:
            writer.close()


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, see: Callable[[bytes], None]) -> None:
    try:
        while data := await reader.read(65_536):
            see(data)
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()


async def read_balance(settings: ParadexSettings, tls: ssl.SSLContext) -> None:
    async with ParadexRestClient(settings, Credentials(bearer_token=Secret(TOKEN)), tls=tls) as client:
        await client.get_balance()


async def order_with_a_key(settings: ParadexSettings, tls: ssl.SSLContext) -> None:
    async with ParadexRestClient(settings, Credentials(secret_key=Secret("0x1234")), tls=tls) as client:
        await client.place_market_order("ETHUSDT", "BUY", "0.1")


async def stream(settings: ParadexSettings, tls: ssl.SSLContext) -> None:
    client = ParadexWebSocketClient(settings, Credentials(bearer_token=Secret(TOKEN)), tls=tls)
    reasons: list[FlashScalperError] = []
    client.on("error", reasons.append)
    client.on("max_reconnect_attempts", reasons.append)
    try:
        await client.connect()
    except FlashScalperError as error:
        raise TransportError(" ".join(str(each) for each in (error, *reasons))) from error


WRONG: dict[str, tuple[Callable[[Authority, Authority], ssl.SSLContext], str]] = {
    "wrong host": (lambda ours, theirs: ours.server("example.com"), "not valid for|mismatch"),
    "expired": (lambda ours, theirs: ours.server("127.0.0.1", expired=True), "expired"),
    "self-signed": (lambda ours, theirs: theirs.self_signed("127.0.0.1"), "self-signed|self signed"),
    "unknown authority": (
        lambda ours, theirs: theirs.server("127.0.0.1"),
        "unable to get local issuer|unable to get issuer",
    ),
}


@pytest.mark.parametrize("talk", [read_balance, order_with_a_key, stream])
@pytest.mark.parametrize("wrong", WRONG)
def test_a_server_that_cannot_prove_who_it_is_is_refused_in_one_line_and_hears_nothing(
    wrong: str, talk: Talk, tmp_path: Path
) -> None:
    ours, theirs = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    certificate, words = WRONG[wrong]

    async def main() -> None:
        async with asyncio.timeout(20), impostor(certificate(ours, theirs)) as (heard, port):
            settings = scripted_settings(
                "simulator",
                rest_url=f"https://127.0.0.1:{port}/v1",
                ws_url=f"wss://127.0.0.1:{port}/v1",
                read_timeout_s=2.0,
                backoff_base_s=0.01,
                backoff_cap_s=0.02,
                max_reconnect_attempts=2,
            )
            with pytest.raises(TransportError, match=f"(?i){words}") as refused:
                await talk(settings, ours.client())
        assert heard.connections >= 1
        assert "\n" not in str(refused.value)
        assert heard.read == b""
        for secret in (TOKEN.encode(), b"Bearer", b"PARADEX-STARKNET", b"client_id"):
            assert secret not in heard.line

    run_loop(main())


def test_with_a_certificate_that_is_trusted_everything_works(tmp_path: Path) -> None:
    ours = Authority(tmp_path / "ours")

    async def script(box: Served) -> None:
        await box.shell.close()
        box.shell = box._shell(0)
        box.shell._tls = ours.server("127.0.0.1")
        await box.shell.start()
        settings = scripted_settings("simulator", rest_url=box.rest_url, ws_url=box.ws_url)
        assert settings.rest_url.startswith("https://")
        async with ParadexRestClient(settings, box.credentials, tls=ours.client()) as client:
            order = await client.place_market_order("ETHUSDT", "BUY", "0.1")
            assert order.filled == order.size
        async with ParadexWebSocketClient(settings, box.credentials, tls=ours.client()) as streams:
            await streams.subscribe_trades("ETHUSDT")
            await streams.subscribe_account()

    in_box(script)
