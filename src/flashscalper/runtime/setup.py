"""What an engine was put together from, written into its journal so that it can be put together again."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from flashscalper.model.errors import JournalError
from flashscalper.model.events import FeeClass
from flashscalper.model.markets import Market
from flashscalper.runtime.framing import Metadata
from flashscalper.runtime.strategy_files import StrategySource
from flashscalper.strategies.loader import exits_of
from flashscalper.strategies.scalper_settings import ScalperSettings
from flashscalper.trading.client_ids import ClientIds
from flashscalper.trading.costs import least_costs
from flashscalper.trading.engine import Engine
from flashscalper.trading.saved import SavedState
from flashscalper.trading.settings import TradingSettings

_FIELD: Final = "setup"


class RunSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides what an engine answers to its events, but for the state of an earlier run.

    `started_at` in microseconds; `starting_cash` None takes the exchange's figure.
    """

    strategy: StrategySource
    scalper: ScalperSettings
    trading: TradingSettings
    markets: tuple[Market, ...]
    started_at: int
    starting_cash: Decimal | None = None

    def engine(self, saved: SavedState | None) -> Engine:
        """The engine. Raises ConfigError when the strategy cannot be made, or its file is no longer the same.

        It is made from the setup as it reads back, where 15 in a float's place is 15.0: a later replay starts from no other.
        """
        read = msgspec.json.decode(msgspec.json.encode(self), type=RunSetup)
        strategies = {market.symbol: read.strategy.create(read.scalper, market) for market in read.markets}
        markets = {market.symbol: market for market in read.markets}
        ids = ClientIds(read.started_at)
        return Engine(read.trading, markets, strategies, ids, read.started_at, read.starting_cash, saved)

    def check_stops(self, fee_class: FeeClass) -> None:
        """Refuse a stop of so many percent that the fees of this class and the expected slippage alone would cross.

        Raises ConfigError naming the field. What the spread and a speed bump add is judged market by market, once measured.
        """
        for market in self.markets:
            own = exits_of(self.strategy.create(self.scalper, market), self.trading.exits)
            field = "trading.exits" if own is self.trading.exits else f"{self.strategy.name}.exits"
            own.validate(field, costs=float(least_costs(self.trading.costs, self.trading.entry.style, market, fee_class)))

    def main_interval(self) -> str:
        """The klines on which the strategy is asked. Raises ConfigError when it cannot be made."""
        return self.strategy.create(self.scalper, self.markets[0]).intervals[0]

    def metadata(self) -> Metadata:
        """As a field of a journal's header."""
        return {_FIELD: msgspec.json.encode(self).decode()}


def read_setup(metadata: Metadata, path: Path) -> RunSetup:
    """The setup from a journal's header. Raises JournalError when it has none, or one that this release cannot read."""
    text = metadata.get(_FIELD)
    if not isinstance(text, str):
        raise JournalError(f"{path}: it does not say what its engine was made of, so it cannot be replayed")
    try:
        return msgspec.json.decode(text, type=RunSetup)
    except msgspec.MsgspecError as error:
        raise JournalError(f"{path}: its setup is not one that this release reads: {error}") from error
