"""HTTP answers and refusals in the exchange's shapes: bodies, error bodies, statuses of error codes (paradex.md 4.1)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from flashscalper.model.errors import ExchangeError
from flashscalper.simulator.facts import Refusal

JSON_ENCODER: Final = msgspec.json.Encoder()
JSON_TYPE: Final = ("Content-Type", "application/json; charset=utf-8")

_STATUSES: Final = {"SERVICE_UNAVAILABLE": 503, "INTERNAL_ERROR": 500}


class Reply(msgspec.Struct, frozen=True):
    """What a route answers; `headers` come on top of the usual ones."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def ok(value: Any, status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(status, JSON_ENCODER.encode(value))


def empty(status: int = 200) -> Reply:
    """An answer without a body, as 204 and some 200 and 201 are documented."""
    return Reply(status)


def results(values: list[Any]) -> Reply:
    """An unpaged list."""
    return ok({"results": values})


def invalid(field: str, seen: object, accepted: str) -> ExchangeError:
    """A VALIDATION_ERROR that names the field, what was seen and what is accepted."""
    return ExchangeError("VALIDATION_ERROR", f"{field}: saw {seen!r}; accepted: {accepted}", status=400)


def refused(refusal: Refusal, status: int = 400) -> ExchangeError:
    """The exchange core's no as an error; 400 unless its code has a status of its own."""
    return ExchangeError(refusal.code, refusal.message, status=_STATUSES.get(refusal.code, status))


def error_body(error: ExchangeError) -> dict[str, object]:
    """`{error, message}`; without `error` where the exchange sends none (expired tokens, rate limits)."""
    if not error.code:
        return {"message": error.message}
    return {"error": error.code, "message": error.message}


def error_reply(error: ExchangeError) -> Reply:
    """The HTTP answer to a refused request."""
    return Reply(error.status or 400, JSON_ENCODER.encode(error_body(error)))
