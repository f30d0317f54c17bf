"""Judge: the official SDK (paradex-py, unmodified) over REST, from onboarding to an expired token in the middle.

    python -m tests.judges.official_sdk REST_URL WS_URL ETHEREUM_KEY     (from the root, with the judges' interpreter)

Every answer is read the way the SDK reads it, and also with the models that the SDK generates from Paradex's own files.
"""

from __future__ import annotations

import sys
import time
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

import httpx
from eth_account import Account
from paradex_py import Paradex
from paradex_py.account.subkey_account import SubkeyAccount
from paradex_py.api.api_client import ParadexApiClient
from paradex_py.api.generated import responses
from paradex_py.common.order import Order, OrderSide, OrderType
from paradex_py.environment import TESTNET
from starknet_py.net.signer.key_pair import KeyPair

from tests.judges.steps import ask, refused, run, until

REST_URL, WS_URL, ETHEREUM_KEY = sys.argv[1:4]
ETH, BTC = "ETH-USD-PERP", "BTC-USD-PERP"
SIZE = Decimal("0.05")


class Desk:
    """The client under the judge's robe, and what its steps leave to each other."""

    def __init__(self) -> None:
        self.paradex: Any = None
        self.calls: list[str] = []

    @property
    def api(self) -> Any:
        return self.paradex.api_client


desk = Desk()


def note(response: httpx.Response) -> None:
    """Which requests went out, and how they were answered."""
    desk.calls.append(f"{response.request.method} {response.request.url.path[len('/v1') :]} {response.status_code}")


def open_client(**more: Any) -> Any:
    return Paradex(
        env=TESTNET,
        l1_address=Account.from_key(ETHEREUM_KEY).address,
        l1_private_key=ETHEREUM_KEY,
        api_base_url=REST_URL,
        ws_url_override=WS_URL,
        ws_direct_url_override=WS_URL,
        **more,
    )


def valid(model: Any, answer: dict[str, Any]) -> Any:
    """An answer, or each of its results, as the SDK's generated model; types and enums must fit."""
    if "results" in answer:
        return [valid(model, each) for each in answer["results"]]
    return model.model_validate(answer)


def away(side: OrderSide, share: str = "0.03", market: str = ETH) -> Decimal:
    """A price that rests: `share` away from the best quote, on the market's tick."""
    quote = desk.api.fetch_bbo(market)
    best = Decimal(quote["bid"] if side is OrderSide.Buy else quote["ask"])
    factor = 1 - Decimal(share) if side is OrderSide.Buy else 1 + Decimal(share)
    tick = Decimal(desk.api.fetch_markets({"market": market})["results"][0]["price_tick_size"])
    return (best * factor // tick) * tick


def order(kind: OrderType, side: OrderSide, **more: Any) -> Order:
    return Order(market=more.pop("market", ETH), order_type=kind, order_side=side, size=more.pop("size", SIZE), **more)


def resting(client_id: str = "", side: OrderSide = OrderSide.Buy, **more: Any) -> Order:
    return order(OrderType.Limit, side, limit_price=away(side), client_id=client_id, instruction="POST_ONLY", **more)


def became(order_id: str, status: str) -> dict[str, Any]:
    """The order once the exchange's asynchronous verdict is there."""

    def look() -> dict[str, Any] | None:
        found = desk.api.fetch_order(order_id)
        return found if found["status"] == status else None

    seen: dict[str, Any] = until(look, f"order {order_id} {status}")
    valid(responses.OrderResp, seen)
    return seen


def open_ids() -> list[str]:
    return [each.id for each in valid(responses.OrderResp, desk.api.fetch_orders())]


def onboard() -> dict[str, Any]:
    desk.paradex = open_client(http_client=httpx.Client(event_hooks={"response": [note]}))
    seen = list(desk.calls)
    key = hex(desk.paradex.account.l2_public_key)
    expected = ["GET /system/config 200", f"POST /auth/{key} 400", "POST /onboarding 200", f"POST /auth/{key} 200"]
    assert seen == expected, seen
    return {"calls": seen, "account": hex(desk.paradex.account.l2_address)}


def auth() -> dict[str, Any]:
    again = open_client(server_derive_address=True)
    assert again.is_onboarded is True
    assert again.account.l2_address == desk.paradex.account.l2_address
    interactive = open_client(auth_params={"token_usage": "interactive"})
    assert interactive.api_client.fetch_account_summary().status == "ACTIVE"
    nobody = Paradex(env=TESTNET, api_base_url=REST_URL)
    refused(nobody.api_client.fetch_account_summary, "Account not found")
    return {"level": str(again.auth_level)}


def system() -> dict[str, Any]:
    config = desk.api.fetch_system_config()
    assert config.paraclear_decimals == 8
    assert abs(int(desk.api.fetch_system_time()["server_time"]) / 1000 - time.time()) < 5
    assert desk.api.fetch_system_state() == {"status": "ok"}
    limit = desk.api.last_rate_limit
    assert all((limit.limit, limit.remaining, limit.reset, limit.window)), limit
    return {"chain": config.starknet_chain_id, "rate limit": str(limit)}


def markets() -> dict[str, Any]:
    found = valid(responses.MarketResp, desk.api.fetch_markets())
    assert {ETH, BTC} <= {each.symbol for each in found}
    assert [each.symbol for each in valid(responses.MarketResp, desk.api.fetch_markets({"market": ETH}))] == [ETH]
    everything = valid(responses.MarketSummaryResp, desk.api.fetch_markets_summary({"market": "ALL"}))
    assert {each.symbol for each in everything} == {each.symbol for each in found}
    (summary,) = valid(responses.MarketSummaryResp, desk.api.fetch_markets_summary({"market": ETH}))
    assert Decimal(summary.bid) < Decimal(summary.ask)
    refused(lambda: desk.api.fetch_bbo("NOPE-USD-PERP"), "MARKET_NOT_FOUND")
    return {"markets": [each.symbol for each in found]}


def klines() -> dict[str, Any]:
    end = int(time.time() * 1000)
    counts: dict[str, int] = {}
    for resolution in ("1", "3", "5", "15", "30", "60"):
        width = int(resolution) * 60_000
        rows = desk.api.fetch_klines(ETH, resolution, end - 20 * width, end)["results"]
        counts[resolution] = len(rows)
        assert len(rows) >= 10, (resolution, len(rows))
        for row, following in pairwise(rows):
            assert following[0] - row[0] == width, (row, following)
        assert all(low <= min(first, last) <= max(first, last) <= high for _, first, high, low, last, _ in rows)
    for kind in ("last", "mark", "underlying"):
        assert desk.api.fetch_klines(ETH, "1", end - 600_000, end, price_kind=kind)["results"], kind
    refused(lambda: desk.api.fetch_klines(ETH, "7", end - 600_000, end), "resolution")
    return counts


def public_data() -> dict[str, Any]:
    book = valid(responses.AskBidArray, desk.api.fetch_orderbook(ETH, {"depth": 5}))
    assert len(book.bids) == len(book.asks) == 5
    quote = valid(responses.BBOResp, desk.api.fetch_bbo(ETH))
    assert Decimal(quote.bid) < Decimal(quote.ask)
    page = desk.api.fetch_trades({"market": ETH, "page_size": 3})
    older = desk.api.fetch_trades({"market": ETH, "page_size": 3, "cursor": page["next"]})
    ids = [each.id for each in (*valid(responses.TradeResult, page), *valid(responses.TradeResult, older))]
    assert len(set(ids)) == 6
    assert ids == sorted(ids, reverse=True), "newest first, no overlap"
    until(lambda: valid(responses.FundingDataResult, desk.api.fetch_funding_data({"market": ETH})), "funding data")
    valid(responses.InsuranceAccountResp, desk.api.fetch_insurance_fund())
    return {"best": [quote.bid, quote.ask]}


def account() -> dict[str, Any]:
    summary = desk.api.fetch_account_summary()
    assert Decimal(summary.account_value) == Decimal(summary.total_collateral) == Decimal(10_000)
    (balance,) = valid(responses.BalanceResp, desk.api.fetch_balances())
    assert balance.token == "USDC"
    (info,) = valid(responses.AccountInfoResponse, desk.api.fetch_account_info())
    assert info.account == hex(desk.paradex.account.l2_address)
    assert desk.api.fetch_subaccounts()["results"] == []
    desk.api.fetch_account_profile()
    for empty in (desk.api.fetch_transfers, desk.api.fetch_transactions, desk.api.fetch_tradebusts):
        assert empty()["results"] == []
    assert desk.api.fetch_liquidations({"from": 0, "to": int(time.time() * 1000)})["results"] == []
    return {"value": summary.account_value}


def leverage() -> dict[str, Any]:
    """The SDK has no call for it; its client posts it the way its users do."""
    body = {"leverage": 5, "margin_type": "CROSS"}
    answer = desk.api.post(api_url=REST_URL, path=f"account/margin/{ETH}", payload=body)
    valid(responses.UpdateAccountMarginConfigResp, answer)
    configured = desk.api.get(api_url=REST_URL, path="account/margin", params={"market": ETH})
    (config,) = valid(responses.GetAccountMarginConfigsResp, configured).configs
    assert config.leverage == 5
    assert config.margin_type == "CROSS"
    wrong = {"leverage": 5_000, "margin_type": "CROSS"}
    return {
        "refused": refused(lambda: desk.api.post(api_url=REST_URL, path=f"account/margin/{ETH}", payload=wrong), "leverage")
    }


def limit() -> dict[str, Any]:
    made = desk.api.submit_order(resting("judge-limit"))
    assert valid(responses.OrderResp, made).status.value == "NEW"
    found = became(made["id"], "OPEN")
    assert found == desk.api.fetch_order_by_client_id("judge-limit") | {"published_at": found["published_at"]}
    assert made["id"] in open_ids()
    refused(lambda: desk.api.submit_order(resting("judge-limit")), "DUPLICATED_CLIENT_ID")
    crossing = order(OrderType.Limit, OrderSide.Buy, limit_price=away(OrderSide.Sell, "0.001"), instruction="POST_ONLY")
    assert became(desk.api.submit_order(crossing)["id"], "CLOSED")["cancel_reason"]
    ioc = order(OrderType.Limit, OrderSide.Buy, limit_price=away(OrderSide.Buy), instruction="IOC")
    assert became(desk.api.submit_order(ioc)["id"], "CLOSED")["remaining_size"] == str(SIZE)
    return {"order": made["id"], "instruction": found["instruction"]}


def market() -> dict[str, Any]:
    made = desk.api.submit_order(order(OrderType.Market, OrderSide.Buy, client_id="judge-market", recv_window=5_000))
    done = became(made["id"], "CLOSED")
    assert done["remaining_size"] == "0"
    assert done["cancel_reason"] == ""
    assert Decimal(done["avg_fill_price"]) > 0
    late = order(OrderType.Market, OrderSide.Buy, signature_timestamp=int(time.time() * 1000) - 60_000, recv_window=5_000)
    return {"average": done["avg_fill_price"], "late": refused(lambda: desk.api.submit_order(late), "INVALID_TIMESTAMP")}


def stop() -> dict[str, Any]:
    seen = {}
    below, above = away(OrderSide.Buy, "0.05"), away(OrderSide.Sell, "0.05")
    for kind, trigger, price in (
        (OrderType.StopMarket, below, None),
        (OrderType.StopLimit, below, away(OrderSide.Buy, "0.06")),
        (OrderType.StopLossMarket, below, None),
        (OrderType.StopLossLimit, below, away(OrderSide.Buy, "0.06")),
        (OrderType.TakeProfitMarket, above, None),
        (OrderType.TakeProfitLimit, above, above),
    ):
        more = {} if price is None else {"limit_price": price}
        made = desk.api.submit_order(order(kind, OrderSide.Sell, trigger_price=trigger, reduce_only=True, **more))
        waiting = became(made["id"], "UNTRIGGERED")
        assert Decimal(waiting["trigger_price"]) == trigger
        assert "REDUCE_ONLY" in waiting["flags"]
        seen[kind.value] = waiting["flags"]
        desk.api.cancel_order(made["id"])
        became(made["id"], "CLOSED")
    return seen


def modify() -> dict[str, Any]:
    first = desk.api.submit_order(resting())
    became(first["id"], "OPEN")
    price = away(OrderSide.Buy, "0.04")
    changed = order(OrderType.Limit, OrderSide.Buy, limit_price=price, size=2 * SIZE, order_id=first["id"])
    answer = desk.api.modify_order(first["id"], changed)
    assert valid(responses.OrderResp, answer).id == first["id"]
    until(lambda: Decimal(desk.api.fetch_order(first["id"])["price"]) == price, "the new price")
    now = desk.api.fetch_order(first["id"])
    assert Decimal(now["size"]) == 2 * SIZE
    unsigned = order(OrderType.Limit, OrderSide.Buy, limit_price=price)
    refused(lambda: desk.api.modify_order(first["id"], unsigned), "INVALID_ORDER_SIGNATURE")
    return {"request": now.get("request_info")}


def batch() -> dict[str, Any]:
    made = desk.api.submit_orders_batch([resting("judge-batch-1"), resting("judge-batch-2"), resting("judge-batch-3")])
    assert valid(responses.BatchResponse, made).errors in (None, [])
    ids = [each["id"] for each in made["orders"]]
    assert len(ids) == 3
    for each in ids:
        became(each, "OPEN")
    ended = desk.api.cancel_orders_batch(order_ids=[ids[0], "1"], client_order_ids=["judge-batch-2", "judge-nobody"])
    statuses = [each.status for each in valid(responses.CancelOrderResult, ended)]
    assert statuses == ["QUEUED_FOR_CANCELLATION", "NOT_FOUND", "QUEUED_FOR_CANCELLATION", "NOT_FOUND"], statuses
    assert ids[2] in open_ids()
    refused(lambda: desk.api.submit_orders_batch([resting() for _ in range(11)]), "BATCH_SIZE_OUT_OF_RANGE")
    return {"cancelled": statuses}


def cancel_by_id() -> dict[str, Any]:
    made = desk.api.submit_order(resting())
    became(made["id"], "OPEN")
    assert desk.api.cancel_order(made["id"]) is None, "204, no body"
    reason = became(made["id"], "CLOSED")["cancel_reason"]
    assert reason == "USER_CANCELED"
    refused(lambda: desk.api.cancel_order("1"), "ORDER_ID_NOT_FOUND")
    return {"again": refused(lambda: desk.api.cancel_order(made["id"]), "ORDER_IS_CLOSED")}


def cancel_by_client_id() -> dict[str, Any]:
    made = desk.api.submit_order(resting("judge/odd id"))
    became(made["id"], "OPEN")
    plain = desk.api.submit_order(resting("judge-by-client"))
    assert desk.api.cancel_order_by_client_id("judge-by-client") is None
    became(plain["id"], "CLOSED")
    desk.api.cancel_order(made["id"])
    return {"unknown": refused(lambda: desk.api.cancel_order_by_client_id("judge-nobody"), "CLIENT_ORDER_ID_NOT_FOUND")}


def cancel_all() -> dict[str, Any]:
    price = away(OrderSide.Buy, market=BTC)
    other = order(OrderType.Limit, OrderSide.Buy, market=BTC, limit_price=price, size=Decimal("0.001"))
    kept = desk.api.submit_order(other)["id"]
    desk.api.submit_order(resting())
    desk.api.cancel_all_orders({"market": ETH})
    until(lambda: open_ids() == [kept], "only the other market's order is left")
    desk.api.cancel_all_orders()
    until(lambda: open_ids() == [], "nothing is left")
    return {"kept": kept}


def positions() -> dict[str, Any]:
    def funded() -> Any:
        found = valid(responses.PositionResp, desk.api.fetch_positions())
        return [each for each in found if each.status.value == "OPEN" and Decimal(each.unrealized_funding_pnl)]

    (held,) = until(funded, "a position on which funding accrues")
    assert (held.market, held.side.value, Decimal(held.size)) == (ETH, "LONG", SIZE)
    flat = desk.api.submit_order(order(OrderType.Market, OrderSide.Sell, size=2 * SIZE))
    became(flat["id"], "CLOSED")

    def short() -> Any:
        return [each for each in desk.api.fetch_positions()["results"] if each["side"] == "SHORT"]

    (turned,) = until(short, "the position turned round")
    assert Decimal(turned["size"]) == -SIZE, "sizes are signed"
    closing = desk.api.submit_order(order(OrderType.Market, OrderSide.Buy, reduce_only=True))
    became(closing["id"], "CLOSED")
    until(lambda: all(each["status"] == "CLOSED" for each in desk.api.fetch_positions()["results"]), "flat")
    return {"leverage": held.leverage, "liquidation": held.liquidation_price}


def fills() -> dict[str, Any]:
    everything = valid(responses.FillResult, desk.api.fetch_fills({"market": ETH}))
    assert len(everything) >= 3
    assert {each.side.value for each in everything} == {"BUY", "SELL"}, "our own side, not the taker's"
    assert all(Decimal(each.fee) > 0 and each.liquidity.value == "TAKER" for each in everything)
    summed = sum(Decimal(each.realized_pnl) + Decimal(each.realized_funding) - Decimal(each.fee) for each in everything)
    summary = desk.api.fetch_account_summary()
    assert Decimal(summary.total_collateral) - 10_000 == summed, (summary.total_collateral, summed)
    return {"fills": len(everything), "sum": str(summed)}


def history() -> dict[str, Any]:
    """Every page of one, forwards: no order twice, none missing."""
    ids: list[str] = []
    cursor = None
    while True:
        page = desk.api.fetch_orders_history({"page_size": 4, **({"cursor": cursor} if cursor else {})})
        ids += [each.id for each in valid(responses.OrderResp, page)]
        cursor = page["next"]
        if not cursor:
            break
    whole = [each["id"] for each in desk.api.fetch_orders_history({"page_size": 5000})["results"]]
    assert ids == whole
    assert len(set(ids)) == len(ids)
    (one,) = desk.api.fetch_orders_history({"client_id": "judge-market"})["results"]
    assert one["type"] == "MARKET"
    assert desk.api.fetch_funding_payments({"market": ETH})["results"]
    return {"orders": len(ids)}


def refusals() -> dict[str, Any]:
    """What must be refused is, with the exchange's codes, at once or (risk) as a closed order."""
    tampered = resting()
    tampered.signature = desk.paradex.account.sign_order(tampered)
    body = tampered.dump_to_dict() | {"size": "0.06"}
    seen = [refused(lambda: desk.api.post(api_url=REST_URL, path="orders", payload=body), "INVALID_ORDER_SIGNATURE")]
    price = away(OrderSide.Buy)
    off_tick = order(OrderType.Limit, OrderSide.Buy, limit_price=price + Decimal("0.001"))
    off_step = order(OrderType.Limit, OrderSide.Buy, limit_price=price, size=Decimal("0.05001"))
    tiny = order(OrderType.Limit, OrderSide.Buy, limit_price=price, size=Decimal("0.0001"))
    nowhere = order(OrderType.Limit, OrderSide.Buy, limit_price=price, market="NOPE-USD-PERP")
    seen += [refused(partial(desk.api.submit_order, wrong), "ApiError") for wrong in (off_tick, off_step, tiny, nowhere)]
    rich = order(OrderType.Market, OrderSide.Buy, size=Decimal(500))
    seen.append(became(desk.api.submit_order(rich)["id"], "CLOSED")["cancel_reason"])
    assert seen[-1] == "NOT_ENOUGH_MARGIN"
    return {"refused": seen}


def algo() -> dict[str, Any]:
    made = desk.api.submit_algo_order(order(OrderType.Market, OrderSide.Buy), "TWAP", duration_seconds=60)
    assert valid(responses.AlgoOrderResp, made).algo_type.value == "TWAP"
    assert [each["id"] for each in desk.api.fetch_algo_orders()["results"]] == [made["id"]]
    desk.api.cancel_algo_order(made["id"])
    until(lambda: desk.api.fetch_algo_orders()["results"] == [], "the TWAP ended")
    return {"algo": made["id"]}


def subkey() -> dict[str, Any]:
    pair = KeyPair.generate()
    public = hex(pair.public_key)
    desk.api.create_subkey({"name": "judge", "public_key": public, "state": "active"})
    assert public in [each.public_key for each in valid(responses.Subkey, desk.api.fetch_subkeys())]
    desk.api.update_subkey(public, {"name": "judge two"})
    assert desk.api.fetch_subkey(public)["name"] == "judge two"
    client = ParadexApiClient(env=TESTNET, api_base_url=REST_URL)
    main = hex(desk.paradex.account.l2_address)
    client.init_account(SubkeyAccount(config=desk.paradex.config, l2_private_key=hex(pair.private_key), l2_address=main))
    made = client.submit_order(resting("judge-subkey"))
    assert made["account"] == main
    client.cancel_order(made["id"])
    desk.api.revoke_subkey(public)
    return {"revoked": refused(client.auth, "STARKNET_SIGNATURE_VERIFICATION_FAILED")}


def token() -> dict[str, Any]:
    made = desk.api.create_token({"name": "judge", "token_type": "api_key", "expiry_duration": 3600})
    valid(responses.CreateTokenResponse, made)
    reader = ParadexApiClient(env=TESTNET, api_base_url=REST_URL, auto_auth=False)
    reader.set_token(made["token"])
    assert reader.fetch_balances()["results"]
    lookup = made["api_token"]["lookup_id"]
    assert lookup in [each.lookup_id for each in valid(responses.ApiToken, desk.api.fetch_tokens())]
    desk.api.revoke_token(lookup)
    return {"revoked": refused(reader.fetch_balances, "INVALID_TOKEN")}


def token_renewed() -> dict[str, Any]:
    """The SDK renews its token by itself 30 s before the end: here after 3 s of 33."""
    before = desk.paradex.account.jwt_token
    logins = [each for each in desk.calls if "/auth/" in each]
    until(lambda: desk.api.fetch_account_summary() and desk.paradex.account.jwt_token != before, "a new token")
    renewed = [each for each in desk.calls if "/auth/" in each][len(logins) :]
    assert renewed
    assert all(each.endswith(" 200") for each in renewed)
    return {"renewals": len(renewed)}


def token_expired() -> dict[str, Any]:
    """The exchange's clock passes the token's end while the SDK still believes in it: 401, and a login mends it."""
    desk.api.auth()
    old = desk.paradex.account.jwt_token
    made = desk.api.submit_order(resting("judge-before-expiry"))
    ask("skip 40")
    said = refused(desk.api.fetch_account_summary, "401", "token is expired by")
    raw = httpx.get(f"{REST_URL}/account", headers={"Authorization": f"Bearer {old}"})
    assert raw.status_code == 401
    assert "error" not in raw.json(), "no error code, as the exchange answers"
    desk.api.auth()
    assert desk.api.fetch_order_by_client_id("judge-before-expiry")["id"] == made["id"], "orders outlive tokens"
    desk.api.cancel_all_orders()
    return {"said": said}


STEPS = (
    onboard, auth, system, markets, klines, public_data, account, leverage, limit, market, stop, modify, batch, cancel_by_id,
    cancel_by_client_id, cancel_all, positions, fills, history, refusals, algo, subkey, token, token_renewed, token_expired,
)  # fmt: skip

if __name__ == "__main__":
    sys.exit(run(STEPS))
