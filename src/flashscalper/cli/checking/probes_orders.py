"""Probes with orders that never fill: client ids, repeated bodies, late requests, batches, changes, reasons, sessions."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from flashscalper.cli.checking.probe_bench import ProbeBench, order_id_of
from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.requests import Call, Group
from flashscalper.model.markets import Rounding
from flashscalper.model.orders import OrderStatus, OrderType, Side, TimeInForce

Found = tuple[Any, str]
"""The value, None for unanswered, and the evidence in words."""

_OVER_THE_LIMIT: Final = 11
_LIMITS: Final = {True: 50, False: 10}
"""The two documented batch limits, by whether eleven orders are taken."""
_TOKEN_TYPES: Final = ("readonly", "read_only", "jwt", "api_key")
_SHORT_TOKEN_S: Final = 60
_AGES_S: Final = (1_800, 86_400, 604_800)


async def client_id_scope(bench: ProbeBench) -> Found:
    """Place, place again, cancel, place again: always the same client id."""
    first = bench.far_order()
    placed = await bench.place(bench.order_body(first))
    if not placed.good:
        return None, f"the first order was refused: {placed.word}"
    await bench.until_live(order_id_of(placed.body))
    while_open = await bench.place(bench.order_body(first))
    await bench.cancel(order_id_of(placed.body))
    afterwards = await bench.place(bench.order_body(first))
    evidence = f"again while open: {while_open.word}; again after canceling: {afterwards.word}"
    if while_open.good:
        return "none", evidence
    if while_open.code != "DUPLICATED_CLIENT_ID":
        return None, evidence
    if afterwards.good:
        return "open", evidence
    return ("forever" if afterwards.code == "DUPLICATED_CLIENT_ID" else None), evidence


async def same_body_twice(bench: ProbeBench) -> Found:
    """One signed body without a client id, sent twice."""
    body = bench.order_body(bench.far_order(), client_id=None)
    first, second = await bench.place(body), await bench.place(body)
    if not first.good:
        return None, f"the first was refused: {first.word}"
    return ("two orders" if second.good else "refused"), f"second time: {second.word}"


async def late_request(bench: ProbeBench) -> Found:
    """An order whose receive window ended a second ago."""
    reply = await bench.place(bench.order_body(bench.far_order(), age_ms=2_000, window_ms=1_000))
    if not reply.good:
        return reply.code, f"refused with HTTP {reply.status}"
    order = await bench.until_live(order_id_of(reply.body))
    if order is not None and order.status is OrderStatus.CLOSED:
        return order.cancel_reason, "accepted, then closed by the exchange"
    return "accepted", "it rests, although its window had ended"


async def batch_limit(bench: ProbeBench) -> Found:
    """Eleven orders in one request: the documents say 10 in one place and 50 in another."""
    bodies = [bench.order_body(bench.far_order()) for _ in range(_OVER_THE_LIMIT)]
    reply = await bench.send(Call("POST", "/orders/batch", Group.ORDER, "", msgspec.json.encode(bodies)))
    if reply.good:
        for row in msgspec.json.decode(reply.body)["orders"]:
            bench.remember(row["id"])
    elif reply.code != "BATCH_SIZE_OUT_OF_RANGE":
        return None, f"eleven orders: {reply.word}"
    return _LIMITS[reply.good], f"eleven orders: {reply.word}"


async def request_info_status(bench: ProbeBench) -> Found:
    """How the fate of a changed order is spelt in JSON."""
    command = bench.far_order()
    assert command.price is not None
    placed = await bench.place(bench.order_body(command))
    if not placed.good:
        return None, f"the order was refused: {placed.word}"
    order_id = order_id_of(placed.body)
    await bench.until_live(order_id)
    changed = await bench.send(
        requests.modify_order(order_id, _changed(bench, order_id, command.price - bench.market.price_tick))
    )
    seen = [_status_of(changed.body)] if changed.good else []
    for _ in range(20):
        now = await bench.send(Call("GET", f"/orders/{order_id}", Group.READ))
        seen.append(_status_of(now.body) if now.good else "")
        await asyncio.sleep(0.05)
    await bench.cancel(order_id)
    words = list(dict.fromkeys(word for word in seen if word))
    return (words or None), f"change: {changed.word}; seen in order: {', '.join(words) or 'nothing'}"


def _changed(bench: ProbeBench, order_id: str, price: Any) -> bytes:
    command = bench.far_order(price=price)
    at_ms = bench.rest.exchange_now() // 1000
    signature = bench.signer.sign_order(
        market=bench.market.market,
        side=command.side,
        order_type=command.type,
        size=command.size,
        price=command.price,
        timestamp_ms=at_ms,
        order_id=order_id,
    )
    body = bench.order_body(command)
    kept = {name: body[name] for name in ("market", "side", "type", "size", "price")}
    return msgspec.json.encode({**kept, "id": order_id, "signature": signature, "signature_timestamp": at_ms})


def _status_of(body: bytes) -> str:
    info = responses.decode("order", wire.OrderResult, body).request_info
    return info.status if info is not None else ""


async def digits_beyond_the_eighth(bench: ProbeBench) -> Found:
    """A price with more digits than the signature carries: cut off, or refused."""
    command = bench.far_order()
    reply = await bench.place(
        bench.order_body(
            command, price=f"{command.price}0000000001" if "." in str(command.price) else f"{command.price}.0000000001"
        )
    )
    if reply.good:
        return "truncated", "accepted: the signature was verified with the digits cut off"
    return f"refused: {reply.code}", f"HTTP {reply.status}"


async def cancel_reasons(bench: ProbeBench) -> Found:
    """The words for three ends: canceled by us, post-only that would take, nothing left of an immediate order."""
    market = bench.market
    above = market.round_price(bench.mark * 1.02, Rounding.UP)
    size = bench.small_size()
    tried = {
        "post_only that would take": bench.far_order(price=above, size=size),
        "immediate or cancel, far away": bench.far_order(time_in_force=TimeInForce.IOC),
        "reduce-only without a position": bench.far_order(reduce_only=True),
        "canceled by us": bench.far_order(),
    }
    found: dict[str, str] = {}
    for name, command in tried.items():
        reply = await bench.place(bench.order_body(command))
        if not reply.good:
            found[name] = f"refused: {reply.code}"
            continue
        order_id = order_id_of(reply.body)
        if name == "canceled by us":
            await bench.until_live(order_id)
            await bench.cancel(order_id)
        closed = await bench.until_closed(order_id)
        found[name] = closed.cancel_reason if closed is not None else "not closed"
    return found, "; ".join(f"{name}: {reason}" for name, reason in found.items())


async def auth_without_expiration(bench: ProbeBench) -> Found:
    """Which life the exchange puts into the hash when a login does not name its end."""
    for age_s in _AGES_S:
        at_s = bench.rest.exchange_now() // 1_000_000
        headers = (
            ("PARADEX-STARKNET-ACCOUNT", bench.signer.account),
            ("PARADEX-STARKNET-SIGNATURE", bench.signer.sign_auth(timestamp_s=at_s, expiration_s=at_s + age_s)),
            ("PARADEX-TIMESTAMP", str(at_s)),
        )
        reply = await bench.send(Call("POST", f"/auth/{bench.signer.public_key}", Group.AUTH, "", b"", headers))
        if reply.good:
            return age_s, f"accepted when signed for {age_s} s"
    return None, f"refused when signed for {', '.join(map(str, _AGES_S))} s: {reply.code}"


async def token_types(bench: ProbeBench) -> Found:
    """Which kinds of long-lived token there are; each that is made lives a minute and is revoked at once."""
    taken, refused = [], []
    for kind in _TOKEN_TYPES:
        body = {"name": "probe", "token_type": kind, "expiry_duration": _SHORT_TOKEN_S}
        reply = await bench.send(Call("POST", "/account/tokens", Group.READ, "", msgspec.json.encode(body)))
        if not reply.good:
            refused.append(f"{kind}: {reply.code}")
            continue
        taken.append(kind)
        lookup_id = msgspec.json.decode(reply.body)["api_token"]["lookup_id"]
        await bench.send(Call("DELETE", f"/account/tokens/{lookup_id}", Group.READ))
    return (taken or None), f"taken: {', '.join(taken) or 'none'}; refused: {', '.join(refused) or 'none'}"


async def far_stop(bench: ProbeBench, *, size: Any = None) -> dict[str, Any]:
    """The body of a stop-limit buy far above the market, which waits for its trigger."""
    trigger = bench.market.round_price(bench.mark * 1.3, Rounding.UP)
    command = bench.far_order(
        type=OrderType.STOP_LIMIT,
        side=Side.BUY,
        trigger_price=trigger,
        time_in_force=TimeInForce.GTC,
        price=trigger,
        size=size or bench.small_size(),
    )
    return bench.order_body(command)
