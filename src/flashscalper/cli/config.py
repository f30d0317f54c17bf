"""Configuration in layers: built-in defaults < flashscalper.toml < environment (and `.env`) < command line.

One typed schema (`cli.settings.Settings`) says what exists. A key that it does not know is refused with the nearest known
one, a value that does not fit with the key, what was seen and what is accepted. Secrets are not configuration and are not
read here.
"""

from __future__ import annotations

import copy
import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from flashscalper.model.errors import ConfigError

PREFIX = "FLASHSCALPER_"
_OR_OFF = " or `off`"
_WRONG_TYPE = re.compile("got|^Invalid decimal")
"""What msgspec says when a value is of another type than the setting."""
Tree = dict[str, Any]
T = TypeVar("T", bound=msgspec.Struct)


class Leaf(msgspec.Struct, frozen=True):
    """One setting: its dotted path, its type for people, its default and its description."""

    path: tuple[str, ...]
    type: str
    default: Any
    description: str

    @property
    def key(self) -> str:
        """The dotted path, as in TOML."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The environment variable."""
        return PREFIX + "_".join(self.path).upper()


def leaves(schema: type[msgspec.Struct], path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every setting of a schema, sections walked in order. A section that may be absent is a setting too: it takes `off`."""
    info = inspect.type_info(schema)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        inner, description = field.type, ""
        if isinstance(inner, inspect.Metadata):
            description = str((inner.extra_json_schema or {}).get("description", ""))
            inner = inner.type
        here = (*path, field.name)
        section = _section_of(inner)
        if section is None or isinstance(inner, inspect.UnionType):
            yield Leaf(here, "`off`, or its settings" if section else _type_words(inner), _default_of(field), description)
        if section is not None:
            yield from leaves(section, here)


def _section_of(info: inspect.Type) -> type[msgspec.Struct] | None:
    """The struct that a setting is a section of, also when the section may be absent."""
    members = info.types if isinstance(info, inspect.UnionType) else (info,)
    for member in members:
        if isinstance(member, inspect.StructType):
            return member.cls
    return None


def load(
    schema: type[T],
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    aliases: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    base: Tree | None = None,
) -> T:
    """Merge the layers and check them against `schema`.

    `aliases` maps further environment variables (the original's names) to dotted keys; `overrides` are dotted keys from
    the command line; `base` lies below all layers (a profile's values, as plain types). Raises ConfigError naming the key,
    what was seen and what is accepted.
    """
    known = {leaf.key: leaf for leaf in leaves(schema)}
    tree = merge(schema, file=file, environment=environment, aliases=aliases, overrides=overrides, base=base)
    try:
        return msgspec.convert(tree, schema, strict=False)
    except msgspec.ValidationError as error:
        raise _readable(error, tree, known) from None


def merge(
    schema: type[msgspec.Struct],
    *,
    file: Path | None = None,
    environment: Mapping[str, str] | None = None,
    aliases: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    base: Tree | None = None,
) -> Tree:
    """The layers as one tree of known keys whose values are not checked yet; see `load`."""
    known = {leaf.key: leaf for leaf in leaves(schema)}
    tree: Tree = copy.deepcopy(base) if base else {}
    for key, value in _from_file(file).items():
        _put(tree, known, key, value, origin=str(file.name if file else ""))
    for key, value in _from_environment(environment or {}, known, aliases or {}).items():
        _put(tree, known, key, value, origin="environment")
    for key, value in (overrides or {}).items():
        if value is not None:
            _put(tree, known, key, value, origin="command line")
    return tree


def read_dotenv(file: Path) -> dict[str, str]:
    """`NAME=value` lines of a `.env` file; quotes are taken off, `#` starts a comment line. Missing file: nothing."""
    if not file.is_file():
        return {}
    try:
        text_of_file = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(str(file), str(error), "a readable text file of NAME=value lines") from None
    found = {}
    for number, line in enumerate(text_of_file.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, sign, value = text.removeprefix("export ").partition("=")
        if not sign or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name.strip()):
            raise ConfigError(f"{file.name} line {number}", name.strip(), "NAME=value")
        found[name.strip()] = _unquoted(value.strip())
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.split(" #", 1)[0].rstrip()


def _from_file(file: Path | None) -> dict[str, object]:
    if file is None:
        return {}
    try:
        tree = tomllib.loads(file.read_text())
    except OSError as error:
        raise ConfigError("configuration file", str(file), f"a readable TOML file ({error.strerror})") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"configuration file {file.name}", str(error), "valid TOML") from None
    except RecursionError:
        raise ConfigError(f"configuration file {file.name}", "brackets in brackets in brackets", "valid TOML") from None
    return dict(_flat(tree, ()))


def _flat(tree: Mapping[str, object], path: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*path, name))
        else:
            yield ".".join((*path, name)), value


def _from_environment(
    environment: Mapping[str, str], known: Mapping[str, Leaf], aliases: Mapping[str, str]
) -> dict[str, object]:
    """Values of the variables that the schema or the aliases name. An empty variable counts as not set."""
    by_variable = {leaf.variable: key for key, leaf in known.items()} | dict(aliases)
    found: dict[str, object] = {}
    for name, value in environment.items():
        if name in by_variable:
            if value:
                found[by_variable[name]] = value
        elif name.startswith(PREFIX):
            raise ConfigError("environment variable", name, _nearest(name, by_variable))
    return found


def _put(tree: Tree, known: Mapping[str, Leaf], key: str, value: object, origin: str) -> None:
    leaf = known.get(key)
    if leaf is None:
        raise ConfigError(f"key in {origin}", key, _nearest(key, known))
    if leaf.type.startswith("list of") and isinstance(value, str):
        value = [part.strip() for part in value.split(",") if part.strip()]
    if leaf.type.startswith("`off`"):
        if value not in ("off", False):
            raise ConfigError(key, value, leaf.type)
        value = None
    elif leaf.type.endswith(_OR_OFF) and value in ("off", False):
        value = None
    node = tree
    for name in leaf.path[:-1]:
        if not isinstance(node.get(name), dict):
            node[name] = {}
        node = node[name]
    node[leaf.path[-1]] = value


def _nearest(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return " or ".join(near) + " (nearest known)" if near else ", ".join(list(known)[:12]) + ", ..."


def _readable(error: msgspec.ValidationError, tree: Tree, known: Mapping[str, Leaf]) -> ConfigError:
    """msgspec's message as our one clear line: which key, what was seen, what is accepted."""
    text, _, place = str(error).partition(" - at `$.")
    key = re.sub(r"\[.*?\]", "", place.rstrip("`"))
    seen: object = tree
    for name in key.split("."):
        seen = seen.get(name) if isinstance(seen, dict) else seen
    expected = re.sub(r"^Expected ", "", text)
    leaf = known.get(key)
    return ConfigError(key or "configuration", seen, leaf.type if leaf and _WRONG_TYPE.search(expected) else expected)


def _default_of(field: inspect.Field) -> Any:
    if field.default is not msgspec.NODEFAULT:
        return field.default
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return msgspec.NODEFAULT


def _type_words(info: inspect.Type) -> str:
    """A type as a person reads it."""
    if isinstance(info, inspect.Metadata):
        return _type_words(info.type)
    if isinstance(info, inspect.LiteralType):
        return " | ".join(str(value) for value in info.values)
    if isinstance(info, inspect.EnumType):
        return " | ".join(str(member.value) for member in info.cls)
    if isinstance(info, inspect.UnionType):
        members = " or ".join(_type_words(one) for one in info.types if not isinstance(one, inspect.NoneType))
        return members + (_OR_OFF if any(isinstance(one, inspect.NoneType) for one in info.types) else "")
    if isinstance(info, inspect.VarTupleType | inspect.ListType):
        if isinstance(info.item_type, inspect.StructType):
            return "tables in a configuration file, each a [[section]]"
        return f"list of {_type_words(info.item_type)}, separated by commas"
    if isinstance(info, inspect.IntType | inspect.FloatType | inspect.DecimalType):
        return _number_words(info)
    words = {inspect.BoolType: "true or false", inspect.StrType: "text"}
    return words.get(type(info), type(info).__name__.removesuffix("Type").lower())


def _number_words(info: inspect.IntType | inspect.FloatType | inspect.DecimalType) -> str:
    word = "whole number" if isinstance(info, inspect.IntType) else "number"
    if isinstance(info, inspect.DecimalType):
        return word
    limits = ((info.ge, "at least"), (info.gt, "above"), (info.le, "at most"), (info.lt, "below"))
    bounds = " and ".join(f"{sign} {bound}" for bound, sign in limits if bound is not None)
    return f"{word} {bounds}".rstrip()
