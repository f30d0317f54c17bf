"""What a fault makes of a message: halves, errors, empty lists, and answers from the past."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from flashscalper.simulator.base import FrameArrived, FrameOut, HttpAnswer, HttpArrived, ServerIncoming, ServerOutgoing
from flashscalper.simulator.fault_rules import Fault

_KEPT: Final = 256
_JSON: Final = ("Content-Type", "application/json; charset=utf-8")
_HTML: Final = ("Content-Type", "text/html")
_INTERNAL: Final = -32603

Message = TypeVar("Message", bound=ServerIncoming | ServerOutgoing)


def cut(message: Message) -> Message:
    """The first half of a message that has a content; of an answer, the break comes in the middle of its body."""
    if isinstance(message, HttpAnswer):
        return replace(message, broken=True)
    if isinstance(message, HttpArrived):
        return replace(message, body=message.body[: len(message.body) // 2])
    if isinstance(message, FrameArrived | FrameOut):
        return replace(message, data=message.data[: len(message.data) // 2])
    return message


def error_answer(fault: Fault, id_: int) -> HttpAnswer:
    """An HTTP error as the fault words it: JSON as the exchange writes errors, or a proxy's HTML page."""
    headers = [_HTML if fault.html else _JSON]
    if fault.retry_after_s is not None:
        headers.append(("Retry-After", str(fault.retry_after_s)))
    if fault.html:
        body = f"<html><head><title>{fault.status}</title></head><body>{fault.message}</body></html>".encode()
    else:
        body = msgspec.json.encode(
            {"error": fault.code, "message": fault.message} if fault.code else {"message": fault.message}
        )
    return HttpAnswer(id_, fault.status, tuple(headers), body)


def error_frame(fault: Fault, id_: Any) -> bytes:
    """A JSON-RPC error for the call `id_`; a `code` that is a number is its code."""
    text = fault.code.removeprefix("-")
    code = int(fault.code) if text.isascii() and text.isdecimal() else _INTERNAL
    error = {"code": code, "message": fault.message}
    return msgspec.json.encode({"jsonrpc": "2.0", "error": error, "id": id_, "usIn": 0, "usOut": 0, "usDiff": 0})


def emptied(answer: HttpAnswer) -> HttpAnswer:
    """A list without rows and further pages; anything else is left as it is."""
    try:
        value = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return answer
    if not isinstance(value, dict) or not isinstance(value.get("results"), list):
        return answer
    bare = value | {"results": []} | ({"next": None} if "next" in value else {})
    return replace(answer, body=msgspec.json.encode(bare))


class Memory:
    """The latest answers to reads, one per question (path, query and token), the last 256 questions."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, str, str], HttpAnswer] = OrderedDict()

    def keep(self, question: HttpArrived, answer: HttpAnswer) -> None:
        """Remember what a read was answered."""
        if question.method == "GET" and answer.status == 200:
            key = _key(question)
            self._answers[key] = answer
            self._answers.move_to_end(key)
            if len(self._answers) > _KEPT:
                self._answers.popitem(last=False)

    def recall(self, question: HttpArrived, answer: HttpAnswer) -> HttpAnswer:
        """What the same question was answered before; the first time it is this answer, and stays so."""
        if question.method != "GET":
            return answer
        kept = self._answers.get(_key(question))
        if kept is None:
            self.keep(question, answer)
            return answer
        return replace(kept, id=answer.id)


def _key(question: HttpArrived) -> tuple[str, str, str]:
    return question.path, question.query, question.headers.get("authorization", "")
