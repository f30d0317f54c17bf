"""What makes one world of the storm: which faults at which rates, which habits of client, exchange and trader, by seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

import msgspec

from flashscalper.exchanges.paradex.settings import BookFeed, OrderEntry
from flashscalper.model.markets import Market
from flashscalper.simulator.rules import ClientIdScope, DisconnectScope, ExchangeRules
from flashscalper.strategies.base import Strategy
from flashscalper.trading.costs import EntryStyle
from flashscalper.trading.settings import TradingSettings
from tests.campaigns.memory import Fate, no_fate
from tests.campaigns.network import PER_MESSAGE, PER_SECOND
from tests.campaigns.patter import PATIENT, Patter, settings

RATES: Final = (0.0, 0.0, 0.0, 0.001, 0.01, 0.1)
AT_THE_EXCHANGE: Final = ("bust", "closing", "foreign_order", "foreign_cancel")
UNSEEN: Final = ("unseen_bust", "unseen_cancel", "unseen_fill")
"""What happens while every connection is gone: nobody tells the bot, it has to read it. After an unseen fill some of the
lists that it reads first are from before it."""
TO_THE_PROCESS: Final = ("crash", "crash_writing", "crash_sending", "operator")


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that makes one world. `fate` says of each journal write (by number) whether the process dies at it.

    `fair_s`: how long the weather is fair before the run ends, with whatever is open then: what a fault broke for good has
    time to show itself.
    """

    seed: int
    symbols: tuple[str, ...] = ("ETHUSDT",)
    seconds: float = 30.0
    rates: dict[str, float] = {}
    client: dict[str, Any] = {}
    rules: ExchangeRules = ExchangeRules()
    server: dict[str, Any] = {}
    trading: TradingSettings = settings()
    latency_us: tuple[int, int] = (20_000, 5_000)
    curve: bool = False
    strategy: Callable[[Market, int], Strategy] | None = None
    markets: tuple[Market, ...] = ()
    feed: Callable[[Sequence[Market], Random, int], Patter] = Patter
    fate: Fate = no_fate
    naked_limit_s: float = 6.0
    fair_s: float = 0.0


def draw(seed: int, *, curve: bool = False) -> Setup:
    """A world as the seed wants it: which faults, how many markets, which habits of client and exchange."""
    dice = Random(f"setup/{seed}")
    kinds = (*PER_MESSAGE, *PER_SECOND, *AT_THE_EXCHANGE, *TO_THE_PROCESS)
    rates = {kind: rate for kind in kinds if (rate := dice.choice(RATES))} if seed % 10 else {}
    if dice.random() < 0.5:
        for kind in ("foreign_order", "bust", "foreign_cancel"):
            rates.pop(kind, None)
    habits = Random(f"habits/{seed}")
    patient = habits.random() < 0.3
    if rates:
        rates.update({kind: rate for kind in UNSEEN if (rate := habits.choice(RATES))})
    style = dice.choice((EntryStyle.POST_ONLY_THEN_IOC, EntryStyle.POST_ONLY_THEN_IOC, EntryStyle.IOC))
    return Setup(
        seed=seed,
        symbols=tuple(dice.sample(("ETHUSDT", "BTCUSDT", "SOLUSDT"), dice.choice((1, 1, 2, 3)))),
        seconds=dice.choice((15.0, 25.0, 40.0)),
        rates=rates,
        client={
            "order_entry": OrderEntry.REST if dice.random() < 0.25 else OrderEntry.WEBSOCKET,
            "book": BookFeed.DELTAS if dice.random() < 0.1 else BookFeed.NONE,
            "sbe": dice.random() < 0.7,
            "interactive": dice.random() < 0.1,
            "token_refresh_s": dice.choice((180.0, 180.0, 10.0)),
            "token_entry_floor_s": 18.0,
            "backoff_cap_s": 5.0,
        },
        rules=ExchangeRules(
            reduce_only_counts_untriggered=dice.random() < 0.3,
            client_id_scope=dice.choice(tuple(ClientIdScope)),
            disconnect_scope=dice.choice(tuple(DisconnectScope)),
            disconnect_spares_untriggered=dice.random() < 0.5,
        ),
        server={"token_lifetime_s": dice.choice((300, 300, 45)), "private_as_sbe": dice.random() < 0.2},
        trading=settings(style, PATIENT) if patient else settings(style),
        latency_us=dice.choice(((5_000, 1_000), (20_000, 5_000), (80_000, 40_000))),
        curve=curve,
        naked_limit_s=6.0 if rates else 2.0,
        fair_s=12.0 if patient else 0.0,
    )
