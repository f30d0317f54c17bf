"""A simulated Paradex in a thread of its own: for tests and scripts that are not written for our event loop.

The exchange lives on one event loop in that thread, on a free loopback port; every method here hands its question over and
waits for the answer, so callers may be in any thread and use any client library.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from random import Random
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from flashscalper.exchanges.paradex.signing.keys import eth_address_of, new_private_key, public_key_of
from flashscalper.model.errors import ConfigError, TransportError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.hosting.box import CHAIN_ID, box_settings, open_box, open_front
from flashscalper.runtime.hosting.server import ServerShell
from flashscalper.runtime.live import run_loop
from flashscalper.simulator.control import to_fault
from flashscalper.simulator.facts import LedgerState, SimFill, SimOrder, SimPosition
from flashscalper.simulator.fault_rules import FaultState
from flashscalper.simulator.feeds.synthetic import SyntheticFeed
from flashscalper.simulator.markets import choose_markets
from flashscalper.simulator.rules import ExchangeRules

STARTS_WITHIN_S: Final = 30.0
ANSWERS_WITHIN_S: Final = 10.0
T = TypeVar("T")


class Trader(msgspec.Struct, frozen=True):
    """A funded account. `private_key` signs (0x hex), `ethereum_account` is what its onboarding names; play money only."""

    account: str
    public_key: str
    private_key: str
    ethereum_account: str

    def __repr__(self) -> str:
        return f"Trader({self.account!r}, {self.public_key!r}, ***, {self.ethereum_account!r})"


class HostedParadex:
    """One simulated exchange for as long as its `with` block lasts. Raises ConfigError for what it does not know.

    `markets` are symbols (`ETHUSDT`) of the synthetic market. `rules` and `settings` turn the switches of the exchange
    (`simulator.rules.ExchangeRules`, `simulator.paradex_server.settings.ServerSettings`).
    """

    def __init__(
        self,
        *,
        markets: Sequence[str] = ("ETHUSDT", "BTCUSDT"),
        seed: int = 1,
        balance: Decimal | int = 10_000,
        rules: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._seed = seed
        self._balance = Decimal(balance)
        self._clock = WallClock()
        plain = box_settings(seed=seed, base_url="http://127.0.0.1", balance=self._balance)
        now = self._clock.now()
        feed = SyntheticFeed(choose_markets(tuple(markets)), Random(f"market/{seed}"), now)  # noqa: S311 - no secret
        self._box = open_box(
            feed, _with(plain, settings or {}), seed=seed, started_at=now, rules=_with(ExchangeRules(), rules or {})
        )
        self._front = open_front(self._box, feed, seed=seed)
        self._shell = ServerShell(self._front.server, self._clock, self._front.pump)
        self._thread = threading.Thread(target=self._run, name="simulated Paradex", daemon=True)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._failure: BaseException | None = None
        self._traders: list[Trader] = []

    # --- its life ---------------------------------------------------------------------------------------------------------

    def __enter__(self) -> HostedParadex:
        self._thread.start()
        if not self._ready.wait(STARTS_WITHIN_S) or self._failure is not None:
            raise TransportError(f"the simulated exchange did not start: {self._failure}") from self._failure
        self.new_trader()
        return self

    def __exit__(self, *reason: object) -> None:
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and self._thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
        self._thread.join(ANSWERS_WITHIN_S)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            run_loop(self._serve())
        except BaseException as error:  # noqa: BLE001 - told to whoever closes it
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with self._shell as shell:
            self._box.server.announce(shell.http_url)
            self._ready.set()
            stopped = asyncio.ensure_future(self._stop.wait())
            ended = asyncio.ensure_future(shell.wait())
            await asyncio.wait({stopped, ended}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            ended.cancel()

    def _ask(self, question: Callable[[int], T]) -> T:
        """The answer to a question put to the exchange in its own thread, at its own time."""

        async def answer() -> T:
            result = question(self._clock.now())
            self._shell.wake()
            return result

        if self._loop is None or not self._thread.is_alive():
            raise TransportError("the simulated exchange is not running")
        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(ANSWERS_WITHIN_S)

    # --- where it is ------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Base URL without `/v1`, as ccxt and the official SDK's system config want it."""
        return self._shell.http_url

    @property
    def rest_url(self) -> str:
        """REST, with `/v1`."""
        return f"{self._shell.http_url}/v1"

    @property
    def ws_url(self) -> str:
        """The WebSocket, with `/v1`."""
        return self._shell.ws_url

    @property
    def chain_id(self) -> str:
        """The StarkNet chain that it speaks for: testnet's, never prod's."""
        return CHAIN_ID

    # --- accounts ---------------------------------------------------------------------------------------------------------

    @property
    def trader(self) -> Trader:
        """The account that is there from the start, onboarded and funded."""
        return self._traders[0]

    def new_trader(self, balance: Decimal | int | None = None) -> Trader:
        """Another account with a key of its own, onboarded and funded."""
        digest = hashlib.sha256(f"trader/{self._seed}/{len(self._traders)}".encode()).digest()
        key, ethereum = new_private_key(digest), eth_address_of(Secret(f"0x{digest.hex()}"))
        amount = self._balance if balance is None else Decimal(balance)
        public_key = public_key_of(key)
        account = self._ask(lambda now: self._box.server.enroll(public_key, ethereum, amount, now))
        trader = Trader(account, public_key, key.reveal(), ethereum)
        self._traders.append(trader)
        return trader

    def ledger(self, account: str = "") -> LedgerState:
        """The money of an account (by default the first), exact: what every fill, fee and funding payment left."""
        return self._ask(lambda _: self._box.exchange.ledger(self._known(account)))

    def orders(self, account: str = "") -> list[SimOrder]:
        """Every order that the exchange took from an account, newest first."""
        return self._ask(lambda _: self._box.exchange.orders_history(self._known(account)))

    def fills(self, account: str = "") -> list[SimFill]:
        """Every fill of an account, newest first."""
        return self._ask(lambda _: self._box.exchange.fills(self._known(account)))

    def positions(self, account: str = "") -> list[SimPosition]:
        """Every position that an account ever had, closed ones with size zero."""
        return self._ask(lambda _: self._box.exchange.positions(self._known(account)))

    def _known(self, account: str) -> str:
        account = account or self.trader.account
        if not self._box.exchange.has_account(account):
            raise ConfigError("account", account, ", ".join(self._box.exchange.accounts()))
        return account

    # --- faults -----------------------------------------------------------------------------------------------------------

    def fault(self, kind: str, at: str = "", **fields: Any) -> int:
        """Ask for a fault (fields: `simulator.fault_rules.Fault`); its number. Raises ConfigError naming the field."""
        fault = to_fault({"kind": kind, "at": at} | fields)
        return self._ask(lambda now: self._front.faults.give(fault, now))

    def faults(self) -> list[FaultState]:
        """The faults asked for, with how many messages each met and hit."""
        return self._ask(lambda _: self._front.faults.given())

    def clear_faults(self) -> None:
        """No more faults."""
        self._ask(lambda _: self._front.faults.take_all_back())


S = TypeVar("S", bound=msgspec.Struct)


def _with(values: S, changes: Mapping[str, Any]) -> S:
    """The switches with some of them turned. Raises ConfigError naming one that does not exist."""
    for name in changes:
        if name not in values.__struct_fields__:
            raise ConfigError("switch", name, ", ".join(values.__struct_fields__))
    return replace(values, **changes)
