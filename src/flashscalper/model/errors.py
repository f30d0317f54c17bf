"""The error tree, grouped by who can act.

FlashScalperError
├── ConfigError          the person who started it: a field, what was seen, what is accepted
├── TransportError       the runtime: a socket, a name or an HTTP exchange broke
│   └── DeadlineError  no answer in time; for an order this means *unknown*, not *failed*
├── ProtocolError        they broke the language: the bytes are kept, the stream is resynchronised
├── ExchangeError        they understood and said no: a code and a text
│   ├── AuthError        the key or the token
│   └── RateLimitError      too many requests; carries when to come back
├── JournalError         the journal is damaged or cannot be written
└── StoreError           the database that holds a view of the journals does not do what it should; trading goes on

Trading outcomes (denied, rejected, unknown) are events, not exceptions. Exceptions of other libraries are translated
once, in `flashscalper.runtime`.
"""

from __future__ import annotations


class FlashScalperError(Exception):
    """Everything that FlashScalper raises on purpose."""


class ConfigError(FlashScalperError):
    """Bad input from a person: names the field, what was seen and what is accepted.

    >>> str(ConfigError("interval", "7m", "1s, 5s, 1m"))
    "interval: saw '7m'; accepted: 1s, 5s, 1m"
    """

    def __init__(self, field: str, seen: object, accepted: str) -> None:
        self.field = field
        self.seen = seen
        self.accepted = accepted
        super().__init__(f"{field}: saw {seen!r}; accepted: {accepted}")


class TransportError(FlashScalperError):
    """A socket, a host name or an HTTP exchange broke before an answer was complete."""


class DeadlineError(TransportError):
    """No answer before the operation's own deadline."""


class ProtocolError(FlashScalperError):
    """The other side said something that its own documents do not allow.

    `where` is the route, channel or field; `detail` says what was wrong; `data` keeps the first bytes of the message.
    """

    def __init__(self, where: str, detail: str, data: bytes = b"") -> None:
        self.where = where
        self.detail = detail
        self.data = data[:500]
        super().__init__(f"{where}: {detail}")


class ExchangeError(FlashScalperError):
    """The exchange understood the request and refused it."""

    def __init__(self, code: str, message: str, *, status: int = 0) -> None:
        self.code = code
        self.message = message
        self.status = status
        super().__init__(f"{code}: {message}")


class AuthError(ExchangeError):
    """The key, the token or its rights were refused."""


class RateLimitError(ExchangeError):
    """Too many requests; `retry_after_s` is the exchange's own advice."""

    def __init__(self, message: str, *, retry_after_s: float, status: int = 429) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("RATE_LIMITED", message, status=status)


class JournalError(FlashScalperError):
    """The journal cannot be read or written; trading must not go on without it."""


class StoreError(FlashScalperError):
    """The store's database cannot be reached, read or written; nothing is lost, it is made from the journals."""
