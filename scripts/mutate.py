"""Mutation testing of the code that must not be wrong: order lifecycle, risk gate, journal, order codecs (`make mutate`).

Each mutant is one small change of one module's syntax tree (a comparison, a condition, a sum, a number, a word of the
protocol, a cell of the lifecycle, a statement left out). The module's own tests must fail on it. Mutants run in forked
children of one process that has the test tools loaded, so each costs its tests and no start. Survivors are compared with
docs/reference/mutation-survivors.toml, which says of each why it may live.

    python scripts/mutate.py                       all modules; exit code 1 below 85 % or with a survivor nobody explained
    python scripts/mutate.py --only risk --list    the mutants of one module, without running them
"""

from __future__ import annotations

import argparse
import ast
import copy
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import signal
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[1]
SURVIVORS: Final = ROOT / "docs" / "reference" / "mutation-survivors.toml"
WANTED: Final = 0.85
SLOWEST_S: Final = 60.0
"""A mutant whose tests take this long loops for ever: killed."""

TARGETS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "lifecycle": (
        "trading/orders.py",
        (
            "trading/test_lifecycle_table.py", "trading/test_orders_edges.py", "trading/test_orders.py",
            "trading/test_saved.py", "trading/test_pursuit.py", "trading/test_reconcile.py",
        ),
    ),
    "pursuit": (
        "trading/pursuit.py",
        ("trading/test_pursuit_edges.py", "trading/test_pursuit.py", "trading/test_orders.py", "trading/test_reconcile.py"),
    ),
    "risk": (
        "trading/risk.py",
        ("trading/test_risk_edges.py", "trading/test_risk.py", "trading/test_operating.py", "trading/test_saved.py"),
    ),
    "limits": ("trading/limits.py", ("trading/test_limits_edges.py", "trading/test_risk.py", "trading/test_sizing.py")),
    "exposure": ("trading/exposure.py", ("trading/test_exposure.py", "trading/test_risk.py", "trading/test_orders.py")),
    "desk": (
        "trading/desk.py",
        ("trading/test_desk.py", "trading/test_operating.py", "trading/test_signed_ahead.py", "trading/test_risk.py"),
    ),
    "settings": ("trading/settings.py", ("trading/test_settings_edges.py", "trading/test_settings.py")),
    "operating": ("trading/operating.py", ("trading/test_operating.py", "trading/test_saved.py")),
    "journal": (
        "runtime/journal.py", ("runtime/test_journal_edges.py", "runtime/test_journal.py", "runtime/test_recovery.py"),
    ),
    "framing": (
        "runtime/framing.py",
        (
            "runtime/test_framing_edges.py", "runtime/test_journal_edges.py", "runtime/test_journal.py",
            "runtime/test_tape.py", "runtime/test_store_reading.py",
        ),
    ),
    "requests": (
        "exchanges/paradex/requests.py",
        (
            "exchanges/paradex/test_requests_words.py", "exchanges/paradex/test_orders.py",
            "exchanges/paradex/test_conformance.py", "exchanges/paradex/test_reads.py", "exchanges/paradex/test_session.py",
        ),
    ),
    "verdicts": (
        "exchanges/paradex/verdicts.py",
        (
            "exchanges/paradex/test_verdicts_words.py", "exchanges/paradex/test_verdicts.py",
            "exchanges/paradex/test_orders.py",
        ),
    ),
    "sending": (
        "exchanges/paradex/orders.py",
        (
            "exchanges/paradex/test_orders_edges.py", "exchanges/paradex/test_orders.py",
            "exchanges/paradex/test_signed_ahead.py",
        ),
    ),
    "signed": (
        "exchanges/paradex/signing/typed_data.py",
        (
            "exchanges/paradex/test_signing_edges.py", "exchanges/paradex/test_signing_signers.py",
            "exchanges/paradex/test_signing_own_vectors.py",
            "exchanges/paradex/test_signing_vectors.py", "exchanges/paradex/test_signing_keys.py",
        ),
    ),
    "signers": (
        "exchanges/paradex/signing/signer.py",
        (
            "exchanges/paradex/test_signing_edges.py", "exchanges/paradex/test_signing_signers.py",
            "exchanges/paradex/test_signing_own_vectors.py", "exchanges/paradex/test_signing_vectors.py",
        ),
    ),
    "answers": (
        "exchanges/paradex/responses.py",
        (
            "exchanges/paradex/test_responses_words.py", "exchanges/paradex/test_reads.py",
            "exchanges/paradex/test_streams.py", "exchanges/paradex/test_session.py",
        ),
    ),
    "wire": (
        "exchanges/paradex/wire.py",
        (
            "exchanges/paradex/test_responses_words.py", "exchanges/paradex/test_reads.py",
            "exchanges/paradex/test_streams.py", "exchanges/paradex/test_session.py",
        ),
    ),
    "pushes": (
        "exchanges/paradex/account_frames.py",
        (
            "exchanges/paradex/test_account_frames.py", "exchanges/paradex/test_orders.py",
            "exchanges/paradex/test_streams.py",
        ),
    ),
    "binary": (
        "exchanges/paradex/account_sbe.py",
        ("exchanges/paradex/test_account_frames.py", "exchanges/paradex/test_sbe.py"),
    ),
}  # fmt: skip
"""Module below src/flashscalper and the tests that must notice, the sharpest and quickest first."""

_COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
_SUMS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z_./]*")
_STATE: Final = "(sent|unknown|accepted|untriggered|open|filled|canceled|refused|rejected|unsent|dead)"
_CELLS: Final = re.compile(rf"\s*{_STATE}(\s+{_STATE}){{4,}}")
"""A row of the lifecycle's table: each of its words is a mutant of its own."""


class Mutant(NamedTuple):
    """One change: where, and what it reads like before and after."""

    module: str
    line: int
    before: str
    after: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """How the survivors' page calls it: independent of line numbers."""
        return f"{self.module}: {self.before} -> {self.after}"


def mutants(label: str) -> list[Mutant]:
    """Every mutant of a target. Two that read the same are told apart by a number."""
    tree = ast.parse((ROOT / "src" / "flashscalper" / TARGETS[label][0]).read_text())
    found: list[Mutant] = []
    seen: dict[str, int] = {}
    for path, node in _walk(tree, ()):
        for after in _changes(node):
            before = _short(node)
            seen[key] = seen.get(key := f"{before} -> {_short(after)}", 0) + 1
            number = f" #{seen[key]}" if seen[key] > 1 else ""
            changed = _replaced(tree, path, after)
            found.append(Mutant(label, getattr(node, "lineno", 0), before, _short(after) + number, changed))
    return found


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else f"{text[:90]}..."


Path_ = tuple[tuple[str, int | None], ...]


def _walk(node: ast.AST, path: Path_) -> Iterator[tuple[Path_, ast.AST]]:
    """Every node that may be changed, with the way to it. Annotations, docstrings, assertions, messages of errors and what
    only a type checker reads are left out."""
    yield path, node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "bases", "type_params"}:
            continue
        if isinstance(value, ast.AST):
            if not _left_out(node, name, value):
                yield from _walk(value, (*path, (name, None)))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, ast.AST) and not _left_out(node, name, item):
                    yield from _walk(item, (*path, (name, index)))


def _left_out(parent: ast.AST, field: str, node: ast.AST) -> bool:
    if isinstance(node, ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "sys.platform == 'darwin'"}:
        return True
    if isinstance(parent, ast.Raise) or (isinstance(node, ast.keyword) and node.arg == "gc"):
        # `gc=` of a struct: whether the collector looks at it; only a stopwatch could tell.
        return True
    return field == "body" and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """What a node may be changed into, one at a time."""
    match node:
        case ast.Compare(ops=[op]):
            for other in _COMPARISONS[type(op)]:
                yield _with(node, ops=[other()])
        case ast.BoolOp(op=op):
            yield _with(node, op=ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield node.operand
        case ast.BinOp(op=op) if type(op) in _SUMS:
            yield _with(node, op=_SUMS[type(op)]())
        case ast.AugAssign(op=op) if type(op) in _SUMS:
            yield _with(node, op=_SUMS[type(op)]())
            yield ast.Pass()
        case ast.Constant(value=value):
            yield from _constants(value)
        case ast.If() | ast.While() | ast.IfExp() if not isinstance(node.test, ast.Compare | ast.BoolOp | ast.UnaryOp):
            yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
        case ast.Expr(value=ast.Call()) | ast.Assign(targets=[ast.Attribute()]) | ast.Raise() | ast.Delete():
            yield ast.Pass()
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            yield ast.Return(ast.Constant(None))
        case ast.Continue():
            yield ast.Break()
        case ast.Break():
            yield ast.Continue()


def _constants(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
    elif isinstance(value, str) and _CELLS.fullmatch(value):
        words = value.split()
        for index, word in enumerate(words):
            yield ast.Constant(" ".join([*words[:index], "dead" if word != "dead" else "open", *words[index + 1 :]]))
    elif isinstance(value, str) and _WORD.fullmatch(value):
        yield ast.Constant(f"{value}X")


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _replaced(tree: ast.Module, path: Path_, new: ast.AST) -> ast.Module:
    """A copy of the tree along the way, with the node at its end replaced."""
    if not path:
        return new  # type: ignore[return-value]
    (name, index), rest = path[0], path[1:]
    inner = getattr(tree, name)
    if index is None:
        return _with(tree, **{name: _replaced(inner, rest, new)})  # type: ignore[return-value]
    items = list(inner)
    items[index] = _replaced(items[index], rest, new)
    return _with(tree, **{name: items})  # type: ignore[return-value]


class _Planted(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives one module another body."""

    def __init__(self, module: str, tree: ast.Module) -> None:
        self._module = module
        self._tree = tree

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self._module:
            return None
        source = ROOT / "src" / Path(*name.split(".")).with_suffix(".py")
        return importlib.util.spec_from_file_location(name, source, loader=self)  # type: ignore[arg-type]

    def create_module(self, _spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: object) -> None:
        exec(compile(ast.fix_missing_locations(self._tree), self._module, "exec"), vars(module))


def outcome(module: str, tests: Sequence[str], tree: ast.Module | None, *, loud: bool = False) -> str:
    """`survived`, `killed` or `slow`: the tests in a forked child, the module changed as `tree` says (None: as it is)."""
    child = os.fork()
    if child == 0:
        os._exit(_in_child(module, tests, tree, loud=loud))
    give_up = time.monotonic() + SLOWEST_S
    while time.monotonic() < give_up:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "survived" if os.waitstatus_to_exitcode(status) == 0 else "killed"
        time.sleep(0.01)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "slow"


# The tools are imported late: load_tools says when, so that every child has them and none of our own modules.
# ruff: noqa: PLC0415


def _in_child(module: str, tests: Sequence[str], tree: ast.Module | None, *, loud: bool) -> int:
    os.setpgid(0, 0)
    if not loud:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
    import hypothesis
    import pytest

    # The same examples for every mutant, and not many: what a mutant survives today it survives tomorrow.
    hypothesis.settings.register_profile(
        "mutate", max_examples=25, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck), phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
    )  # fmt: skip
    hypothesis.settings.load_profile("mutate")
    if tree is not None:
        # Imported here, before pytest could load the file as it is.
        sys.meta_path.insert(0, _Planted(module, tree))
        try:
            importlib.import_module(module)
        except Exception:  # noqa: BLE001 - a mutant may break the import in any way
            return 1
    # Plain assertions: rewriting them takes longer than the tests, and who reads why a mutant was killed?
    arguments = ["-x", "-q", "-m", "not verify", "--assert=plain", "-p", "no:randomly", "-p", "no:xdist"]
    # One file after the other: most mutants fall to the first, and the others need not even be loaded.
    return next((int(code) for test in tests if (code := pytest.main([*arguments, test]))), 0)


def load_tools() -> None:
    """What every child needs and no mutant touches."""
    import hypothesis.strategies
    import msgspec
    import numpy
    import pytest

    assert hypothesis.strategies
    assert msgspec
    assert numpy
    assert pytest
    assert not any(name.startswith("flashscalper.trading") for name in sys.modules)


def load_what_they_load(module: str, tests: Sequence[str]) -> None:
    """The libraries that these tests import, found by running them in a child; loaded here, every later child has them."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        _in_child(module, tests, None, loud=False)
        ours = ("flashscalper", "tests", "test_", "__")
        os.write(writing, " ".join(name for name in sys.modules if not name.startswith(ours)).encode()[:60_000])
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with open(reading, "rb") as names:
        for name in names.read().decode().split():
            with suppress(ImportError):
                importlib.import_module(name)


class Score(NamedTuple):
    """What came of one module."""

    label: str
    total: int
    survivors: tuple[Mutant, ...]


def judge(label: str, say: Callable[[str], None], every: int) -> Score:
    """Run a module's mutants, every `every`-th of them."""
    path, tests = TARGETS[label]
    module = "flashscalper." + path.removesuffix(".py").replace("/", ".")
    paths = [str(ROOT / "tests" / test) for test in tests]
    load_what_they_load(module, paths)
    _passes(label, module, paths)
    chosen = mutants(label)[::every]
    survivors = []
    began = time.monotonic()
    for number, mutant in enumerate(chosen, 1):
        if outcome(module, paths, mutant.tree) == "survived":
            survivors.append(mutant)
            say(f"  survived, {path}:{mutant.line}: {mutant.before} -> {mutant.after}")
        if number % 50 == 0:
            say(f"  {label}: {number} of {len(chosen)}, {len(survivors)} survived, {time.monotonic() - began:.0f} s")
    _passes(label, module, paths)
    return Score(label, len(chosen), tuple(survivors))


def _passes(label: str, module: str, paths: Sequence[str]) -> None:
    """Before and after: tests that fail on the code as it is (somebody changed a file meanwhile) kill every mutant."""
    if outcome(module, paths, None) != "survived":
        outcome(module, paths, None, loud=True)
        raise SystemExit(f"{label}: its tests fail on the code as it is")


def known_survivors() -> dict[str, str]:
    """Reason by mutant."""
    if not SURVIVORS.is_file():
        return {}
    return {
        f"{label}: {one['mutant']}": one["why"]
        for label, ones in tomllib.loads(SURVIVORS.read_text()).items()
        for one in ones
    }


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(TARGETS), action="append", help="these modules; default: all")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="every N-th mutant, for a quick look")
    parser.add_argument("--list", action="store_true", help="print the mutants and stop")
    chosen = parser.parse_args()
    labels = chosen.only or list(TARGETS)
    if chosen.list:
        for label in labels:
            for mutant in mutants(label):
                print(f"{mutant.line:4} {mutant.name}")
        return 0
    os.chdir(ROOT)
    sys.path[:0] = [str(ROOT), str(ROOT / "src")]  # a checkout tests itself, whichever one is installed
    load_tools()
    scores = [judge(label, lambda line: print(line, flush=True), chosen.every) for label in labels]
    return report(scores)


def report(scores: Sequence[Score]) -> int:
    """The table, and what nobody explained."""
    known = known_survivors()
    unexplained = [mutant for score in scores for mutant in score.survivors if mutant.name not in known]
    total, alive = sum(score.total for score in scores), sum(len(score.survivors) for score in scores)
    for score in scores:
        killed = score.total - len(score.survivors)
        print(f"{score.label:10} {killed:5} of {score.total:5} killed, {killed / score.total:6.1%}")
    print(f"{'all':10} {total - alive:5} of {total:5} killed, {(total - alive) / total:6.1%}")
    for mutant in unexplained:
        print(f"no reason is given for: {mutant.name}")
    return 0 if (total - alive) / total >= WANTED and not unexplained else 1


if __name__ == "__main__":
    sys.exit(main())
