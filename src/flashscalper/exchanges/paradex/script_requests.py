"""REST calls that only scripts make: the trading client reads the same facts from its streams.

Plain functions like those of `requests`; paths are below `/v1` (paradex.md sections 4.2 and 4.4).
"""

from __future__ import annotations

from urllib.parse import quote, urlencode

from flashscalper.exchanges.paradex.requests import Call, Group


def market_summary(market: str) -> Call:
    """Mark, index and last price, funding rate and open interest of one market."""
    return Call("GET", "/markets/summary", Group.PUBLIC, urlencode({"market": market}))


def best_quote(market: str) -> Call:
    """Best bid and ask of one market."""
    return Call("GET", f"/bbo/{quote(market, safe='')}", Group.PUBLIC)


def open_orders(market: str) -> Call:
    """Our open orders in one market."""
    return Call("GET", "/orders", Group.READ, urlencode({"market": market}))


def order_by_id(order_id: str) -> Call:
    """One order by the exchange's id; documented for orders that are not closed."""
    return Call("GET", f"/orders/{quote(order_id, safe='')}", Group.READ)


def orders_history(market: str, client_id: str = "", cursor: str = "") -> Call:
    """Our orders of any state in one market, with that client id if one is given, a page at a time."""
    query = {"market": market, "client_id": client_id, "cursor": cursor}
    return Call("GET", "/orders-history", Group.READ, urlencode({name: value for name, value in query.items() if value}))


def cancel_all(market: str = "") -> Call:
    """Cancel every open order, of one market or of all."""
    return Call("DELETE", "/orders", Group.ORDER, urlencode({"market": market}) if market else "")
