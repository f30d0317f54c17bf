from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flashscalper.exchanges.base import HttpFailed, HttpRequest
from flashscalper.model.events import ClockMeasured, FeesLearned, LeverageRead, MarketsListed, StreamChanged, Trouble
from tests.exchanges.paradex.bench import SECOND, START, Bench, token


def bearer_of(request: HttpRequest) -> str:
    return dict(request.headers).get("Authorization", "").removeprefix("Bearer ")


def test_the_start_reads_chain_clock_markets_then_logs_in_then_reads_fees_and_margin() -> None:
    bench = Bench().started()
    paths = [request.url.split("/v1")[1].split("?")[0] for request in bench.requests]
    assert paths[:7] == ["/system/config", *["/system/time"] * 5, "/markets"]
    assert any(path.startswith("/auth/0x") for path in paths)
    assert len(bench.seen(MarketsListed)) == len(bench.seen(ClockMeasured)) == 1
    assert bench.seen(LeverageRead) == [LeverageRead("ETHUSDT", 10, isolated=False)]
    assert str(bench.seen(FeesLearned)[0].taker) == "0.0004"


def test_nothing_begins_before_the_clock_was_measured() -> None:
    bench = Bench()
    bench.routes["/system/time"] = lambda _: (500, {"error": "INTERNAL"})
    bench.started()
    bench.wait(10)
    assert bench.seen(ClockMeasured) == []
    assert bench.asked("POST", "/auth") == []
    assert any("the clock is not measured yet" in trouble.detail for trouble in bench.seen(Trouble))
    bench.routes["/system/time"] = lambda _: (200, {"server_time": str(bench.now // 1000)})
    bench.wait(60)
    assert bench.seen(ClockMeasured)
    assert bench.seen(LeverageRead)


def test_the_token_is_renewed_after_180_seconds_by_one_request() -> None:
    bench = Bench().started()
    assert bench.tokens == 1
    bench.wait(179)
    assert bench.tokens == 1
    bench.wait(2)
    assert bench.tokens == 2


def test_auth_carries_the_account_the_signature_and_seconds() -> None:
    bench = Bench().started()
    (request,) = [each for each in bench.requests if "/auth/" in each.url]
    headers = dict(request.headers)
    assert headers["PARADEX-STARKNET-ACCOUNT"] == "0x123abc"
    assert headers["PARADEX-TIMESTAMP"] == str(START // SECOND)
    assert int(headers["PARADEX-SIGNATURE-EXPIRATION"]) - START // SECOND == 1800
    assert request.body == b""
    assert "Authorization" not in headers


def test_an_account_that_is_not_onboarded_is_onboarded_once_where_that_is_allowed() -> None:
    bench = Bench()
    onboarded: list[bytes] = []

    def auth(request: HttpRequest) -> tuple[int, Any]:
        if not onboarded:
            return 400, {"error": "NOT_ONBOARDED", "message": "User has never called /onboarding endpoint"}
        return 200, {"jwt_token": token(bench.now)}

    def onboarding(request: HttpRequest) -> tuple[int, Any]:
        onboarded.append(request.body)
        return 200, b""

    bench.routes["/auth"] = auth
    bench.routes["/onboarding"] = onboarding
    bench.started()
    assert len(onboarded) == 1
    assert json.loads(onboarded[0])["public_key"].startswith("0x")
    assert StreamChanged("account", True) in bench.events


def test_onboarding_is_not_done_where_it_is_not_allowed() -> None:
    bench = Bench(onboard=False)
    bench.routes["/auth"] = (400, {"error": "NOT_ONBOARDED", "message": "User has never called /onboarding endpoint"})
    bench.started()
    bench.wait(60)
    assert bench.asked("POST", "/onboarding") == []
    assert StreamChanged("market", True) in bench.events
    assert StreamChanged("account", True) not in bench.events


def test_entries_stop_when_the_token_has_under_a_minute_and_come_back_with_a_fresh_one() -> None:
    bench = Bench().started()
    good = bench.routes["/auth"]
    bench.routes["/auth"] = (503, b"")
    bench.forget()
    bench.wait(239)
    assert [each for each in bench.seen(StreamChanged) if each.stream == "entries"] == []
    bench.wait(2)
    assert [each.ready for each in bench.seen(StreamChanged) if each.stream == "entries"] == [False]
    assert [each for each in bench.seen(StreamChanged) if each.stream == "protection"] == []
    bench.routes["/auth"] = good
    bench.wait(31)
    assert [each.ready for each in bench.seen(StreamChanged) if each.stream == "entries"] == [False, True]


@settings(max_examples=15, deadline=None)
@given(
    outages=st.lists(
        st.tuples(st.integers(1, 400), st.integers(1, 400), st.sampled_from(["silent", "503", "401"])), max_size=3
    )
)
def test_no_request_ever_carries_a_token_past_its_end_and_one_renewal_runs_at_a_time(
    outages: list[tuple[int, int, str]],
) -> None:
    bench = Bench(rules_poll_s=20.0, state_poll_s=60.0, clock_poll_s=120.0).started()
    good = bench.routes["/auth"]
    for up_s, down_s, kind in outages:
        bench.wait(up_s)
        bench.routes["/auth"] = {"silent": None, "503": (503, b""), "401": (401, b"{}")}[kind]
        before = len(bench.requests)
        bench.wait(down_s)
        fetches = [each for each in bench.requests[before:] if "/auth/" in each.url]
        assert all(bearer_of(each) == "" for each in fetches)
        bench.routes["/auth"] = good
    bench.wait(60)
    assert bench.late == []
    assert bench.tokens >= 1


def test_a_read_refused_with_401_is_asked_again_once_with_a_fresh_token() -> None:
    bench = Bench().started()
    seen: list[str] = []

    def account(request: HttpRequest) -> tuple[int, Any]:
        seen.append(bearer_of(request))
        return (401, {"message": "token is expired by 9s"}) if len(seen) == 1 else (200, {"results": []})

    bench.routes["/account/info"] = account
    bench.wait(600)
    assert len(seen) == 2
    assert seen[0] != seen[1]


def test_a_wrong_chain_is_refused_and_nothing_more_is_asked() -> None:
    bench = Bench()
    bench.routes["/system/config"] = (200, {"starknet_chain_id": "PRIVATE_SN_PARACLEAR_MAINNET"})
    bench.started()
    bench.wait(120)
    assert len(bench.requests) == 1
    assert bench.open == {}
    assert "PRIVATE_SN_PARACLEAR_MAINNET" in bench.client.refused


def test_a_market_that_is_not_listed_is_refused_by_name() -> None:
    bench = Bench(markets=(("ETHUSDT", "ETH-USD-PERP"), ("DOGEUSDT", "DOGE-USD-PERP")))
    bench.started()
    assert "DOGE-USD-PERP" in bench.client.refused
    assert "ETH-USD-PERP" in bench.client.refused


def test_the_start_is_tried_again_until_the_exchange_answers() -> None:
    bench = Bench()
    good = dict(bench.routes)
    for path in bench.routes:
        bench.routes[path] = HttpFailed(0, sent=False, reason="connection refused")
    bench.started()
    bench.wait(200)
    assert bench.open == {}
    assert bench.seen(Trouble)
    bench.routes.update(good)
    bench.wait(45)
    assert {each.stream for each in bench.seen(StreamChanged)} == {"market", "account", "entries", "protection"}


@pytest.mark.parametrize(
    "bad", ["", " ", "a b", "x\r\nX-Evil: 1", "\u0000", "tök.en.x", token(START, 5), token(START, -900)]
)
def test_a_token_that_cannot_stand_in_a_header_or_has_ended_is_never_used(bad: str) -> None:
    bench = Bench()
    bench.routes["/auth"] = (200, {"jwt_token": bad})
    bench.started()
    bench.wait(30)
    assert [each for each in bench.requests if "Authorization" in dict(each.headers)] == []
    assert StreamChanged("market", True) in bench.events


def test_a_login_that_waited_for_a_token_too_long_does_not_speak_on_the_next_socket() -> None:
    bench = Bench(dead_feed_s=1e6).started()
    good = bench.routes["/auth"]
    bench.routes["/auth"] = None
    bench.wait(290)
    bench.cut("entries")
    bench.wait(60)
    bench.routes["/auth"] = good
    bench.forget()
    bench.wait(60)
    assert (
        len([conn for conn, message in bench.frames if message["method"] == "auth" and conn == bench.conn("entries")]) == 1
    )
    assert StreamChanged("entries", True) in bench.events
