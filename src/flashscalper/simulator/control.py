"""The back door of a simulated exchange: `/control/...` on its own port, for whoever holds the token of the ready line.

| request | what it does |
|---|---|
| `POST /control/faults` | put one fault (an object) or several (a list) in force; answers their numbers |
| `GET /control/faults` | every fault with how many messages it met and hit |
| `DELETE /control/faults`, `DELETE /control/faults/N` | take all, or one, away |
| `GET /control/accounts` | addresses of all accounts |
| `GET /control/accounts/ADDRESS` | its ledger, orders, fills, busts and positions, exact |

Without the token every answer is 401. Faults never touch this door.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from flashscalper.model.errors import ConfigError, ExchangeError
from flashscalper.model.secrets import Secret
from flashscalper.simulator.base import HttpAnswer, HttpArrived, ServerIncoming, ServerOutgoing
from flashscalper.simulator.fault_rules import Fault
from flashscalper.simulator.faults import FaultyServer
from flashscalper.simulator.reads import Reads

PREFIX: Final = "/control"
_BEARER: Final = "Bearer "
_JSON: Final = (("Content-Type", "application/json; charset=utf-8"),)


class ControlledServer:
    """An `ExchangeServer` around one with faults, with the back door. Empty `token`: there is no door."""

    def __init__(self, server: FaultyServer, exchange: Reads, token: Secret) -> None:
        self._server = server
        self._exchange = exchange
        self._token = token
        self._out: list[ServerOutgoing] = []

    def receive(self, message: ServerIncoming, now: int) -> None:
        """Take one thing from a client, or the deadline."""
        if isinstance(message, HttpArrived) and message.path.startswith(PREFIX + "/"):
            self._out.append(self._answer(message, now))
        else:
            self._server.receive(message, now)

    def feed(self, event: object, now: int) -> None:
        """Take one event of the market feed."""
        self._server.feed(event, now)

    def outgoing(self) -> Sequence[ServerOutgoing]:
        """Everything to be sent now, in order; drained by the call."""
        answers, self._out = self._out, []
        return [*answers, *self._server.outgoing()]

    def next_deadline(self) -> int | None:
        """When the server wants `ServerTimerDue` next."""
        return self._server.next_deadline()

    def _answer(self, message: HttpArrived, now: int) -> HttpAnswer:
        try:
            self._check(message)
            status, value = 200, self._route(message, now)
        except ExchangeError as refused:
            status, value = refused.status, {"error": refused.code, "message": refused.message}
        except ConfigError as refused:
            status, value = 400, {"error": "CONFIG_ERROR", "message": str(refused)}
        return HttpAnswer(message.id, status, _JSON, msgspec.json.encode(value))

    def _check(self, message: HttpArrived) -> None:
        given = message.headers.get("authorization", "")
        known = (_BEARER + self._token.reveal()).encode()
        if not self._token or not hmac.compare_digest(given.encode(), known):
            raise ExchangeError("UNAUTHORIZED", "the token of the ready line is needed: Authorization: Bearer", status=401)

    def _route(self, message: HttpArrived, now: int) -> Any:
        name, _, rest = message.path.removeprefix(PREFIX + "/").partition("/")
        match message.method, name, rest:
            case "GET", "faults", "":
                return {"results": self._server.given()}
            case "POST", "faults", "":
                return {"ids": [self._server.give(fault, now) for fault in read_faults(message.body)]}
            case "DELETE", "faults", "":
                self._server.take_all_back()
                return {}
            case "DELETE", "faults", number if number.isdecimal() and self._server.take_back(int(number)):
                return {}
            case "GET", "accounts", "":
                return {"results": self._exchange.accounts()}
            case "GET", "accounts", account if self._exchange.has_account(account):
                return self._books(account)
        raise ExchangeError(
            "NOT_FOUND", f"{message.method} {message.path}: see {PREFIX}/faults, {PREFIX}/accounts", status=404
        )

    def _books(self, account: str) -> dict[str, Any]:
        """Everything that an account's owner would compare with, amounts as exact decimal texts."""
        exchange = self._exchange
        return {
            "ledger": exchange.ledger(account),
            "orders": exchange.orders_history(account),
            "fills": exchange.fills(account),
            "busts": exchange.busted(account),
            "positions": exchange.positions(account),
        }


def read_faults(data: bytes) -> list[Fault]:
    """One fault or a list of them as JSON. Raises ConfigError naming the field."""
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ConfigError("fault", data[:80].decode("utf-8", "replace"), "a JSON object, or a list of them") from None
    return [to_fault(each) for each in (value if isinstance(value, list) else [value])]


def to_fault(value: object) -> Fault:
    """A fault from the values of its fields. Raises ConfigError naming the field."""
    try:
        return msgspec.convert(value, Fault)
    except msgspec.ValidationError as refused:
        names = ", ".join(Fault.__struct_fields__)
        raise ConfigError("fault", value, f"an object with `kind` and some of {names} ({refused})") from None
