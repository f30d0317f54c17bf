"""The back door of a simulated exchange: what it does for whoever has the token, and that nobody else gets in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flashscalper.model.secrets import Secret
from flashscalper.simulator.base import HttpAnswer, HttpArrived
from flashscalper.simulator.control import ControlledServer
from tests.simulator.test_faults import Stand


class Door:
    """The back door of a faulty exchange."""

    def __init__(self, token: str = "open sesame") -> None:
        self.stand = Stand()
        self.server = ControlledServer(self.stand.server, self.stand.bench.exchange, Secret(token))
        self._ids = 0

    def ask(self, method: str, path: str, body: Any = None, token: str = "open sesame") -> tuple[int, Any]:
        self._ids += 1
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.server.receive(HttpArrived(self._ids, method, path, "", headers, data), self.stand.now)
        [answer] = [item for item in self.server.outgoing() if isinstance(item, HttpAnswer)]
        return answer.status, json.loads(answer.body)


def test_the_back_door_gives_lists_and_takes_back_faults() -> None:
    door = Door()
    status, given_ids = door.ask("POST", "/control/faults", [{"kind": "drop", "at": "trades.*"}, {"kind": "bust"}])
    assert (status, given_ids) == (200, {"ids": [1, 2]})
    _, listed = door.ask("GET", "/control/faults")
    assert [(each["id"], each["fault"]["kind"], each["hits"]) for each in listed["results"]] == [
        (1, "drop", 0),
        (2, "bust", 0),
    ]
    assert door.ask("DELETE", "/control/faults/1")[0] == 200
    assert door.ask("DELETE", "/control/faults/1")[0] == 404
    assert door.ask("DELETE", "/control/faults") == (200, {})
    assert door.ask("GET", "/control/faults") == (200, {"results": []})


def test_the_back_door_shows_the_exact_books() -> None:
    door = Door()
    door.stand.place(type="MARKET", price=None, size="0.1")
    account = door.stand.signer.account
    assert door.ask("GET", "/control/accounts") == (200, {"results": [account]})
    status, books = door.ask("GET", f"/control/accounts/{account}")
    assert status == 200
    assert books["ledger"]["cash"] == str(door.stand.bench.exchange.ledger(account).cash)
    assert [len(books[part]) for part in ("orders", "fills", "busts", "positions")] == [1, 1, 0, 1]


@pytest.mark.parametrize("token", ["", "open", "open sesame ", "ö"])
def test_nobody_passes_the_back_door_without_its_token(token: str) -> None:
    door = Door()
    for method, path in (("GET", "/control/faults"), ("POST", "/control/faults"), ("GET", "/control/nothing")):
        assert door.ask(method, path, {"kind": "bust"}, token=token)[0] == 401
    assert door.stand.server.given() == []


def test_without_a_token_there_is_no_back_door() -> None:
    assert Door(token="").ask("GET", "/control/faults", token="")[0] == 401


def test_the_back_door_refuses_what_it_does_not_know_and_faults_do_not_touch_it() -> None:
    door = Door()
    door.ask("POST", "/control/faults", {"kind": "drop", "at": "*", "stage": "request", "count": 0})
    assert door.ask("GET", "/control/faults")[0] == 200
    assert door.ask("GET", "/control/elsewhere")[0] == 404
    status, refused = door.ask("POST", "/control/faults", {"kind": "drop"})
    assert (status, refused["error"]) == (400, "CONFIG_ERROR")
    assert refused["message"].startswith("at: saw ''")
