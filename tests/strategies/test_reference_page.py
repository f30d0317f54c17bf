"""The reference page of own strategies lists what there is: every indicator with its ranges, every field of a signal."""

from __future__ import annotations

from pathlib import Path

from flashscalper.indicators.registry import INDICATORS, Choice, IndicatorKind
from flashscalper.strategies.base import Signal
from flashscalper.strategies.exit_policy import ExitPolicy

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "own-strategies.md").read_text()


def row(kind: IndicatorKind) -> str:
    """An indicator as the page's table has it."""
    named = []
    for name, parameter in kind.parameters.items():
        if isinstance(parameter, Choice):
            many = ", any interval" if isinstance(parameter.default, str) else ""
            named.append(f"`{name}` {str(parameter.default).lower()}{many}")
        else:
            named.append(f"`{name}` {parameter.default:g}, {parameter.least:g} to {parameter.most:g}")
    module = kind.make.__module__.rsplit(".", 1)[-1]
    return f"| `{module}.{kind.make.__name__}` | {'; '.join(named) or '-'} |"


def test_every_indicator_stands_there_with_its_defaults_and_ranges() -> None:
    missing = [row(kind) for kind in INDICATORS.values() if row(kind) not in PAGE]
    assert missing == []


def test_every_field_of_a_signal_and_every_rule_of_an_exit_policy_is_explained() -> None:
    fields = (*Signal.__struct_fields__, *ExitPolicy.__struct_fields__)
    assert [name for name in fields if f"`{name}`" not in PAGE] == []
