"""What every route and session of one simulated Paradex works with, and one HTTP request as routes see it."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Final

import msgspec

from flashscalper.model.dice import Dice
from flashscalper.model.errors import AuthError
from flashscalper.model.events import FeeClass
from flashscalper.simulator.exchange import Exchange
from flashscalper.simulator.facts import FundingPoint, FundingSettled
from flashscalper.simulator.paradex_server.accounts import Member, Members
from flashscalper.simulator.paradex_server.algos import Algos
from flashscalper.simulator.paradex_server.limits import Group, RateLimits
from flashscalper.simulator.paradex_server.names import MarketNames
from flashscalper.simulator.paradex_server.order_requests import Asker
from flashscalper.simulator.paradex_server.settings import ServerSettings
from flashscalper.simulator.paradex_server.tokens import INTERACTIVE, READ_ONLY, Claims

_KEPT: Final = 5_000
"""Funding points of a market, payments and liquidations of an account that can be read back."""


class Context:
    """The exchange core with the protocol's own state beside it."""

    def __init__(self, exchange: Exchange, settings: ServerSettings, dice: Dice, now: int) -> None:
        self.exchange = exchange
        self.settings = settings
        self.node_id = f"simulator-{dice.randrange(1 << 32):08x}"
        self.started_at = now
        self.era = 0
        self.era_began_at = now
        self.names = MarketNames(exchange.markets())
        self.members = Members()
        self.limits = RateLimits(enforced=settings.rate_limits)
        self.algos = Algos(exchange)
        self.payments: defaultdict[str, deque[FundingSettled]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self.funding_points: defaultdict[str, deque[FundingPoint]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self.liquidations: defaultdict[str, deque[tuple[str, int]]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def expire_tokens(self, now: int) -> None:
        """Every session token issued so far is over; long-lived ones live on."""
        self.era += 1
        self.era_began_at = now

    def funding(self, symbol: str) -> FundingPoint:
        """A market's funding as of its last tick, or of the start."""
        points = self.funding_points[symbol]
        return points[-1] if points else self.exchange.funding(symbol)

    def market_name(self, symbol: str) -> str:
        """The exchange's name of a symbol."""
        return self.names.market_of[symbol]

    def fee_class(self, account: str, claims: Claims, now: int) -> FeeClass:
        """Retail for interactive tokens within the Retail limits; beyond them the order counts as Pro (paradex.md 6.6)."""
        if claims.usage != INTERACTIVE:
            return FeeClass.PRO
        return FeeClass.RETAIL if self.limits.take(Group.RETAIL, account, now).retry_us == 0 else FeeClass.PRO


class Login(msgspec.Struct, frozen=True):
    """Whose token a request or session carries."""

    member: Member
    claims: Claims

    def asker(self, conn: str = "") -> Asker:
        """The login as order requests see it. Raises AuthError for a read-only token."""
        if self.claims.usage == READ_ONLY:
            raise AuthError("INVALID_TOKEN_SCOPE", "this token is read-only", status=403)
        return Asker(self.member, self.claims.key, self.claims.usage == INTERACTIVE, conn)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request. `parameters` come from the path; `login` is None on public routes."""

    method: str
    path: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: str
    now: int
    login: Login | None = None

    @property
    def member(self) -> Member:
        """The member of a private route."""
        assert self.login is not None, "a private route was registered as public"
        return self.login.member

    @property
    def account(self) -> str:
        """The account address of a private route."""
        return self.member.address

    def asker(self) -> Asker:
        """Who asks on a private route that changes something."""
        assert self.login is not None, "a private route was registered as public"
        return self.login.asker()
