"""What is read at start and looked at again while running: chain, clock, market rules, fees, leverage, exchange status.

Order of the start: configuration (the chain must be the environment's), clock, markets; then the public socket opens while
the session logs in; then fees and margin; then the private sockets. Whatever fails is tried again for ever with backoff.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flashscalper.exchanges.paradex import requests, responses, wire
from flashscalper.exchanges.paradex.clock import SAMPLES
from flashscalper.model.errors import ConfigError, FlashScalperError, ProtocolError, TransportError
from flashscalper.model.events import (
    ExchangeStatus,
    ExchangeStatusChanged,
    FeeClass,
    FeesLearned,
    LeverageRead,
    MarketsListed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from flashscalper.exchanges.paradex.clock import ExchangeClock
    from flashscalper.exchanges.paradex.desk import Answer, Desk, Flow
    from flashscalper.exchanges.paradex.rest import Rest
    from flashscalper.model.commands import SetLeverage
    from flashscalper.model.markets import Market

_FEES_AGAIN_S: Final = 30.0
_STATE_MISSES: Final = 2
"""After so many failed reads of the exchange's status in a row it counts as closed."""
_CLOSED_POLL_S: Final = 1.0
"""While orders are refused we look this often: what waits to protect a position acts as soon as they are taken again."""


class Rules:
    """Reads and watches the rules of the exchange and of our account on it."""

    def __init__(self, desk: Desk, rest: Rest, clock: ExchangeClock) -> None:
        self._desk = desk
        self._rest = rest
        self._clock = clock
        self._status: ExchangeStatus | None = None
        self._state_misses = 0
        self._looking = self._looks_again = False
        self._listed: tuple[Market, ...] = ()
        self._own_fees: set[str] = set()
        self._told_fees: dict[str, FeesLearned] = {}
        self.refused = ""
        """Why the client will never talk to this exchange (wrong chain, unknown markets); empty when it may."""

    # ---- start ----

    def begin(self, now: int, done: Callable[[int], None]) -> None:
        """Read configuration, clock and markets, then call `done`; tries again until it succeeds or is refused."""
        self._desk.run(self._begin(now, done, 0), now)

    def _begin(self, now: int, done: Callable[[int], None], attempt: int) -> Flow:
        (answer,), now = yield [self._rest.ask(requests.system_config())]
        error = self._config_error(answer)
        if error is None:
            yield from self._clock.measure(now, SAMPLES)
            (answer,), now = yield [self._rest.ask(requests.markets())]
            unmeasured = None if self._clock.measured else TransportError("GET /system/time: the clock is not measured yet")
            error = self._take_markets(answer) or unmeasured
        if isinstance(error, ConfigError):
            self.refused = str(error)
            self._desk.trouble("refused", error)
        elif error is not None:
            self._desk.trouble("start", error)
            again = self._desk.backoff_s(attempt)
            self._desk.later(now, again, lambda at: self._desk.run(self._begin(at, done, attempt + 1), at))
        else:
            done(now)

    def _config_error(self, answer: bytes | FlashScalperError) -> FlashScalperError | None:
        if isinstance(answer, FlashScalperError):
            return answer
        try:
            config = responses.decode("GET /system/config", wire.SystemConfig, answer)
            self._desk.settings.check_chain(config.starknet_chain_id)
        except FlashScalperError as error:
            return error
        if config.paraclear_decimals != 8:
            return ConfigError("paraclear_decimals at PARADEX_REST_URL", config.paraclear_decimals, "8")
        return None

    def _take_markets(self, answer: bytes | FlashScalperError) -> FlashScalperError | None:
        if isinstance(answer, FlashScalperError):
            return answer
        try:
            listed = self._listing(answer)
        except FlashScalperError as error:
            return error
        if listed != self._listed:
            self._listed = listed
            self._desk.rules = {market.symbol: market for market in listed}
            self._desk.events.append(MarketsListed(listed))
        return None

    def _listing(self, body: bytes) -> tuple[Market, ...]:
        found: dict[str, Market] = {}
        names: list[str] = []
        for raw in responses.decode("GET /markets", wire.Page, body).results:
            name = responses.decode("GET /markets", wire.MarketName, raw).symbol
            names.append(name)
            symbol = self._desk.symbol_of.get(name)
            if symbol is not None:
                result = responses.decode(f"GET /markets {name}", wire.MarketResult, raw)
                found[symbol] = responses.market_from(result, symbol)
                if _has_own_fees(result, interactive=self._desk.settings.interactive):
                    self._own_fees.add(symbol)
        missing = [market for symbol, market in self._desk.settings.markets if symbol not in found]
        if missing:
            raise ConfigError("markets", ", ".join(missing), ", ".join(sorted(names)[:50]) or "none are listed")
        return tuple(found[symbol] for symbol, _ in self._desk.settings.markets)

    # ---- account ----

    def read_account(self, now: int) -> None:
        """Read fees and margin settings and report them; what fails is Trouble, and fees are asked for again soon."""
        self._desk.run(self._read_account(), now)

    def _read_account(self) -> Flow:
        (answer,), now = yield [self._rest.ask(requests.account_info())]
        try:
            self._take_fees(answer)
        except FlashScalperError as error:
            self._desk.trouble("fees", error)
            self._desk.later(now, _FEES_AGAIN_S, self.read_account)
        markets = self._desk.settings.markets
        answers, _ = yield [self._rest.ask(requests.margin(market)) for _, market in markets]
        for (symbol, market), each in zip(markets, answers, strict=True):
            self._take_margin(symbol, market, each)

    def _take_fees(self, answer: bytes | FlashScalperError) -> None:
        """A market's own schedule wins, then the account's rates, then the model's documented defaults."""
        if isinstance(answer, FlashScalperError):
            raise answer
        results = responses.decode("GET /account/info", wire.Page, answer).results
        infos = [responses.decode("GET /account/info", wire.AccountInfo, raw) for raw in results]
        fees = next((info.fees for info in infos if info.fees is not None), None)
        retail = self._desk.settings.interactive
        for market in self._listed:
            maker, taker = (
                (market.retail_maker_fee, market.retail_taker_fee) if retail else (market.maker_fee, market.taker_fee)
            )
            if fees is not None and not retail and market.symbol not in self._own_fees:
                maker = responses.optional_amount("fees.maker_rate", fees.maker_rate) or maker
                taker = responses.optional_amount("fees.taker_rate", fees.taker_rate) or taker
            learned = FeesLearned(market.symbol, maker, taker, FeeClass.RETAIL if retail else FeeClass.PRO)
            if self._told_fees.get(market.symbol) != learned:
                self._told_fees[market.symbol] = learned
                self._desk.events.append(learned)

    def _take_margin(self, symbol: str, market: str, answer: bytes | FlashScalperError) -> None:
        try:
            if isinstance(answer, FlashScalperError):
                raise answer
            configs = responses.decode("GET /account/margin", wire.MarginConfigs, answer).configs
            entry = next((config for config in configs if config.market == market), None)
            if entry is None or entry.leverage < 1 or entry.margin_type not in ("CROSS", "ISOLATED"):
                raise ProtocolError("GET /account/margin", f"saw {entry}; accepted: leverage from 1, CROSS or ISOLATED")
        except FlashScalperError as error:
            self._desk.trouble("margin", f"{symbol}: {error}")
            return
        self._desk.events.append(LeverageRead(symbol, entry.leverage, entry.margin_type == "ISOLATED"))

    def set_leverage(self, command: SetLeverage, now: int) -> None:
        """Set leverage and mode of one market, then read it back; the answer is LeverageRead, or Trouble."""
        self._desk.run(self._set_leverage(command), now)

    def _set_leverage(self, command: SetLeverage) -> Flow:
        market = self._desk.market_of.get(command.symbol)
        if market is None or command.leverage < 1:
            accepted = f"a leverage from 1 in {', '.join(self._desk.market_of)}"
            self._desk.trouble("margin", ConfigError("leverage", (command.symbol, command.leverage), accepted))
            return
        (answer,), _ = yield [self._rest.ask(requests.set_margin(market, command.leverage, isolated=command.isolated))]
        if isinstance(answer, FlashScalperError):
            self._desk.trouble("margin", f"{command.symbol}: {answer}")
        (answer,), _ = yield [self._rest.ask(requests.margin(market))]
        self._take_margin(command.symbol, market, answer)

    # ---- polls ----

    def watch(self, now: int, *, private: bool) -> None:
        """Begin to look at the status, the clock and the rules from time to time."""
        self._poll_state(now)
        self._desk.later(now, self._desk.settings.clock_poll_s, self._poll_clock)
        self._desk.later(now, self._desk.settings.rules_poll_s, lambda at: self._poll_rules(at, private=private))

    def look(self, now: int) -> None:
        """Read the exchange's status out of turn: an order was refused for it."""
        if not self._looking:
            self._desk.run(self._read_state(), now)

    def _poll_state(self, now: int) -> None:
        self._desk.run(self._read_state(), now)
        self._desk.later(now, self._desk.settings.state_poll_s, self._poll_state)

    def _look_again(self, now: int) -> None:
        self._looks_again = False
        self.look(now)

    def _read_state(self) -> Flow:
        self._looking = True
        timeout_s = self._desk.settings.state_poll_s
        (answer,), now = yield [self._rest.ask(requests.system_state(), timeout_s)]
        self._looking = False
        self._take_state(answer)
        if self._status not in (None, ExchangeStatus.OK) and not self._looks_again:
            self._looks_again = True
            self._desk.later(now, _CLOSED_POLL_S, self._look_again)

    def _take_state(self, answer: Answer) -> None:
        try:
            if isinstance(answer, FlashScalperError):
                raise answer
            status = responses.status_from(answer)
        except FlashScalperError as error:
            self._desk.trouble("status", error)
            self._state_misses += 1
            if self._state_misses < _STATE_MISSES:
                return
            status = ExchangeStatus.MAINTENANCE
        else:
            self._state_misses = 0
        if status is not self._status:
            self._status = status
            self._desk.events.append(ExchangeStatusChanged(status))

    def _poll_clock(self, now: int) -> None:
        self._desk.run(self._clock.measure(now, 1), now)
        self._desk.later(now, self._desk.settings.clock_poll_s, self._poll_clock)

    def _poll_rules(self, now: int, *, private: bool) -> None:
        self._desk.run(self._reread_markets(), now)
        if private:
            self.read_account(now)
        self._desk.later(now, self._desk.settings.rules_poll_s, lambda at: self._poll_rules(at, private=private))

    def _reread_markets(self) -> Flow:
        (answer,), _ = yield [self._rest.ask(requests.markets())]
        error = self._take_markets(answer)
        if error is not None:
            self._desk.trouble("markets", error)


def _has_own_fees(result: wire.MarketResult, *, interactive: bool) -> bool:
    config = result.fee_config
    return config is not None and (config.interactive_fee if interactive else config.api_fee) is not None
