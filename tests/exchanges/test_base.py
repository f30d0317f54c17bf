from __future__ import annotations

import pytest

from flashscalper.exchanges.base import HttpRequest, HttpResponse, OpenSocket, SendFrame
from flashscalper.runtime.control import Door
from flashscalper.runtime.hosting.hosted import Trader
from flashscalper.simulator.base import FrameArrived, FrameOut, HttpAnswer, HttpArrived, SocketArrived

CANARY = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIweDEifQ.c2lnbmF0dXJl"
HEADERS = (("Authorization", f"Bearer {CANARY}"), ("Accept", "application/json"))


@pytest.mark.parametrize(
    ("thing", "shows"),
    [
        (OpenSocket("main-1", "wss://x/v1", HEADERS), "wss://x/v1"),
        (HttpRequest(7, "GET", "https://x/v1/account", HEADERS), "https://x/v1/account"),
        (HttpRequest(7, "POST", "https://x/v1/orders", (), b'{"size":"1"}'), '{"size":"1"}'),
        (HttpResponse(7, 200, {"x": "y"}, f'{{"jwt_token":"{CANARY}"}}'.encode()), "bytes with a token"),
        (HttpResponse(7, 200, {}, b'{"results":[]}'), '{"results":[]}'),
        (SendFrame("main-1", f'{{"method":"auth","params":{{"bearer":"{CANARY}"}}}}'.encode()), "bytes with a token"),
        (SendFrame("main-1", b'{"method":"subscribe"}'), "subscribe"),
        (HttpResponse(7, 200, {}, f'{{"token": "{CANARY}"}}'.encode()), "bytes with a token"),
        (HttpArrived(7, "GET", "/v1/account", "a=b", dict(HEADERS), b""), "/v1/account"),
        (HttpArrived(7, "POST", "/v1/orders", "", {}, b'{"size":"1"}'), '{"size":"1"}'),
        (SocketArrived("c", "/v1", "", dict(HEADERS)), "Authorization"),
        (FrameArrived("c", f'{{"method":"auth","params":{{"bearer":"{CANARY}"}}}}'.encode()), "bytes with a token"),
        (FrameArrived("c", b'{"method":"subscribe"}'), "subscribe"),
        (HttpAnswer(7, 200, (), f'{{"jwt_token":"{CANARY}"}}'.encode()), "bytes with a token"),
        (HttpAnswer(7, 404, (), b"{}", broken=True), "404"),
        (FrameOut("c", b'{"result":{}}', topic="auth"), "auth"),
        (Door(url="http://127.0.0.1:1", token=CANARY, run="r", pid=1), "127.0.0.1:1"),
        (Trader("0x1", "0x2", CANARY, "0x3"), "0x2"),
    ],
)
def test_what_is_shown_of_a_message_logs_nobody_in(thing: object, shows: str) -> None:
    for text in (repr(thing), str(thing), f"{thing}", repr([thing])):
        assert CANARY not in text
        assert shows in text
