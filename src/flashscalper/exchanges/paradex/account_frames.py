"""Account pushes (orders, fills, positions, margin summary, tradebusts) to events. JSON, and SBE where it is asked for.

Orders and positions of markets that we do not trade are left out: only our own are managed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flashscalper.exchanges.paradex import account_sbe, responses, sbe, wire
from flashscalper.model.errors import ProtocolError
from flashscalper.model.events import (
    BalanceUpdate,
    Event,
    FillBusted,
    FillReported,
    OrderUpdate,
    PositionUpdate,
    RequestKind,
    RequestOutcome,
    Verdict,
)

CHANNELS: Final = ("orders.ALL", "fills.ALL", "positions", "account")
OPTIONAL_CHANNELS: Final = ("tradebusts",)
_MAX_REMEMBERED: Final = 1_000


class AccountFrames:
    """Reads pushes of the private channels."""

    def __init__(self, symbol_of: Mapping[str, str]) -> None:
        self._symbol_of = symbol_of
        self._told: dict[str, None] = {}

    def read(self, channel: str, data: bytes) -> list[Event]:
        """The events of one push; empty for other channels and other markets. Raises ProtocolError."""
        kind = channel.partition(".")[0]
        if kind == "orders":
            return self._order(responses.decode(channel, wire.OrderResult, data))
        if kind == "fills":
            return self._fill(responses.decode(channel, wire.FillResult, data))
        if kind == "positions":
            return self._position(responses.decode(channel, wire.PositionResult, data))
        if kind == "account":
            return [BalanceUpdate(responses.account_from(responses.decode(channel, wire.AccountResult, data)))]
        if kind == "tradebusts":
            return [busted(responses.decode(channel, wire.TradebustResult, data))]
        return []

    def read_binary(self, data: bytes) -> list[Event]:
        """The events of one SBE push; empty for other templates and other markets. Raises ProtocolError."""
        message = sbe.decode_frame(data)
        if isinstance(message, sbe.SbeOrder):
            return self._order(account_sbe.order_result(message))
        if isinstance(message, sbe.SbeFill):
            return self._fill(account_sbe.fill_result(message))
        if isinstance(message, sbe.SbePosition):
            symbol = self._symbol_of.get(message.market)
            return [] if symbol is None else [PositionUpdate(account_sbe.position_from(message, symbol))]
        if isinstance(message, sbe.SbeAccount):
            return [BalanceUpdate(account_sbe.account_from(message))]
        return []

    def _order(self, result: wire.OrderResult) -> list[Event]:
        symbol = self._symbol_of.get(result.market)
        if symbol is None:
            return []
        events: list[Event] = [OrderUpdate(responses.order_from(result, symbol))]
        info = result.request_info
        if info is not None and _refused_change(info) and self._is_news(f"{result.id}/{info.id}"):
            outcome = RequestOutcome(
                RequestKind.MODIFY, result.client_id or "", Verdict.REJECTED, result.id, "MODIFY_REJECTED", info.message
            )
            events.append(outcome)
        return events

    def _fill(self, result: wire.FillResult) -> list[Event]:
        symbol = self._symbol_of.get(result.market)
        return [] if symbol is None else [FillReported(responses.fill_from(result, symbol))]

    def _position(self, result: wire.PositionResult) -> list[Event]:
        symbol = self._symbol_of.get(result.market)
        return [] if symbol is None else [PositionUpdate(responses.position_from(result, symbol))]

    def _is_news(self, key: str) -> bool:
        """Whether this refusal was not told yet; an order repeats its last `request_info` in every later update."""
        if key in self._told:
            return False
        self._told[key] = None
        if len(self._told) > _MAX_REMEMBERED:
            del self._told[next(iter(self._told))]
        return True


def _refused_change(info: wire.RequestInfo) -> bool:
    """A modify that the exchange took and then refused; the word may carry a prefix (section 4.4)."""
    return info.request_type.endswith("MODIFY_ORDER") and info.status.endswith("REJECTED")


def busted(result: wire.TradebustResult) -> FillBusted:
    """A fill that was taken back, told by the stream or by a read."""
    if result.created_at < 0:
        raise ProtocolError("tradebusts.created_at", f"saw {result.created_at}; accepted: unix milliseconds")
    return FillBusted(result.busted_fill_id, result.created_at * 1000)
