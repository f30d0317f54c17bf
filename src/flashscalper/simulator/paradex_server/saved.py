"""What of the simulated Paradex outlives its process beside the core: members with keys and tokens, and TWAP orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from flashscalper.model.errors import ConfigError
from flashscalper.model.events import ExchangeStatus
from flashscalper.simulator.facts import BookTouched, Fact, QuoteTouched, SummaryTouched, TradePrinted
from flashscalper.simulator.paradex_server.accounts import Member
from flashscalper.simulator.paradex_server.algos import Algo
from flashscalper.simulator.paradex_server.context import Context
from flashscalper.simulator.saved import CoreSaver, Rows

_PUBLIC: Final = (TradePrinted, BookTouched, QuoteTouched, SummaryTouched)
_ENCODE: Final = msgspec.json.Encoder().encode


class SavedProtocol(msgspec.Struct, frozen=True, kw_only=True):
    """The counters of the protocol's own ids, and since when tokens are valid."""

    era: int
    era_began_at: int
    last_member_id: int
    last_algo: int


class ServerSaver:
    """Rows that changed, of core and protocol. Market data alone changes nothing that is kept but the prices, which are
    written along with the funding of each second, and by themselves in maintenance, when no funding accrues."""

    def __init__(self, context: Context, core: CoreSaver) -> None:
        self._context = context
        self._core = core
        self._dirty = True
        self._written: dict[str, bytes] = {}

    def note(self, facts: Iterable[Fact]) -> None:
        """Told of everything that happened."""
        facts = list(facts)
        private = [fact for fact in facts if not isinstance(fact, _PUBLIC)]
        if self._context.exchange.status is ExchangeStatus.MAINTENANCE and SummaryTouched in map(type, facts):
            self._dirty = True
        if private:
            self._dirty = True
            self._core.note(private)

    def touch(self) -> None:
        """Something was asked that may change more than facts tell: keys, tokens, settings of a member."""
        self._dirty = True

    def rows(self) -> Rows:
        """What changed since the last time; nothing is left out, little is repeated."""
        if not self._dirty:
            return {}
        self._dirty = False
        context = self._context
        rows = {f"member/{member.address}": _ENCODE(member) for member in context.members.all()}
        rows |= {f"algo/{algo.id}": _ENCODE(algo) for algo in context.algos.recent()}
        rows["protocol"] = _ENCODE(
            SavedProtocol(
                era=context.era,
                era_began_at=context.era_began_at,
                last_member_id=context.members.last_id,
                last_algo=context.algos.count,
            )
        )
        changed = {key: row for key, row in rows.items() if self._written.get(key) != row}
        self._written = rows
        return changed | self._core.rows()

    def mark_saved(self, rows: Mapping[str, bytes]) -> None:
        """What was restored need not be written again."""
        self._core.mark_saved(rows)


def restore_protocol(context: Context, rows: Mapping[str, bytes]) -> None:
    """Take over members, tokens and TWAP orders of an earlier process. Raises ConfigError naming a row that does not fit."""
    key = "protocol"
    try:
        protocol = msgspec.json.decode(rows[key], type=SavedProtocol)
        for key in sorted(key for key in rows if key.startswith("member/")):
            context.members.restore(msgspec.json.decode(rows[key], type=Member))
        for key in sorted(key for key in rows if key.startswith("algo/")):
            context.algos.restore(msgspec.json.decode(rows[key], type=Algo))
    except (KeyError, msgspec.DecodeError) as error:
        raise ConfigError("state", f"row {key}: {error}", "a state that this version wrote, or --reset") from None
    context.era, context.era_began_at = protocol.era, protocol.era_began_at
    context.members.last_id, context.algos.count = protocol.last_member_id, protocol.last_algo
    for account in context.exchange.accounts():
        context.payments[account].extend(reversed(context.exchange.funding_payments(account)))
        context.liquidations[account].extend((each.id, each.at) for each in context.exchange.liquidations(account))
