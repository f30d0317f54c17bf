"""REST calls that only scripts make: the trading client reads the same facts from its streams.

Plain functions like those of `requests`; paths are below `/v1` (paradex.md sections 4.2 to 4.5). Spans are microseconds, 0
leaves their end open; lists come a page at a time, newest first, the next one by `cursor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import msgspec

from flashscalper.exchanges.paradex.requests import MAX_TRADES_PAGE, SIDE_NAMES, Call, Group
from flashscalper.model.amounts import plain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from flashscalper.model.orders import Side

MAX_PAGE: Final = 1_000


class TwapBody(msgspec.Struct, frozen=True):
    """AlgoOrderRequest: signed as an ordinary MARKET order of the whole size."""

    market: str
    side: str
    size: str
    duration_seconds: int
    frequency: int
    signature: str
    signature_timestamp: int
    recv_window: int
    type: str = "MARKET"
    algo_type: str = "TWAP"


# ---- public ----------------------------------------------------------------------------------------------------------


def market_summary(market: str) -> Call:
    """Mark, index and last price, funding rate and open interest of one market."""
    return Call("GET", "/markets/summary", Group.PUBLIC, urlencode({"market": market}))


def best_quote(market: str) -> Call:
    """Best bid and ask of one market."""
    return Call("GET", f"/bbo/{_part(market)}", Group.PUBLIC)


def order_book(market: str, depth: int, *, interactive: bool) -> Call:
    """The best `depth` levels a side; the interactive book has the Retail-only orders too, and may be crossed."""
    path = f"/orderbook/{_part(market)}" + ("/interactive" if interactive else "")
    return Call("GET", path, Group.PUBLIC, urlencode({"depth": depth}))


def impact_price(market: str, size: Decimal) -> Call:
    """Average price of taking `size` base units. The OpenAPI file calls the size an integer; the path has no side."""
    return Call("GET", f"/orderbook/{_part(market)}/impact-price", Group.PUBLIC, urlencode({"size": plain(size)}))


def trades(market: str, start_at: int, end_at: int, cursor: str = "") -> Call:
    """Public trades of a span."""
    return Call("GET", "/trades", Group.PUBLIC, _span(start_at, end_at, cursor, MAX_TRADES_PAGE, market=market))


def funding_data(market: str, start_at: int, end_at: int, cursor: str = "") -> Call:
    """Funding rate, premium and index of one market, tick by tick."""
    return Call("GET", "/funding/data", Group.PUBLIC, _span(start_at, end_at, cursor, market=market))


# ---- account ---------------------------------------------------------------------------------------------------------


def account_summaries() -> Call:
    """The margin summaries of our account and its sub-accounts."""
    return Call("GET", "/account/summary", Group.READ)


def account_history(kind: str) -> Call:
    """A curve of our account: pnl, value, volume or fee_savings."""
    return Call("GET", "/account/history", Group.READ, urlencode({"type": kind}))


def balances() -> Call:
    """What the account holds, token by token."""
    return Call("GET", "/balance", Group.READ)


def funding_payments(market: str, start_at: int, end_at: int, cursor: str = "") -> Call:
    """Funding that was settled for us in one market."""
    return Call("GET", "/funding/payments", Group.READ, _span(start_at, end_at, cursor, market=market))


def tradebusts(start_at: int, end_at: int, cursor: str = "") -> Call:
    """Fills that the exchange took back."""
    return Call("GET", "/tradebusts", Group.READ, _span(start_at, end_at, cursor))


def liquidations(start_at: int, end_at: int) -> Call:
    """When we were liquidated."""
    span = {"from": start_at // 1000, "to": end_at // 1000}
    return Call("GET", "/liquidations", Group.READ, urlencode({name: at for name, at in span.items() if at}))


# ---- orders ----------------------------------------------------------------------------------------------------------


def open_orders(market: str) -> Call:
    """Our open orders in one market."""
    return Call("GET", "/orders", Group.READ, urlencode({"market": market}))


def order_by_id(order_id: str) -> Call:
    """One order by the exchange's id; documented for orders that are not closed."""
    return Call("GET", f"/orders/{_part(order_id)}", Group.READ)


def orders_history(market: str, client_id: str = "", cursor: str = "", *, start_at: int = 0, end_at: int = 0) -> Call:
    """Our orders of any state in one market (all of them if empty), with that client id if one is given."""
    return Call("GET", "/orders-history", Group.READ, _span(start_at, end_at, cursor, 0, market=market, client_id=client_id))


def cancel_all(market: str = "") -> Call:
    """Cancel every open order, of one market or of all."""
    return Call("DELETE", "/orders", Group.ORDER, urlencode({"market": market}) if market else "")


def place_batch(bodies: Sequence[bytes]) -> Call:
    """Send several signed orders at once; a batch counts as one request."""
    return Call("POST", "/orders/batch", Group.ORDER, "", b"[%b]" % b",".join(bodies))


def cancel_batch(order_ids: Sequence[str], client_ids: Sequence[str]) -> Call:
    """Cancel several orders at once, by either id."""
    body = {"order_ids": list(order_ids), "client_order_ids": list(client_ids)}
    return Call(
        "DELETE", "/orders/batch", Group.ORDER, "", msgspec.json.encode({key: ids for key, ids in body.items() if ids})
    )


def disconnect_rule(*, enabled: bool) -> tuple[str, bytes]:
    """Method and params over WebSocket: whether losing the connection cancels what was entered on it."""
    return "order.cancel_on_disconnect", msgspec.json.encode({"enabled": enabled})


# ---- TWAP ------------------------------------------------------------------------------------------------------------


def twap_body(
    market: str, side: Side, size: Decimal, *, duration_s: int, every_s: int, signature: str, signed_ms: int, window_ms: int
) -> bytes:
    """A TWAP order as JSON."""
    body = TwapBody(market, SIDE_NAMES[side], plain(size), duration_s, every_s, signature, signed_ms, window_ms)
    return msgspec.json.encode(body)


def place_twap(body: bytes) -> Call:
    """Send a signed TWAP order."""
    return Call("POST", "/algo/orders", Group.ORDER, "", body)


def twaps() -> Call:
    """TWAP orders that are not closed."""
    return Call("GET", "/algo/orders", Group.READ)


def twap(algo_id: str) -> Call:
    """One TWAP order that is not closed."""
    return Call("GET", f"/algo/orders/{_part(algo_id)}", Group.READ)


def twap_history(market: str, cursor: str = "") -> Call:
    """TWAP orders of any state."""
    return Call("GET", "/algo/orders-history", Group.READ, _span(0, 0, cursor, 0, market=market))


def cancel_twap(algo_id: str) -> Call:
    """Stop a TWAP order; what it filled stays."""
    return Call("DELETE", f"/algo/orders/{_part(algo_id)}", Group.ORDER)


def _part(text: str) -> str:
    return quote(text, safe="")


def _span(start_at: int, end_at: int, cursor: str, page_size: int = MAX_PAGE, **filters: str) -> str:
    """A paginated query without what is empty; instants become milliseconds."""
    given = {**filters, "start_at": start_at // 1000, "end_at": end_at // 1000, "page_size": page_size, "cursor": cursor}
    return urlencode({name: value for name, value in given.items() if value})
