"""Garbage collection of a trading process, decided on purpose.

What a process builds before it trades (modules, settings, signing tables, markets: some hundred thousand objects) lives as
long as it does. Python's collector would walk over all of it again and again, tens of milliseconds each time, whenever the
young objects have added up. So that part is frozen, out of the collector's sight, and what comes later is looked at rarely.
Values on the hot path (trades, klines, quotes, book changes) are structs that the collector does not track at all; reference
counting frees them at once. Nothing is switched off: cycles that do come up are found, only later.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 50_000
"""Tracked objects made, less those freed, before the youngest generation is looked at; Python's own is 700 to 2000."""

MIDDLE: Final = 20
OLD: Final = 50


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect once, freeze what is left, and collect rarely until the end of the block."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
