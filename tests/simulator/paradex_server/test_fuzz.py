"""Whatever comes in over HTTP or a socket: one answer in the exchange's own shapes, never an exception."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.simulator.base import FrameArrived, HttpAnswer, HttpArrived
from flashscalper.simulator.paradex_server.server import ROUTES
from tests.simulator.paradex_server.bench import Bench

PATHS = [route.path.replace("{market}", "BTC-USD-PERP") for route in ROUTES]
FIELDS = [
    *(
        "market",
        "side",
        "type",
        "size",
        "price",
        "instruction",
        "signature",
        "signature_timestamp",
        "client_id",
        "flags",
        "stp",
    ),
    *(
        "recv_window",
        "trigger_price",
        "vwap_price",
        "on_behalf_of_account",
        "id",
        "order_ids",
        "leverage",
        "margin_type",
        "name",
    ),
    *("public_key", "allowed_cidrs", "expiry_duration", "token_type", "duration_seconds", "algo_type", "channel", "markets"),
]
ODD: Any = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=80)
    | st.sampled_from(
        ["BTC-USD-PERP", "BUY", "LIMIT", "MARKET", "GTC", "0.01", "64000", "NaN", "1e999", "-0", '["1","2"]', "0x1"]
    )
    | st.lists(st.text(max_size=5), max_size=3)
)
BODY = st.dictionaries(st.sampled_from(FIELDS), ODD, max_size=8).map(lambda body: json.dumps(body).encode()) | st.binary(
    max_size=60
)
QUERY = st.lists(
    st.tuples(
        st.sampled_from(
            ["market", "symbol", "cursor", "page_size", "start_at", "end_at", "resolution", "depth", "price_tick", "size"]
        ),
        st.sampled_from(["", "BTC-USD-PERP", "ALL", "-1", "0", "99999999999999999999", "x", "%00", "1e5", "MQ"]),
    ),
    max_size=4,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs))
HEADERS = st.dictionaries(
    st.sampled_from(
        ["paradex-starknet-account", "paradex-starknet-signature", "paradex-timestamp", "paradex-signature-expiration"]
    ),
    st.text(max_size=40) | st.sampled_from(["0x1", '["1","2"]', "1767225600", "²"]),
)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    path=st.sampled_from(PATHS),
    body=BODY,
    query=QUERY,
    headers=HEADERS,
)
@settings(max_examples=250, deadline=None)
def test_any_request_gets_one_answer(method: str, path: str, body: bytes, query: str, headers: dict[str, str]) -> None:
    bench = Bench()
    bench.open_market()
    _, token = bench.trader()
    head = {"authorization": f"Bearer {token}"} | headers
    bench.server.receive(HttpArrived(9_999, method, f"/v1{path}", query, head, body), bench.now)
    answers = [out for out in bench.server.outgoing() if isinstance(out, HttpAnswer)]
    assert [answer.id for answer in answers] == [9_999]
    assert answers[0].status in (200, 201, 204, 400, 401, 403, 404, 429, 501)
    if answers[0].body:
        json.loads(answers[0].body)


METHODS = [
    *("auth", "subscribe", "unsubscribe", "modify_subscription", "order.create", "order.create_batch", "order.modify"),
    *("order.cancel", "order.cancel_batch", "order.cancel_all", "order.cancel_on_disconnect"),
]


@given(
    method=st.sampled_from(METHODS),
    params=st.dictionaries(st.sampled_from([*FIELDS, "orders", "enabled", "bearer"]), ODD, max_size=6) | ODD,
)
@settings(max_examples=250, deadline=None)
def test_any_call_gets_one_answer(method: str, params: Any) -> None:
    bench = Bench()
    bench.open_market()
    _, token = bench.trader()
    socket = bench.connect()
    socket.login(token)
    frame = json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": "x"}).encode()
    bench.receive(FrameArrived(socket.conn, frame))
    answers = [message for message in map(json.loads, socket.take()) if message.get("id") == "x"]
    assert len(answers) == 1
    assert ("result" in answers[0]) != ("error" in answers[0])
