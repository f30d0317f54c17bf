"""Faults that one may ask a simulated exchange for: what shall go wrong, where, how often and for how long.

A rule addresses messages by a shell pattern over their address: `POST /v1/orders` for a request or its answer, `SOCKET /v1`
for a handshake, the method for a call and its answer on a socket (`order.create`), the channel for a push
(`trades.ETH-USD-PERP`). `Rules` decides which rules a message meets; what they do to it is in `faults`.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from fnmatch import fnmatchcase

import msgspec

from flashscalper.model.dice import Dice
from flashscalper.model.errors import ConfigError
from flashscalper.model.events import ExchangeStatus
from flashscalper.model.instants import MILLISECOND_US, SECOND_US


class FaultKind(StrEnum):
    """What goes wrong."""

    DROP = "drop"
    """The message is lost; a request is then never answered."""
    DELAY = "delay"
    """It comes `delay_ms` later; what follows on the same socket waits behind it."""
    DUPLICATE = "duplicate"
    """It comes twice; a request is executed twice and answered once."""
    REORDER = "reorder"
    """It comes after the next one (of its socket; for HTTP: of all), or after `delay_ms` if there is none."""
    HALF_OPEN = "half_open"
    """Its socket stays open and carries nothing any more, pings included. An HTTP exchange hangs."""
    BREAK = "break"
    """Its connection breaks without a close frame or an answer."""
    CUT = "cut"
    """Only its first half arrives: of a frame as a whole frame, of an HTTP answer as a broken body."""
    ERROR = "error"
    """`status` (on a socket: an error object) instead. At stage `request` nothing was executed, at `answer` it was."""
    STALE = "stale"
    """A read repeats what was last answered to the same question before the rule began (or first since)."""
    EMPTY = "empty"
    """A list comes without its rows."""
    EXPIRE_TOKENS = "expire_tokens"
    """Every session token issued so far is over."""
    BUST = "bust"
    """The fill `fill_id`, by default the newest, is taken back."""
    MODE = "mode"
    """The exchange changes to `mode`, and back to ok after `duration_s` if that is given."""


class Stage(StrEnum):
    """Which way the message goes: to the exchange, or from it (answers and pushes)."""

    REQUEST = "request"
    ANSWER = "answer"


ACTS = frozenset({FaultKind.EXPIRE_TOKENS, FaultKind.BUST, FaultKind.MODE})
"""What happens to the exchange instead of to a message."""

_ANSWERS_ONLY = frozenset({FaultKind.STALE, FaultKind.EMPTY})
DELAY_US = 100 * MILLISECOND_US
"""How long a message is held when a delay or reordering does not say."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rule. Raises ConfigError naming the field that does not fit.

    `at` is the pattern of addresses; an act without one happens once, at its time. Of the matching messages the first `skip`
    pass, then each is hit with `probability`, `count` of them in all (0: no limit), beginning `start_s` after the rule was
    given and for `duration_s` (0: for ever).
    """

    kind: FaultKind
    at: str = ""
    stage: Stage = Stage.ANSWER
    probability: float = 1.0
    count: int = 1
    skip: int = 0
    start_s: float = 0.0
    duration_s: float = 0.0
    delay_ms: int = 0
    jitter_ms: int = 0
    status: int = 503
    code: str = ""
    message: str = "fault on request"
    html: bool = False
    retry_after_s: int | None = None
    mode: ExchangeStatus = ExchangeStatus.MAINTENANCE
    fill_id: str = ""

    def __post_init__(self) -> None:
        if self.kind not in ACTS and not self.at:
            raise ConfigError("at", self.at, "a pattern such as `POST /v1/orders`, `order.create`, `trades.*` or `*`")
        if self.kind in _ANSWERS_ONLY and self.stage is not Stage.ANSWER:
            raise ConfigError("stage", self.stage.value, f"answer: {self.kind.value} is about what was answered")
        if not 0 < self.probability <= 1:
            raise ConfigError("probability", self.probability, "above 0 and at most 1")
        if not 400 <= self.status <= 599:
            raise ConfigError("status", self.status, "400 to 599")
        for field in ("count", "skip", "start_s", "duration_s", "delay_ms", "jitter_ms"):
            value = getattr(self, field)
            if not 0 <= value < 1e9:
                raise ConfigError(field, value, "0 or more, below 1e9")


def order_latency(latency_ms: float) -> tuple[Fault, ...]:
    """What makes order requests, their answers and what becomes of the orders travel this long each way."""
    delay_ms = round(latency_ms)
    if not delay_ms:
        return ()
    requests = [f"{method} /v1/{what}*" for method in ("POST", "PUT", "DELETE") for what in ("orders", "algo/orders")]
    pushes = ("orders.*", "fills.*", "positions", "account", "balance_events", "tradebusts", "funding_payments.*")
    there = [(at, Stage.REQUEST) for at in (*requests, "order.*")]
    back = [(at, Stage.ANSWER) for at in (*requests, "order.*", *pushes)]
    return tuple(Fault(kind=FaultKind.DELAY, at=at, stage=way, count=0, delay_ms=delay_ms) for at, way in there + back)


class FaultState(msgspec.Struct, frozen=True):
    """A rule as it stands: its number, how many messages met it, and how many of those it hit."""

    id: int
    fault: Fault
    seen: int
    hits: int


class ActiveFault:
    """A rule in force, with its counters."""

    __slots__ = ("began_at", "ends_at", "fault", "hits", "id", "seen")

    def __init__(self, id_: int, fault: Fault, now: int) -> None:
        self.id = id_
        self.fault = fault
        self.began_at = now + round(fault.start_s * SECOND_US)
        self.ends_at = self.began_at + round(fault.duration_s * SECOND_US) if fault.duration_s else None
        self.seen = 0
        self.hits = 0

    @property
    def used_up(self) -> bool:
        """Whether it has hit as often as it was asked to."""
        return bool(self.fault.count) and self.hits >= self.fault.count

    def meets(self, address: str, stage: Stage, now: int) -> bool:
        """Whether this message is one that the rule is about, now."""
        fault = self.fault
        in_force = now >= self.began_at and (self.ends_at is None or now < self.ends_at) and not self.used_up
        return in_force and fault.stage is stage and fnmatchcase(address, fault.at)

    def state(self) -> FaultState:
        """The rule and its counters."""
        return FaultState(self.id, self.fault, self.seen, self.hits)


class Rules:
    """Every rule given and not yet removed. Dice are thrown only for a message that meets a rule with a probability."""

    def __init__(self, dice: Dice, standing: Sequence[Fault] = ()) -> None:
        """`standing` are rules of the exchange itself, such as its latency: they come last, are not listed or removed."""
        self._dice = dice
        self._active: dict[int, ActiveFault] = {}
        self._standing = [ActiveFault(0, fault, 0) for fault in standing]
        self._count = 0

    def add(self, fault: Fault, now: int) -> ActiveFault:
        """Put a rule in force."""
        self._count += 1
        active = self._active[self._count] = ActiveFault(self._count, fault, now)
        return active

    def remove(self, id_: int) -> bool:
        """Take a rule away; False when there is none of that number."""
        return self._active.pop(id_, None) is not None

    def clear(self) -> None:
        """Take all rules away."""
        self._active.clear()

    def states(self) -> list[FaultState]:
        """Every rule with its counters, in the order given."""
        return [active.state() for active in self._active.values()]

    def hits(self, address: str, stage: Stage, now: int) -> list[ActiveFault]:
        """The rules that hit this message, in the order given; counts it for each that it meets."""
        if not address or not (self._active or self._standing):
            return []
        rules = (*self._active.values(), *self._standing)
        return [active for active in rules if active.meets(address, stage, now) and self._hit(active)]

    def delay_us(self, fault: Fault) -> int:
        """How long this fault holds this message."""
        jitter = self._dice.randrange(fault.jitter_ms + 1) if fault.jitter_ms else 0
        return (fault.delay_ms + jitter) * MILLISECOND_US or DELAY_US

    def _hit(self, active: ActiveFault) -> bool:
        active.seen += 1
        fault = active.fault
        if active.seen <= fault.skip or (fault.probability < 1 and self._dice.random() >= fault.probability):
            return False
        active.hits += 1
        return True
