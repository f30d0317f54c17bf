"""From a class that somebody wrote to a strategy that the engine can run; the pure part of `--strategy my.py:MyStrategy`.

Importing the file is the caller's business. Here the class is checked before anything trades with it: what it must have,
what its parameters accept, whether its exits make sense. Every complaint is a ConfigError that names what was expected.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import cast

from flashscalper.model.errors import ConfigError, FlashScalperError
from flashscalper.model.instants import INTERVALS_US
from flashscalper.model.markets import Market
from flashscalper.strategies.base import Strategy
from flashscalper.strategies.exit_policy import ExitPolicy
from flashscalper.strategies.plan import PlanStrategy, TradingPlan, parse_values

_REQUIRED = ("intervals", "warmup", "on_kline", "judgement")


def find_class(module: ModuleType, name: str) -> type:
    """The class `name` of an imported module; unknown names are refused with the strategies that the module has."""
    found = getattr(module, name, None)
    if inspect.isclass(found):
        return found
    offered = [key for key, item in vars(module).items() if inspect.isclass(item) and item.__module__ == module.__name__]
    raise ConfigError("strategy", name, ", ".join(offered) or f"a class; {module.__name__} has none")


def check_class(strategy: type) -> None:
    """Refuse a class that is neither a `TradingPlan` nor has everything of the `Strategy` protocol."""
    name = strategy.__name__
    if issubclass(strategy, TradingPlan):
        _check_plan(strategy)
        return
    missing = [part for part in _REQUIRED if not hasattr(strategy, part)]
    if missing:
        raise ConfigError(
            f"strategy {name}", f"no {', '.join(missing)}", f"a TradingPlan, or a class with {', '.join(_REQUIRED)}"
        )
    on_kline: Callable[..., object] = inspect.getattr_static(strategy, "on_kline")
    parameters = inspect.signature(on_kline).parameters
    if "live" not in parameters:
        raise ConfigError(f"strategy {name}.on_kline", f"({', '.join(parameters)})", "(self, view, *, live)")


def check_values(strategy: type, values: Mapping[str, object]) -> None:
    """Refuse a parameter that the class does not declare, and a value outside its range, before anything is made of it."""
    if issubclass(strategy, TradingPlan):
        parse_values(strategy, values)
    elif values:
        raise ConfigError(
            f"strategy {strategy.__name__}", ", ".join(values), "no parameters: only a TradingPlan declares them"
        )


def build_strategy(strategy: type, market: Market, values: Mapping[str, object] | None = None) -> Strategy:
    """One instance for one market, with its parameters set; a `TradingPlan` comes wrapped as a `Strategy`.

    Raises ConfigError, also for what the class itself raises while it is made.
    """
    check_class(strategy)
    check_values(strategy, values or {})
    try:
        made = _make(strategy, market, values)
    except FlashScalperError:
        raise
    except Exception as error:
        seen = f"{type(error).__name__}: {error}"
        raise ConfigError(f"strategy {strategy.__name__}", seen, "a class that can be made for a market") from error
    for interval in made.intervals:
        _check_interval(f"strategy {strategy.__name__}.intervals", interval)
    _check_exits(strategy.__name__, getattr(made, "exits", None))
    return made


def _make(strategy: type, market: Market, values: Mapping[str, object] | None) -> Strategy:
    if issubclass(strategy, TradingPlan):
        return PlanStrategy(strategy(market, values))
    return cast("Callable[[Market], Strategy]", strategy)(market)


def exits_of(strategy: object, otherwise: ExitPolicy) -> ExitPolicy:
    """The strategy's own exit policy if it has one, else the configured one."""
    own = getattr(strategy, "exits", None)
    return own if isinstance(own, ExitPolicy) else otherwise


def _check_plan(plan: type[TradingPlan]) -> None:
    name = plan.__name__
    if plan.on_kline is TradingPlan.on_kline:
        raise ConfigError(f"strategy {name}", "no on_kline", "on_kline(self, view) -> Signal | None")
    if list(inspect.signature(plan.on_kline).parameters)[1:] != ["view"]:
        raise ConfigError(f"strategy {name}.on_kline", str(inspect.signature(plan.on_kline)), "on_kline(self, view)")
    for field, intervals in (("interval", (plan.interval,)), ("also", plan.also)):
        for interval in intervals:
            _check_interval(f"strategy {name}.{field}", interval)
    _check_exits(name, plan.exits)
    plan.parameters()


def _check_exits(name: str, exits: object) -> None:
    """Of the class, and again of what was made of it: `setup` may have set them from the parameters."""
    if exits is None:
        return
    if not isinstance(exits, ExitPolicy):
        raise ConfigError(f"strategy {name}.exits", exits, "one ExitPolicy")
    exits.validate(f"{name}.exits")


def _check_interval(field: str, interval: object) -> None:
    if interval not in INTERVALS_US:
        raise ConfigError(field, interval, ", ".join(INTERVALS_US))
