"""Order requests at their edges: why one did not leave, in which words, and what a refusal does to the next."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from flashscalper.exchanges.base import Frame
from flashscalper.exchanges.paradex.settings import OrderEntry
from flashscalper.exchanges.paradex.signing import KeyedHashSigner
from flashscalper.model.commands import ArmOrder, CancelOrder, ModifyOrder, PlaceOrder, ReleaseOrder
from flashscalper.model.events import RequestOutcome, Trouble, Verdict
from flashscalper.model.orders import OrderRole, OrderType, Side
from tests.exchanges.paradex.bench import ETH_RULES, START, Bench, order_json, signer

ORDER_ID = "1767225600123201704028870000"
ENTRY = PlaceOrder(
    client_id="fs-a-1", symbol="ETHUSDT", side=Side.BUY, type=OrderType.LIMIT, size=Decimal("0.5"), price=Decimal(2400),
    role=OrderRole.ENTRY, reason="test",
)  # fmt: skip
STOP = PlaceOrder(
    client_id="fs-a-2", symbol="ETHUSDT", side=Side.SELL, type=OrderType.STOP_MARKET, size=Decimal("0.5"),
    trigger_price=Decimal(2300), reduce_only=True, role=OrderRole.STOP, reason="test",
)  # fmt: skip
MODIFY = ModifyOrder(
    client_id="fs-a-1", order_id=ORDER_ID, symbol="ETHUSDT", side=Side.BUY, type=OrderType.LIMIT, size=Decimal(1),
    price=Decimal(2399), role=OrderRole.STOP, reason="test",
)  # fmt: skip
CANCEL = CancelOrder(client_id="fs-a-1", symbol="ETHUSDT", order_id=ORDER_ID, role=OrderRole.ENTRY, reason="test")
EXIT = msgspec.structs.replace(STOP, type=OrderType.MARKET, trigger_price=None, role=OrderRole.EXIT)


def changed(command: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(command, **changes)


def submit(bench: Bench, command: Any) -> list[RequestOutcome]:
    bench.forget()
    bench.client.submit(command, bench.now)
    bench.settle()
    return bench.seen(RequestOutcome)


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (changed(ENTRY, symbol="DOGEUSDT"), "UNKNOWN_SYMBOL", "symbol: saw 'DOGEUSDT'; accepted: ETHUSDT"),
        (changed(ENTRY, client_id=""), "INVALID_ORDER", "client_id: saw ''; accepted: 1 to 64 characters"),
        (changed(ENTRY, size=Decimal("0.0005")), "INVALID_ORDER", "size: saw 0.0005; accepted: a multiple of 0.001 above 0"),
        (changed(ENTRY, size=Decimal("1E+40")), "INVALID_ORDER", "size: saw 1E+40; accepted: a multiple of 0.001 above 0"),
        (changed(ENTRY, price=Decimal("0.005")), "INVALID_ORDER", "price: saw 0.005; accepted: a multiple of 0.01 above 0"),
        (changed(ENTRY, price=None), "INVALID_ORDER", "price: saw None; accepted: a price, because limit has a limit"),
        (
            changed(STOP, trigger_price=Decimal("0.005")),
            "INVALID_ORDER",
            "trigger_price: saw 0.005; accepted: a multiple of 0.01 above 0",
        ),
        (changed(MODIFY, order_id=""), "INVALID_ORDER", "order_id: saw nothing; accepted: the exchange's id"),
    ],
)
def test_what_must_not_leave_is_told_with_its_field_and_what_is_accepted(command: Any, code: str, message: str) -> None:
    bench = Bench().started()
    (outcome,) = submit(bench, command)
    assert (outcome.verdict, outcome.code, outcome.message) == (Verdict.UNSENT, code, message)
    assert bench.frames == []
    assert bench.requests == []


def test_before_the_markets_were_read_no_symbol_is_known() -> None:
    bench = Bench()
    bench.routes["/markets"] = None
    bench.started()
    (outcome,) = submit(bench, ENTRY)
    assert outcome.message == "symbol: saw 'ETHUSDT'; accepted: none yet (the markets were not read)"


@pytest.mark.parametrize("client_id", ["x", "x" * 64])
def test_a_client_id_may_have_one_character_and_sixty_four(client_id: str) -> None:
    bench = Bench().started()
    (outcome,) = submit(bench, changed(ENTRY, client_id=client_id))
    assert (outcome.verdict, outcome.client_id) == (Verdict.ACCEPTED, client_id)


def test_figures_that_fit_the_market_but_no_signature_are_refused_before_anything_leaves() -> None:
    bench = Bench()
    bench.routes["/markets"] = (200, {"results": [ETH_RULES | {"order_size_increment": "0.000000001"}]})
    bench.started()
    (outcome,) = submit(bench, changed(ENTRY, size=Decimal("0.000000001")))
    assert (outcome.verdict, outcome.code) == (Verdict.UNSENT, "INVALID_ORDER")
    assert "at most 8 decimals" in outcome.message
    assert bench.frames == []


# ---- what is said and signed ----


def test_each_request_has_its_method_and_its_answers_socket() -> None:
    bench = Bench().started()
    for command, method in ((ENTRY, "order.create"), (MODIFY, "order.modify"), (CANCEL, "order.cancel")):
        (outcome,) = submit(bench, command)
        assert outcome.verdict is Verdict.ACCEPTED
        assert [message["method"] for _, message in bench.frames] == [method]


@pytest.mark.parametrize(("command", "price"), [(ENTRY, Decimal(2400)), (EXIT, None), (STOP, None)])
def test_the_signature_is_of_what_the_body_says(command: PlaceOrder, price: Decimal | None) -> None:
    bench = Bench().started()
    submit(bench, command)
    ((_, message),) = bench.frames
    assert message["params"]["signature"] == signer().sign_order(
        market="ETH-USD-PERP", side=command.side, order_type=command.type, size=command.size, price=price,
        timestamp_ms=START // 1_000,
    )  # fmt: skip


def test_the_signature_of_a_change_names_the_order() -> None:
    bench = Bench().started()
    submit(bench, MODIFY)
    ((_, message),) = bench.frames
    assert message["params"]["signature"] == signer().sign_order(
        market="ETH-USD-PERP", side=MODIFY.side, order_type=MODIFY.type, size=MODIFY.size, price=MODIFY.price,
        timestamp_ms=START // 1_000, order_id=ORDER_ID,
    )  # fmt: skip


# ---- signed ahead ----


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> list[Decimal]:
    """The size of each order that is signed."""
    sizes: list[Decimal] = []
    sign = KeyedHashSigner.sign_order

    def counted(self: KeyedHashSigner, **fields: Any) -> str:
        sizes.append(fields["size"])
        return sign(self, **fields)

    monkeypatch.setattr(KeyedHashSigner, "sign_order", counted)
    return sizes


@pytest.mark.parametrize(("later_us", "signatures"), [(2_500_000, 1), (2_500_001, 2)])
def test_what_was_signed_ahead_is_good_for_half_the_receive_window_to_the_microsecond(
    signed: list[Decimal], later_us: int, signatures: int
) -> None:
    bench = Bench().started()
    bench.client.submit(ArmOrder(order=EXIT), bench.now)
    bench.client.submit(ReleaseOrder(order=EXIT), bench.now + later_us)
    assert len(signed) == signatures


def test_an_order_armed_anew_with_figures_that_cannot_be_signed_is_armed_no_more(signed: list[Decimal]) -> None:
    bench = Bench().started()
    bench.client.submit(ArmOrder(order=EXIT), bench.now)
    bench.client.submit(ArmOrder(order=changed(EXIT, size=Decimal("NaN"))), bench.now)
    bench.settle()
    bench.take(Frame("nowhere", b""))
    assert [trouble.where for trouble in bench.seen(Trouble)] == ["arm"]
    signed.clear()
    (outcome,) = submit(bench, ReleaseOrder(order=EXIT))
    assert outcome.verdict is Verdict.ACCEPTED
    assert signed == [EXIT.size]


# ---- by REST ----


def test_without_the_fallback_protection_says_why_it_did_not_leave() -> None:
    bench = Bench(rest_fallback=False).started()
    bench.refuse_sockets = True
    bench.cut("protection")
    (outcome,) = submit(bench, STOP)
    assert (outcome.verdict, outcome.code) == (Verdict.UNSENT, "NOT_CONNECTED")
    assert bench.requests == []


def test_without_a_token_an_order_by_rest_is_told_unsent_and_one_is_fetched_at_once() -> None:
    bench = Bench(order_entry=OrderEntry.REST).started()
    bench.routes["/auth"] = (500, b"")
    bench.wait(400)
    (outcome,) = submit(bench, STOP)
    assert (outcome.verdict, outcome.code) == (Verdict.UNSENT, "NO_TOKEN")
    assert [request.url.rpartition("/v1")[2].partition("/0x")[0] for request in bench.requests] == ["/auth"]


def test_a_refused_login_that_cannot_be_mended_leaves_the_refusal() -> None:
    bench = Bench(order_entry=OrderEntry.REST).started()
    bench.routes["/orders"] = (401, b"")
    bench.routes["/auth"] = (500, b"")
    submit(bench, STOP)
    bench.wait(5.0)
    (outcome,) = bench.seen(RequestOutcome)
    assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, "UNAUTHORIZED")
    assert len(bench.asked("POST", "/orders")) == 1


# ---- answers on the socket ----


def test_a_refused_login_on_a_socket_closes_it_and_no_other() -> None:
    bench = Bench().started()
    bench.rpc_errors["order.create"] = {"code": 40111, "message": "invalid bearer token"}
    entries, protection = bench.conn("entries"), bench.conn("protection")
    (outcome,) = submit(bench, ENTRY)
    assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, "40111")
    assert entries in bench.closed
    assert protection not in bench.closed


def test_too_many_requests_on_the_socket_stop_ours_for_a_second() -> None:
    bench = Bench().started()
    bench.rpc_errors["order.create"] = {"code": 42901, "message": "slow down"}
    (outcome,) = submit(bench, ENTRY)
    assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, "RATE_LIMITED")
    bench.rpc_errors.clear()
    bench.wait(0.999)
    (outcome,) = submit(bench, changed(STOP, client_id="fs-a-3"))
    assert (outcome.verdict, outcome.code) == (Verdict.UNSENT, "RATE_BUDGET")
    bench.wait(0.001)
    (outcome,) = submit(bench, changed(STOP, client_id="fs-a-4"))
    assert outcome.verdict is Verdict.ACCEPTED


def test_a_refused_change_keeps_the_order_s_id() -> None:
    bench = Bench().started()
    bench.rpc_errors["order.modify"] = {"code": -32000, "message": "", "data": "ORDER_IS_CLOSED"}
    (outcome,) = submit(bench, MODIFY)
    assert (outcome.verdict, outcome.order_id) == (Verdict.REJECTED, ORDER_ID)
    bench.rpc_errors["order.create"] = {"code": -32000, "message": "", "data": "INVALID_ORDER_SIZE"}
    (outcome,) = submit(bench, ENTRY)
    assert (outcome.verdict, outcome.order_id) == (Verdict.REJECTED, "")


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"market": "DOGE-USD-PERP"}, "order.market"), ({"client_id": "x"}, "order.client_id"), ({"size": "x"}, "order.size")],
)
def test_an_answer_that_is_not_about_this_order_proves_nothing_and_says_which_field(
    changes: dict[str, Any], field: str
) -> None:
    bench = Bench().started()
    bench.answer_rpc = False
    submit(bench, ENTRY)
    conn, message = bench.frames[0]
    answer = {"jsonrpc": "2.0", "id": message["id"], "result": {"order": order_json(**changes)}}
    bench.take(Frame(conn, json.dumps(answer).encode()))
    (outcome,) = bench.seen(RequestOutcome)
    assert (outcome.verdict, outcome.code) == (Verdict.UNKNOWN, "BAD_ANSWER")
    assert outcome.message.startswith(field)


# ---- the reserve ----


def test_when_our_own_budget_runs_low_entries_wait_and_cancels_and_protection_still_leave() -> None:
    bench = Bench().started()
    bench.answer_rpc = False

    def leaves(command: Any) -> bool:
        bench.forget()
        bench.client.submit(command, bench.now)
        return len(list(bench.client.outgoing())) == 1

    sent = 0
    while leaves(changed(ENTRY, client_id=f"e{sent}")):
        sent += 1
    assert sent == 560
    assert [leaves(command) for command in (CANCEL, STOP, EXIT, MODIFY)] == [True] * 4
    assert not leaves(changed(MODIFY, role=OrderRole.ENTRY))
