"""Judge: ccxt (unmodified) over REST, from onboarding to an expired token in the middle.

python -m tests.judges.ccxt_rest REST_URL WS_URL ETHEREUM_KEY     (from the root, with the judges' interpreter)
"""

from __future__ import annotations

import sys
import time
from typing import Any

import ccxt

from tests.judges.steps import ask, refused, run, until

REST_URL, _, ETHEREUM_KEY = sys.argv[1:4]
ETH, BTC = "ETH/USD:USDC", "BTC/USD:USDC"
SIZE = 0.05
exchange: Any = ccxt.paradex(
    {
        "privateKey": ETHEREUM_KEY,
        "walletAddress": "0x0000000000000000000000000000000000001234",
        "urls": {"api": {"v1": REST_URL, "v2": REST_URL.replace("/v1", "/v2")}},
    }
)


def away(side: str, share: float = 0.03) -> float:
    """A price that rests, `share` away from the best quote."""
    book = exchange.fetch_order_book(ETH)
    best = book["bids"][0][0] if side == "buy" else book["asks"][0][0]
    return float(exchange.price_to_precision(ETH, best * (1 - share if side == "buy" else 1 + share)))


def resting(**params: Any) -> dict[str, Any]:
    made: dict[str, Any] = exchange.create_order(ETH, "limit", "buy", SIZE, away("buy"), {"postOnly": True, **params})
    assert made["status"] == "open", made
    return made


def became(order_id: str, status: str) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = exchange.fetch_order(order_id, ETH)
        return found if found["status"] == status else None

    seen: dict[str, Any] = until(look, f"order {order_id} {status}")
    return seen


def open_ids() -> list[str]:
    return [each["id"] for each in exchange.fetch_open_orders(ETH)]


def markets() -> dict[str, Any]:
    found = exchange.load_markets()
    assert {ETH, BTC} <= set(found)
    market = found[ETH]
    assert (market["id"], market["swap"], market["linear"]) == ("ETH-USD-PERP", True, True)
    assert market["precision"] == {"amount": 0.0001, "price": 0.01}
    assert market["limits"]["cost"]["min"] == 10
    return {"symbols": sorted(found)}


def system() -> dict[str, Any]:
    assert abs(exchange.fetch_time() - time.time() * 1000) < 5_000
    assert exchange.fetch_status()["status"] == "ok"
    return {"time": exchange.fetch_time()}


def tickers() -> dict[str, Any]:
    ticker = exchange.fetch_ticker(ETH)
    assert 0 < ticker["bid"] < ticker["ask"]
    assert set(exchange.fetch_tickers([ETH, BTC])) == {ETH, BTC}
    assert exchange.fetch_open_interest(ETH)["openInterestAmount"] > 0
    return {"last": ticker["last"], "percentage": ticker["percentage"]}


def klines() -> dict[str, Any]:
    counts = {}
    for timeframe in ("1m", "3m", "5m", "15m", "30m", "1h"):
        rows = exchange.fetch_ohlcv(ETH, timeframe, limit=20)
        width = exchange.parse_timeframe(timeframe) * 1000
        times = [row[0] for row in rows]
        assert times == list(range(times[0], times[0] + len(times) * width, width)), (timeframe, times)
        assert len(rows) >= 10, (timeframe, len(rows))
        counts[timeframe] = len(rows)
    assert exchange.fetch_ohlcv(ETH, "1m", limit=5, params={"price": "mark"})
    return counts


def public_data() -> dict[str, Any]:
    book = exchange.fetch_order_book(ETH)
    assert book["bids"][0][0] < book["asks"][0][0]
    trades = exchange.fetch_trades(ETH, limit=5)
    assert len(trades) == 5
    assert [each["timestamp"] for each in trades] == sorted(each["timestamp"] for each in trades)
    rate = exchange.fetch_funding_rate(ETH)
    assert rate["fundingRate"] is not None
    assert set(exchange.fetch_funding_rates([ETH, BTC])) == {ETH, BTC}
    until(lambda: exchange.fetch_funding_rate_history(ETH, limit=2), "funding history")
    return {"rate": rate["fundingRate"], "interval": rate["interval"]}


def onboard() -> dict[str, Any]:
    """ccxt does not onboard by itself: the first login says what is missing."""
    said = refused(exchange.fetch_balance, "BadRequest", "NOT_ONBOARDED")
    exchange.onboarding()
    return {"said": said, "account": exchange.options["paradexAccount"]["address"]}


def auth() -> dict[str, Any]:
    assert exchange.fetch_balance()["USDC"]["total"] == 10_000
    token = exchange.options["authToken"]
    exchange.fetch_balance()
    assert exchange.options["authToken"] == token, "kept while it is good"
    fees = exchange.fetch_trading_fee(ETH)
    assert exchange.fetch_trading_fees()
    return {"maker": fees["maker"], "taker": fees["taker"]}


def leverage() -> dict[str, Any]:
    exchange.set_leverage(5, ETH, {"marginMode": "cross"})
    found = exchange.fetch_leverage(ETH)
    assert (found["longLeverage"], found["marginMode"]) == (5, "cross")
    exchange.set_margin_mode("cross", ETH, {"leverage": 10})
    assert exchange.fetch_leverage(ETH)["longLeverage"] == 10
    assert exchange.fetch_margin_mode(ETH)["marginMode"] == "cross"
    return {"refused": refused(lambda: exchange.set_leverage(5_000, ETH), "leverage")}


def limit() -> dict[str, Any]:
    made = resting(clientOrderId="judge-limit")
    found = became(made["id"], "open")
    assert (found["clientOrderId"], found["postOnly"], found["timeInForce"]) == ("judge-limit", True, "PO")
    assert exchange.fetch_order("", ETH, {"clientOrderId": "judge-limit"})["id"] == made["id"]
    assert made["id"] in open_ids()
    duplicate = refused(lambda: resting(clientOrderId="judge-limit"), "InvalidOrder", "DUPLICATED_CLIENT_ID")
    ioc = exchange.create_order(ETH, "limit", "buy", SIZE, away("buy"), {"timeInForce": "IOC"})
    assert became(ioc["id"], "canceled")["filled"] == 0
    return {"duplicate": duplicate}


def market() -> dict[str, Any]:
    made = exchange.create_order(ETH, "market", "buy", SIZE)
    done = became(made["id"], "closed")
    assert (done["filled"], done["remaining"]) == (SIZE, 0)
    return {"average": done["average"]}


def stop() -> dict[str, Any]:
    """Plain triggers carry a size; ccxt sends stop-loss and take-profit orders with size 0: the position's."""
    below, above = away("buy", 0.05), away("sell", 0.05)
    seen = {}
    for kind, price, params in (
        ("market", None, {"triggerPrice": below, "reduceOnly": True}),
        ("limit", away("buy", 0.06), {"triggerPrice": below, "reduceOnly": True}),
        ("market", None, {"stopLossPrice": below}),
        ("limit", away("buy", 0.06), {"stopLossPrice": below}),
        ("market", None, {"takeProfitPrice": above}),
        ("limit", above, {"takeProfitPrice": above}),
    ):
        made = exchange.create_order(ETH, kind, "sell", SIZE, price, params)
        found = exchange.fetch_order(made["id"], ETH)
        assert found["info"]["status"] == "UNTRIGGERED", found["info"]
        assert found["reduceOnly"] is True
        seen[found["info"]["type"]] = [found["triggerPrice"], found["amount"]]
        exchange.cancel_order(made["id"], ETH)
        became(made["id"], "canceled")
    return seen


def modify() -> dict[str, Any]:
    made = resting()
    became(made["id"], "open")
    price = away("buy", 0.04)
    assert exchange.edit_order(made["id"], ETH, "limit", "buy", 2 * SIZE, price)["id"] == made["id"]
    until(lambda: exchange.fetch_order(made["id"], ETH)["price"] == price, "the new price")
    assert exchange.fetch_order(made["id"], ETH)["amount"] == 2 * SIZE
    return {"price": price}


def batch() -> dict[str, Any]:
    wanted = [
        {
            "symbol": ETH,
            "type": "limit",
            "side": "buy",
            "amount": SIZE,
            "price": away("buy"),
            "params": {"clientOrderId": name},
        }
        for name in ("judge-batch-1", "judge-batch-2", "judge-batch-3")
    ]
    ids = [each["id"] for each in exchange.create_orders(wanted)]
    assert len(ids) == 3
    for each in ids:
        became(each, "open")
    ended = exchange.cancel_orders([ids[0]], ETH, {"clientOrderIds": ["judge-batch-2", "judge-nobody"]})
    assert [each["status"] for each in ended] == ["canceled", "canceled", "rejected"], ended
    assert ids[2] in open_ids()
    return {"ids": ids}


def cancel_by_id() -> dict[str, Any]:
    made = resting()
    became(made["id"], "open")
    exchange.cancel_order(made["id"], ETH)
    became(made["id"], "canceled")
    return {"again": refused(lambda: exchange.cancel_order(made["id"], ETH), "InvalidOrder", "ORDER_IS_CLOSED")}


def cancel_by_client_id() -> dict[str, Any]:
    made = resting(clientOrderId="judge-by-client")
    became(made["id"], "open")
    exchange.cancel_order("", ETH, {"clientOrderId": "judge-by-client"})
    became(made["id"], "canceled")
    unknown = {"clientOrderId": "judge-nobody"}
    return {"unknown": refused(lambda: exchange.cancel_order("", ETH, unknown), "InvalidOrder", "CLIENT_ORDER_ID_NOT_FOUND")}


def cancel_all() -> dict[str, Any]:
    assert open_ids()
    exchange.cancel_all_orders(ETH)
    until(lambda: not open_ids(), "nothing is left")
    return {}


def positions() -> dict[str, Any]:
    (held,) = [each for each in exchange.fetch_positions([ETH]) if each["contracts"]]
    assert (held["symbol"], held["side"], held["contracts"]) == (ETH, "long", SIZE)
    assert exchange.fetch_position(ETH)["entryPrice"] == held["entryPrice"]
    until(lambda: float(exchange.fetch_position(ETH)["info"]["unrealized_funding_pnl"]), "funding accrues")
    turned = exchange.create_order(ETH, "market", "sell", 2 * SIZE)
    became(turned["id"], "closed")
    (short,) = [each for each in exchange.fetch_positions([ETH]) if each["contracts"]]
    assert (short["side"], short["contracts"]) == ("short", SIZE)
    closing = exchange.create_order(ETH, "market", "buy", SIZE, None, {"reduceOnly": True})
    became(closing["id"], "closed")
    until(lambda: not [each for each in exchange.fetch_positions() if each["contracts"]], "flat")
    return {"entry": held["entryPrice"], "liquidation": held["liquidationPrice"]}


def fills() -> dict[str, Any]:
    found = exchange.fetch_my_trades(ETH)
    assert len(found) >= 3
    assert {each["side"] for each in found} == {"buy", "sell"}
    assert all(each["takerOrMaker"] == "taker" and each["fee"]["cost"] > 0 for each in found)
    assert exchange.fetch_funding_history(ETH)
    return {"fills": len(found), "fee": found[0]["fee"]}


def history() -> dict[str, Any]:
    orders = exchange.fetch_orders(ETH)
    ids = [each["id"] for each in orders]
    assert len(set(ids)) == len(ids) >= 10
    paged = exchange.fetch_orders(ETH, params={"paginate": True, "maxEntriesPerRequest": 5, "paginationCalls": 30})
    assert {each["id"] for each in paged} == set(ids)
    for empty in (exchange.fetch_transfers, exchange.fetch_deposits, exchange.fetch_withdrawals):
        assert empty() == []
    assert exchange.fetch_my_liquidations(ETH) == []
    return {"orders": len(ids)}


def refusals() -> dict[str, Any]:
    rich = exchange.create_order(ETH, "market", "buy", 500)
    assert became(rich["id"], "rejected")["info"]["cancel_reason"] == "NOT_ENOUGH_MARGIN"
    other: Any = ccxt.paradex({"options": dict(exchange.options), "urls": exchange.urls})
    other.options["paradexAccount"] = {**exchange.options["paradexAccount"], "privateKey": "0x1234"}
    forged = refused(
        lambda: other.create_order(ETH, "market", "buy", SIZE), "AuthenticationError", "INVALID_ORDER_SIGNATURE"
    )
    nothing = refused(lambda: exchange.fetch_order("1", ETH), "InvalidOrder", "ORDER_ID_NOT_FOUND")
    return {"forged": forged, "unknown": nothing}


def token_expired() -> dict[str, Any]:
    """ccxt trusts a token for 180 s; when the exchange does not, it says so in a word, and a new login mends it."""
    made = resting(clientOrderId="judge-before-expiry")
    ask("skip 40")
    said = refused(exchange.fetch_balance, "AuthenticationError", "token is expired by")
    exchange.options["authToken"] = None
    assert exchange.fetch_order(made["id"], ETH)["status"] == "open", "orders outlive tokens"
    exchange.cancel_all_orders(ETH)
    return {"said": said}


STEPS = (
    markets, system, tickers, klines, public_data, onboard, auth, leverage, limit, market, stop, modify, batch, cancel_by_id,
    cancel_by_client_id, cancel_all, positions, fills, history, refusals, token_expired,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(run(STEPS))
