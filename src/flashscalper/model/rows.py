"""Structs that are kept for long, as short bytes: a struct of Decimals and texts takes several times the room."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import msgspec

Flat = TypeVar("Flat", bound=msgspec.Struct)


class RowShape(Generic[Flat]):
    """A struct type as a row of its fields' values. `type` is what the row decodes as; exact, Decimals keep their digits."""

    def __init__(self, kind: type[Flat]) -> None:
        fields = msgspec.structs.fields(kind)
        self._kind = kind
        self._names = tuple(field.name for field in fields)
        self.type: Any = tuple.__class_getitem__(tuple(field.type for field in fields))

    def struct(self, row: tuple[Any, ...]) -> Flat:
        """The struct of a decoded row."""
        return self._kind(**dict(zip(self._names, row, strict=True)))


class PackedStructs(Generic[Flat]):
    """The newest `kept` structs of one type, oldest first, each packed; whoever iterates gets equal ones."""

    def __init__(self, kind: type[Flat], kept: int) -> None:
        self._shape = RowShape(kind)
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(self._shape.type)
        self._rows: deque[bytes] = deque(maxlen=kept)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Flat]:
        return (self._shape.struct(self._decoder.decode(row)) for row in self._rows)

    def append(self, struct: Flat) -> None:
        """Keep one more; the oldest falls out once there are `kept`."""
        self._rows.append(self._encoder.encode(msgspec.structs.astuple(struct)))
