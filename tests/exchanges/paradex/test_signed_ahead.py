"""An order that is signed ahead: its bytes are there when it is released, and never older than half the receive window."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from flashscalper.exchanges.paradex.settings import OrderEntry
from flashscalper.exchanges.paradex.signing import KeyedHashSigner
from flashscalper.model.commands import ArmOrder, DisarmOrder, PlaceOrder, ReleaseOrder
from flashscalper.model.events import RequestOutcome, Trouble, Verdict
from flashscalper.model.orders import OrderRole, OrderType, Side
from tests.exchanges.paradex.bench import START, Bench, order_json

EXIT = PlaceOrder(
    client_id="fs-a-9", symbol="ETHUSDT", side=Side.SELL, type=OrderType.MARKET, size=Decimal("0.5"), reduce_only=True,
    role=OrderRole.EXIT, reason="armed",
)  # fmt: skip
LEAVING = msgspec.structs.replace(EXIT, reason="target")


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every signature of an order: for which size, at which millisecond."""
    made: list[str] = []
    sign = KeyedHashSigner.sign_order

    def counted(self: KeyedHashSigner, **fields: Any) -> str:
        made.append(f"{fields['size']} at {fields['timestamp_ms'] - START // 1000}")
        return sign(self, **fields)

    monkeypatch.setattr(KeyedHashSigner, "sign_order", counted)
    return made


def armed(**changes: Any) -> Bench:
    """A client that has the exit signed ahead."""
    bench = Bench(**changes).started()
    bench.client.submit(ArmOrder(order=EXIT), bench.now)
    bench.settle()
    bench.forget()
    return bench


def test_arming_sends_nothing_and_releasing_signs_nothing(signatures: list[str]) -> None:
    bench = armed()
    assert bench.frames == []
    assert bench.requests == []
    bench.wait(1.0)
    assert signatures == ["0.5 at 0"]
    bench.forget()
    bench.client.submit(ReleaseOrder(order=LEAVING), bench.now)
    bench.settle()
    assert signatures == ["0.5 at 0"]
    ((conn, message),) = bench.frames
    assert conn == bench.conn("protection")
    assert (message["params"]["client_id"], message["params"]["signature_timestamp"]) == ("fs-a-9", START // 1000)
    assert (message["params"]["type"], message["params"]["flags"]) == ("MARKET", ["REDUCE_ONLY"])
    assert [outcome.verdict for outcome in bench.seen(RequestOutcome)] == [Verdict.ACCEPTED]


def test_it_is_signed_anew_every_half_receive_window_until_it_leaves(signatures: list[str]) -> None:
    bench = armed()
    bench.wait(7.6)
    assert signatures == ["0.5 at 0", "0.5 at 2500", "0.5 at 5000", "0.5 at 7500"]
    bench.forget()
    bench.client.submit(ReleaseOrder(order=LEAVING), bench.now)
    bench.settle()
    assert bench.sent("order.create")[0]["params"]["signature_timestamp"] == START // 1000 + 7500
    bench.wait(10)
    assert len(signatures) == 4
    assert len(bench.sent("order.create")) == 1


def test_the_bytes_are_those_of_an_order_signed_at_that_moment() -> None:
    bench, plain = armed(), Bench().started()
    bench.client.submit(ReleaseOrder(order=LEAVING), bench.now)
    plain.client.submit(LEAVING, plain.now)
    (early,), (late,) = bench.client.outgoing(), plain.client.outgoing()
    first, second = json.loads(early.data), json.loads(late.data)  # type: ignore[union-attr]
    assert first["params"] == second["params"]


def test_what_was_thrown_away_is_signed_no_more(signatures: list[str]) -> None:
    bench = armed()
    bench.client.submit(DisarmOrder(client_id="fs-a-9", symbol="ETHUSDT"), bench.now)
    bench.wait(20)
    assert len(signatures) == 1
    bench.client.submit(DisarmOrder(client_id="fs-a-9", symbol="ETHUSDT"), bench.now)
    assert bench.sent("order.create") == []


def test_another_size_takes_its_place(signatures: list[str]) -> None:
    bench = armed()
    larger = msgspec.structs.replace(EXIT, size=Decimal("0.75"))
    bench.client.submit(ArmOrder(order=larger), bench.now)
    bench.wait(3)
    assert signatures == ["0.5 at 0", "0.75 at 0", "0.75 at 2500"]
    bench.client.submit(ReleaseOrder(order=larger), bench.now)
    bench.settle()
    assert [sent["params"]["size"] for sent in bench.sent("order.create")] == ["0.75"]


def test_a_release_that_says_something_else_is_signed_for_what_it_says(signatures: list[str]) -> None:
    bench = armed()
    other = msgspec.structs.replace(LEAVING, size=Decimal("0.25"))
    bench.client.submit(ReleaseOrder(order=other), bench.now)
    bench.settle()
    assert signatures == ["0.5 at 0", "0.25 at 0"]
    assert [sent["params"]["size"] for sent in bench.sent("order.create")] == ["0.25"]


def test_by_rest_it_leaves_as_it_was_signed_and_after_a_refused_login_signed_anew(signatures: list[str]) -> None:
    bench = armed(order_entry=OrderEntry.REST)
    seen: list[dict[str, Any]] = []

    def answer(request: Any) -> tuple[int, Any]:
        seen.append(json.loads(request.body))
        return (401, b"") if len(seen) == 1 else (201, {**order_json(), **seen[-1]})

    bench.routes["/orders"] = answer
    bench.now += 1_000_000
    bench.client.submit(ReleaseOrder(order=LEAVING), bench.now)
    bench.settle()
    assert [body["client_id"] for body in seen] == ["fs-a-9", "fs-a-9"]
    assert [body["signature_timestamp"] - START // 1000 for body in seen] == [0, 1000]
    assert signatures == ["0.5 at 0", "0.5 at 1000"]
    assert [outcome.verdict for outcome in bench.seen(RequestOutcome)] == [Verdict.ACCEPTED]


def test_figures_that_cannot_be_signed_are_said_and_refused_when_they_are_to_leave() -> None:
    bench = armed()
    wrong = msgspec.structs.replace(EXIT, client_id="fs-a-10", size=Decimal("NaN"))
    bench.client.submit(ArmOrder(order=wrong), bench.now)
    bench.settle()
    bench.wait(0.1)
    assert [trouble.where for trouble in bench.seen(Trouble)] == ["arm"]
    bench.client.submit(ReleaseOrder(order=wrong), bench.now)
    bench.settle()
    assert [outcome.verdict for outcome in bench.seen(RequestOutcome)] == [Verdict.UNSENT]


def test_a_client_that_stopped_releases_nothing() -> None:
    bench = armed()
    bench.client.stop(bench.now)
    bench.client.submit(ReleaseOrder(order=LEAVING), bench.now)
    bench.client.submit(ArmOrder(order=EXIT), bench.now)
    bench.settle()
    assert bench.sent("order.create") == []
    assert [outcome.code for outcome in bench.seen(RequestOutcome)] == ["STOPPED"]
