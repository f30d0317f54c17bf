"""Randomness as something handed in: pure rooms take dice (a seeded `random.Random` fits), they never make any."""

from __future__ import annotations

from typing import Protocol


class Dice(Protocol):
    """The part of `random.Random` that pure rooms may use."""

    def random(self) -> float:
        """Uniform in [0, 1)."""
        ...

    def gauss(self, mu: float = 0.0, sigma: float = 1.0, /) -> float:
        """Normal with mean `mu` and standard deviation `sigma`."""
        ...

    def expovariate(self, lambd: float, /) -> float:
        """Exponential with rate `lambd`."""
        ...

    def randrange(self, start: int, stop: int | None = None, /) -> int:
        """A whole number in [start, stop), or [0, start)."""
        ...
