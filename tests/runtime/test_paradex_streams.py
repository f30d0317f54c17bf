"""Channels that only scripts subscribe: over JSON and SBE, on the right connection, and again after it was lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from flashscalper.exchanges.paradex.script_results import FundingPayment, FundingPoint, Pushed
from flashscalper.model.errors import AuthError, ConfigError, ExchangeError
from flashscalper.model.events import MarkPrice, OrderUpdate
from flashscalper.runtime.clients.rest_client import ParadexRestClient
from flashscalper.runtime.credentials import Credentials
from tests.promises.box import Served, in_box, until

SPEED = 2.0
SOME = Decimal("0.1")
CENT_OF_A_MILLION = Decimal("1e-8")
"""SBE has eight decimals."""


def of(heard: list[Any], kind: type[Any]) -> list[Any]:
    return [each for each in heard if isinstance(each, kind)]


def by_millisecond(points: list[FundingPoint]) -> dict[int, FundingPoint]:
    return {point.measured_at // 1_000: point for point in points}


async def round_trip(box: Served, rest: ParadexRestClient) -> None:
    """A position that lives long enough to pay funding."""
    await rest.place_market_order("ETHUSDT", "BUY", SOME)
    opened_at = box.clock.now()
    await until(lambda: box.clock.now() > opened_at + 2_000_000)
    await rest.place_market_order("ETHUSDT", "SELL", SOME, reduce_only=True)


@pytest.mark.parametrize("sbe", [False, True])
def test_marks_and_funding_of_a_market(sbe: bool) -> None:
    async def script(box: Served) -> None:
        async with box.streams(sbe=sbe) as client:
            heard: list[Any] = []
            client.on("channel", heard.append)
            assert await client.subscribe_mark_price("ETHUSDT") == "markets_summary.ETH-USD-PERP"
            funding = await client.subscribe_funding("ETHUSDT")
            await until(lambda: len(of(heard, MarkPrice)) >= 2 and len(of(heard, FundingPoint)) >= 2)
            point = of(heard, FundingPoint)[-1]
            assert point.symbol == "ETHUSDT"
            assert point.period_hours == box.exchange.market("ETHUSDT").funding_period_hours
            assert abs(box.clock.now() - point.measured_at) < SPEED * 5_000_000
            await client.unsubscribe(funding)
            heard.clear()
            await until(lambda: len(of(heard, MarkPrice)) >= 2)
            assert not of(heard, FundingPoint)

    in_box(script, speed=SPEED)


def test_json_and_binary_funding_say_the_same() -> None:
    async def script(box: Served) -> None:
        async with box.streams(sbe=False) as one, box.streams(sbe=True) as other:
            as_json: list[FundingPoint] = []
            as_sbe: list[FundingPoint] = []
            for client, heard in ((one, as_json), (other, as_sbe)):
                client.on("channel", heard.append)
                await client.subscribe_funding("BTCUSDT")
            await until(lambda: len(by_millisecond(as_json).keys() & by_millisecond(as_sbe).keys()) >= 2)
            binary = by_millisecond(as_sbe)
            for at, point in by_millisecond(as_json).items():
                if twin := binary.get(at):
                    assert abs(point.index - twin.index) <= CENT_OF_A_MILLION
                    assert abs(point.rate - twin.rate) <= CENT_OF_A_MILLION

    in_box(script, speed=SPEED)


def test_settled_funding_is_told_and_again_after_the_connection_was_lost() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client, box.rest() as rest:
            heard: list[Any] = []
            back: list[Any] = []
            client.on("channel", heard.append)
            client.on("reconnected", back.append)
            channel = await client.subscribe_funding_payments("ETHUSDT")
            await round_trip(box, rest)
            await until(lambda: bool(of(heard, FundingPayment)))
            assert of(heard, OrderUpdate), "the account's own channels are on the same connection"
            box.interposer.drop_sockets()
            await until(lambda: {event.stream for event in back} >= {"account"})
            heard.clear()
            await round_trip(box, rest)
            await until(lambda: bool(of(heard, FundingPayment)))
            listed = {payment.id async for payment in rest.iter_funding_payments("ETHUSDT")}
            assert {payment.id for payment in of(heard, FundingPayment)} <= listed
            await client.unsubscribe(channel)
            heard.clear()
            await round_trip(box, rest)
            assert of(heard, OrderUpdate)
            assert not of(heard, FundingPayment)

    in_box(script, speed=SPEED)


def test_any_other_channel_is_told_as_it_came() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client, box.rest() as rest:
            heard: list[Any] = []
            client.on("channel", heard.append)
            await client.subscribe_channel("balance_events")
            await client.subscribe_channel("markets")
            await rest.place_market_order("ETHUSDT", "BUY", SOME)
            await until(lambda: bool(of(heard, Pushed)))
            pushed = of(heard, Pushed)[0]
            assert pushed.channel == "balance_events"
            assert pushed.data["market"] == "ETH-USD-PERP"

    in_box(script, speed=SPEED)


@pytest.mark.parametrize(
    ("channel", "named"),
    [
        ("trades.ETH-USD-PERP", "subscribe_trades"),
        ("order_book.x", "subscribe_order_book"),
        ("fills.ALL", "subscribe_account"),
    ],
)
def test_a_channel_with_a_method_of_its_own_is_refused_with_its_name(channel: str, named: str) -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client:
            with pytest.raises(ConfigError, match=named):
                await client.subscribe_channel(channel)

    in_box(script)


def test_a_channel_that_the_exchange_does_not_know_or_that_needs_a_login_is_refused() -> None:
    async def script(box: Served) -> None:
        async with box.streams() as client, box.streams(Credentials()) as nobody:
            with pytest.raises(ExchangeError, match="invalid channel"):
                await client.subscribe_channel("weather")
            assert client.connected
            with pytest.raises(AuthError):
                await nobody.subscribe_funding_payments("ETHUSDT")

    in_box(script, speed=SPEED)
