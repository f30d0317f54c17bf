"""Every field of every binary (SBE) template, exactly, in both directions: the tables of `sbe_schema` put to work.

Clients read account messages through it, the simulator writes all its frames with it. Decimals come from and go to
mantissas without rounding; `None` is the schema's null. Cut or damaged frames raise ProtocolError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from struct import Struct
from struct import error as struct_error
from typing import Any, Final

import msgspec

from flashscalper.exchanges.paradex import sbe_schema as schema
from flashscalper.model.errors import ProtocolError

HEADER: Final = Struct("<HHHH")
PAIR: Final = Struct("<qq")
WHERE: Final = "SBE frame"
_GROUP: Final = Struct("<HH")

SbeValue = Decimal | int | str | tuple[str, ...] | tuple[tuple[Decimal, Decimal], ...] | None


class SbeRecord(msgspec.Struct, frozen=True):
    """One frame, every field by the names of `sbe_schema`: Decimals, integers (instants in us), texts, tuples for groups."""

    template: schema.Template
    version: int
    values: dict[str, SbeValue]


def decode_exact(data: bytes) -> SbeRecord | None:
    """Read every field of one frame exactly; None when its template is not one of ours. Raises ProtocolError."""
    try:
        block, template_id, schema_id, version = HEADER.unpack_from(data)
        if schema_id != schema.SCHEMA_ID:
            raise ProtocolError(WHERE, f"schema {schema_id}; accepted: {schema.SCHEMA_ID}", data)
        template = schema.TEMPLATES.get(template_id)
        return None if template is None else SbeRecord(template, version, exact_values(template, data, block, version))
    except (struct_error, UnicodeDecodeError, IndexError) as broken:
        raise ProtocolError(WHERE, f"cut or damaged: {broken}", data) from broken


def encode(template_id: int, version: int, values: Mapping[str, SbeValue]) -> bytes:
    """One frame of schema `1:version`. Nullable fields, flags and texts may be left out.

    Decimals keep 8 (12) places; what does not fit is cut toward zero. Raises ValueError naming the field for a value that
    cannot be written.
    """
    layout = _layout(template_id, version)
    try:
        raws = [write(values.get(name)) for name, write in layout.writers]
        parts = [HEADER.pack(layout.body.size, template_id, schema.SCHEMA_ID, version), layout.body.pack(*raws)]
    except struct_error as broken:
        raise ValueError(f"template {template_id}: {broken}") from broken
    groups = schema.TEMPLATES[template_id].groups
    parts.extend(_pack_levels(values.get(group) or ()) for group in groups)  # type: ignore[arg-type]
    parts.extend(_pack_text(text.name, str(values.get(text.name) or "")) for text in layout.texts)
    return b"".join(parts)


def mantissa(amount: Decimal, scale: int = 8) -> int:
    """`amount` as a whole number of 10^-scale, cut toward zero."""
    return int(amount.scaleb(scale))


# --- pieces of a frame ----------------------------------------------------------------------------------------------------


def text_at(data: bytes, at: int) -> str:
    """The text whose length byte stands at `at`; the next one stands at `at + 1 + data[at]`."""
    end = at + 1 + data[at]
    if end > len(data):
        raise ProtocolError(WHERE, f"text at {at} ends beyond the frame", data)
    return data[at + 1 : end].decode()


def level_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """The entries of the group at `at` as packed (price, size) pairs, whatever a newer schema adds behind; and its end."""
    length, count = _GROUP.unpack_from(data, at)
    start = at + 4
    end = start + length * count
    if end > len(data) or (count and length < PAIR.size):
        raise ProtocolError(WHERE, f"group of {count} entries of {length} bytes does not fit", data)
    if length == PAIR.size or not count:
        return data[start:end], end
    return b"".join(data[each : each + PAIR.size] for each in range(start, end, length)), end


def refuse_short(data: bytes, block: int, needed: int) -> None:
    """Refuse a fixed block that lacks members it must have."""
    if block < needed:
        raise ProtocolError(WHERE, f"block of {block} bytes; accepted: at least {needed}", data)


def _pack_text(name: str, text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 255:
        raise ValueError(f"{name}: text of {len(raw)} bytes; accepted: at most 255")
    return bytes((len(raw),)) + raw


def _pack_levels(levels: Sequence[tuple[Decimal, Decimal]]) -> bytes:
    pairs = [PAIR.pack(mantissa(price), mantissa(size)) for price, size in levels]
    return _GROUP.pack(PAIR.size, len(pairs)) + b"".join(pairs)


# --- layouts: a template in one version, ready for `struct` ---------------------------------------------------------------


class _Layout(msgspec.Struct, frozen=True):
    """`readers` and `writers` stand in the order of the block's members."""

    body: Struct
    readers: tuple[tuple[str, Callable[[Any], SbeValue]], ...]
    writers: tuple[tuple[str, Callable[[Any], int | bytes]], ...]
    texts: tuple[schema.Text, ...]


@lru_cache(maxsize=64)
def _layout(template_id: int, version: int) -> _Layout:
    template = schema.TEMPLATES[template_id]
    fields = template.fields_of(version)
    return _Layout(
        Struct("<" + "".join(schema.CODES[field.kind] for field in fields)),
        tuple((field.name, _reader(field)) for field in fields),
        tuple((field.name, _writer(field)) for field in fields),
        template.texts_of(version),
    )


def _layout_that_fits(template: schema.Template, data: bytes, block: int, version: int) -> _Layout:
    """The newest layout, at most of `version`, whose block is not longer than the one that came."""
    refuse_short(data, block, template.block_length(0))
    newest = min(version, schema.VERSIONS[-1])
    return _layout(template.id, next(known for known in range(newest, -1, -1) if template.block_length(known) <= block))


def exact_values(template: schema.Template, data: bytes, block: int, version: int) -> dict[str, SbeValue]:
    """Every member of one frame by name; `block` and `version` are the header's."""
    layout = _layout_that_fits(template, data, block, version)
    raws = layout.body.unpack_from(data, HEADER.size)
    values = {name: read(raw) for (name, read), raw in zip(layout.readers, raws, strict=True)}
    at = HEADER.size + block
    for group in template.groups:
        entries, at = level_bytes(data, at)
        values[group] = tuple([(_decimal(price, 8), _decimal(size, 8)) for price, size in PAIR.iter_unpack(entries)])
    for text in template.texts_of(version):
        values[text.name] = text_at(data, at)
        at += 1 + data[at]
    size = values.get("size")
    if values.get("side") == "SHORT" and isinstance(size, Decimal):
        values["size"] = -abs(size)
    return values


def _decimal(mantissa: int, scale: int) -> Decimal:
    return Decimal(mantissa).scaleb(-scale)


def _reader(field: schema.Field) -> Callable[[Any], SbeValue]:
    """From the raw member to its value."""
    if field.kind == "enum":
        return _enum_reader(field)
    if field.kind in schema.DECIMALS:
        return _decimal_reader(field)
    if field.kind == "bits":
        return lambda raw: tuple(name for bit, name in enumerate(field.bits) if raw >> bit & 1)
    if field.kind == "account":
        return lambda raw: hex(int.from_bytes(raw, "big"))
    return lambda raw: raw


def _enum_reader(field: schema.Field) -> Callable[[Any], SbeValue]:
    return lambda raw: field.names.get(raw, schema.UNKNOWN)


def _decimal_reader(field: schema.Field) -> Callable[[Any], SbeValue]:
    scale, optional = schema.DECIMALS[field.kind]

    def read(raw: int) -> SbeValue:
        if raw != schema.NULL:
            return _decimal(raw, scale)
        if optional:
            return None
        raise ProtocolError(f"{WHERE} {field.name}", "saw null; accepted: a number")

    return read


def _writer(field: schema.Field) -> Callable[[Any], int | bytes]:
    """From a value to its raw member."""
    if field.kind == "enum":
        return _enum_writer(field)
    if field.kind == "bits":
        return lambda words: sum(1 << bit for bit, name in enumerate(field.bits) if name in (words or ()))
    if field.kind == "account":
        return lambda address: int(address, 16).to_bytes(32, "big")
    return _decimal_writer(field) if field.kind in schema.DECIMALS else _number_writer(field)


def _enum_writer(field: schema.Field) -> Callable[[Any], int]:
    codes = {name: code for code, name in field.names.items()}

    def write(word: SbeValue) -> int:
        code = codes.get(word or "")  # type: ignore[arg-type]
        if code is None:
            raise ValueError(f"{field.name}: saw {word!r}; accepted: {', '.join(codes)}")
        return code

    return write


def _decimal_writer(field: schema.Field) -> Callable[[Any], int]:
    scale, optional = schema.DECIMALS[field.kind]

    def write(value: SbeValue) -> int:
        if isinstance(value, Decimal):
            return mantissa(abs(value) if field.kind == "abs8" else value, scale)
        if value is None and optional:
            return schema.NULL
        raise ValueError(f"{field.name}: saw {value!r}; accepted: a Decimal")

    return write


def _number_writer(field: schema.Field) -> Callable[[Any], int]:
    def write(value: SbeValue) -> int:
        if isinstance(value, int):
            return value
        raise ValueError(f"{field.name}: saw {value!r}; accepted: a whole number")

    return write
