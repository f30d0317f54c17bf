"""Records: what the engine decided and why, for the journal, the report, `explain` and the live view.

The engine returns records beside commands. They carry the inputs of every decision, so that whoever reads the journal
later can answer "why did it (not) trade?" without having been there.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import msgspec

from flashscalper.model.amounts import ZERO
from flashscalper.model.klines import Kline
from flashscalper.model.orders import OrderRole, Side
from flashscalper.model.positions import PositionSide


class Gate(msgspec.Struct, frozen=True, gc=False):
    """One condition and its verdict: `code` is a fixed word, `needed` and `seen` are what was compared, as text."""

    code: str
    passed: bool
    needed: str
    seen: str


EXPECTED_BPS: Final = "expected_bps"
"""Input of a judged signal: the move that it expects."""


def needed_input(fee_class: str) -> str:
    """Name of the input that says what move (bps) the cost gate wants at the fees of a class."""
    return f"needed_{fee_class}_bps"


class SignalJudged(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """A strategy looked at a closed kline: what it thought, each gate, and what came of it.

    `outcome`: `entered`, `denied` (a gate of ours said no; `denied_by` names the first), or `none` (no direction).
    """

    symbol: str
    interval: str
    judged_at: int
    direction: PositionSide | None
    score: float
    confidence: float
    reasons: tuple[str, ...]
    gates: tuple[Gate, ...]
    outcome: str
    denied_by: str = ""
    client_id: str = ""
    inputs: tuple[tuple[str, float], ...] = ()


class OrderDenied(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """Our own last risk gate refused an order; it was never sent."""

    symbol: str
    side: Side
    size: Decimal
    role: OrderRole
    gate: Gate
    denied_at: int


class OrderStateChanged(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """One step of an order's lifecycle: (state, what happened) -> state."""

    client_id: str
    symbol: str
    role: OrderRole
    before: str
    cause: str
    after: str
    changed_at: int
    detail: str = ""


class FillBooked(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """A unique fill went into our fold: what it did to position and money, by our own arithmetic.

    `realized_pnl` is gross of fees. `size_after` is signed. `cash_after` is starting cash plus all realised PnL and funding
    less all fees of this run.
    """

    fill_key: str
    client_id: str
    order_id: str
    symbol: str
    side: Side
    size: Decimal
    price: Decimal
    fee: Decimal
    funding: Decimal
    realized_pnl: Decimal
    size_after: Decimal
    entry_after: Decimal
    cash_after: Decimal
    role: OrderRole | None
    reason: str
    liquidity: str
    filled_at: int
    busted: bool = False
    foreign: bool = False


class RoundTripClosed(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """A position went from flat to flat. `pnl` is net of `fees` and includes `funding`.

    What was stated at the entry, in quote units: `risk` is size x (stop distance + costs), `costs` the estimate of the round
    trip's; both zero when the entry is not known (a position that was found).
    """

    symbol: str
    direction: PositionSide
    size: Decimal
    entry_price: Decimal
    exit_price: Decimal
    opened_at: int
    closed_at: int
    pnl: Decimal
    fees: Decimal
    funding: Decimal
    exit_reason: str
    entry_reasons: tuple[str, ...] = ()
    risk: Decimal = ZERO
    costs: Decimal = ZERO


class ProtectionChanged(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """A position's protection: `naked`, `stop_sent`, `protected`, `closing` or `flat`."""

    symbol: str
    before: str
    after: str
    position_size: Decimal
    stop_price: Decimal | None
    stop_size: Decimal | None
    changed_at: int
    detail: str = ""


class TradingStateChanged(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """ACTIVE, REDUCING or HALTED, and every reason that holds."""

    before: str
    after: str
    reasons: tuple[str, ...]
    changed_at: int


class Reconciled(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """Our fold was compared with the exchange; `differences` is empty when fold + foreign equals the exchange."""

    reconciled_at: int
    foreign: tuple[tuple[str, Decimal], ...]
    differences: tuple[str, ...]
    cause: str


class EquityPoint(msgspec.Struct, frozen=True, gc=False, tag=True, tag_field="is"):
    """Equity by our own arithmetic: cash plus unrealised PnL at the mark."""

    at: int
    equity: Decimal
    cash: Decimal


class KlineClosed(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """The engine closed a kline of an interval that somebody consumes (`revised`: a later trade corrected a closed one).

    Derived from the tape, so observers get it and the journal leaves it out.
    """

    kline: Kline
    revised: bool = False


class Note(msgspec.Struct, frozen=True, tag=True, tag_field="is"):
    """Anything else worth keeping: a code and a sentence."""

    code: str
    text: str
    at: int
    symbol: str = ""


Record = (
    SignalJudged
    | OrderDenied
    | OrderStateChanged
    | FillBooked
    | RoundTripClosed
    | ProtectionChanged
    | TradingStateChanged
    | Reconciled
    | EquityPoint
    | KlineClosed
    | Note
)
"""Everything that the engine may say about itself."""
