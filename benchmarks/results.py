"""The page of results: the table of goals first, then what every script measured, on what, with which versions."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from benchmarks.machine import describe
from benchmarks.rows import ROWS, Answers, Figure, Row
from benchmarks.turns import ROOT


class Ran(NamedTuple):
    """One script: what it said, or why not."""

    name: str
    command: str
    answers: list[dict[str, Any]]
    error: str
    seconds: float
    steal: float | None


def page(ran: Sequence[Ran], started_at: datetime, seconds: float) -> str:
    """The whole page."""
    answers = {one.name: one.answers for one in ran}
    lines = [
        "# Measured",
        "",
        "Written by `make bench`; do not edit. Ours and theirs take turns on the same work, so that a busy machine slows",
        "all alike: trust the ratios, not the times. Spreads are the quartiles of the rounds' ratios, or best and worst.",
        "",
        *_machine(ran, started_at, seconds),
        "",
        "| work | compared with | goal | measured | spread | met |",
        "|---|---|---|---|---|---|",
        *(_line(row, answers) for row in ROWS),
        "",
    ]
    for one in ran:
        lines += _section(one)
    return "\n".join(lines).rstrip().replace(f"{ROOT}/", "") + "\n"


def _machine(ran: Sequence[Ran], started_at: datetime, seconds: float) -> Iterator[str]:
    about = describe()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    yield f"- machine: {about['processor']}, {about['system']}, Python {about['python']}; load at the end {load}"
    stolen = [one.steal for one in ran if one.steal is not None]
    if stolen:
        yield f"- time that the hypervisor took from what was demanded: {min(stolen):.1%} to {max(stolen):.1%} by script"
    yield f"- begun {started_at:%Y-%m-%d %H:%M} UTC, {seconds / 60:.0f} minutes"


def _line(row: Row, answers: Answers) -> str:
    figure = row.read(answers)
    goal = "stated" if row.goal is None else f"{'at most' if row.at_most else 'at least'} {_number(row.goal)}{_unit(row)}"
    if figure is None:
        return f"| {row.work} | {row.peer} | {goal} | not measured here | | |"
    met = row.met(figure)
    verdict = "" if met is None else "met" if met else f"**short**: {row.why}" if row.why else "**short**"
    return f"| {row.work} | {row.peer} | {goal} | {_number(figure.value)}{_unit(row)} | {_spread(figure)} | {verdict} |"


def _unit(row: Row) -> str:
    return row.unit if row.unit.startswith("x") else f" {row.unit}"


def _spread(figure: Figure) -> str:
    return "" if figure.low is None or figure.high is None else f"{_number(figure.low)} to {_number(figure.high)}"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _section(one: Ran) -> Iterator[str]:
    steal = "" if one.steal is None else f", steal {one.steal:.1%}"
    title = one.answers[0].get("title", one.name) if one.answers else one.name
    yield from (f"## {title}", "", f"`{one.command}`, {one.seconds:.0f} s{steal}", "")
    if one.error:
        yield from (f"It failed: {one.error}", "")
    for number, answer in enumerate(one.answers):
        if number and answer.get("title") != title:
            yield from (f"### {answer.get('title')}", "")
        if "about" in answer:
            yield from (str(answer["about"]), "")
        yield from _table(answer)
        for name in answer.get("missing", ()):
            yield from (f"Left out: {name}", "")


def _table(answer: Mapping[str, Any]) -> Iterator[str]:
    """Subjects as lines and their numbers as columns; else every number with its path."""
    if "chart" in answer:
        yield from (f"![{answer.get('title', '')}]({answer['chart']})", "")
    rows = answer.get("rows")
    if rows:
        columns = [key for key in rows[0] if key not in {"name", "versions", "python"}]
        yield f"| {answer.get('unit', '')} | " + " | ".join(columns) + " | Python, versions |"
        yield "|---" * (len(columns) + 2) + "|"
        for row in rows:
            numbers = " | ".join(_cell(row.get(key)) for key in columns)
            yield f"| {row['name']} | {numbers} | {_versions(row)} |"
        yield ""
        return
    numbers = list(
        _flat("", {key: part for key, part in answer.items() if key not in {"title", "about", "chart", "missing"}})
    )
    if numbers:
        yield from ("| figure | |", "|---|---|", *(f"| {name} | {_cell(part)} |" for name, part in numbers), "")


def _flat(path: str, node: object) -> Iterator[tuple[str, object]]:
    if isinstance(node, Mapping):
        for key, part in node.items():
            yield from _flat(f"{path}, {key}" if path else str(key), part)
    elif not isinstance(node, list):
        yield path, node


def _cell(part: object) -> str:
    return _number(part) if isinstance(part, float) else "" if part is None else str(part)


def _versions(row: Mapping[str, Any]) -> str:
    found = [str(row["python"])] if "python" in row else []
    return ", ".join(found + [f"{name} {number}" for name, number in (row.get("versions") or {}).items()])
