"""Rolling windows in O(1): the last numbers, their sum, their extreme. Parts of indicators, not indicators."""

from __future__ import annotations

from collections import deque
from math import fsum


class Window:
    """The newest `size` numbers and their sum.

    The sum is taken afresh once per turn, so rounding never piles up, and is exactly zero when all numbers are.
    """

    __slots__ = ("_next", "_numbers", "_zeros", "full", "size", "sum")

    def __init__(self, size: int) -> None:
        self.size = size
        self.sum = 0.0
        self.full = False
        self._numbers: list[float] = []
        self._next = 0
        self._zeros = 0

    def push(self, number: float) -> None:
        """Take the next number; the oldest falls out once the window is full."""
        numbers = self._numbers
        self._zeros = self._zeros + 1 if number == 0.0 else 0
        if not self.full:
            numbers.append(number)
            self.sum += number
            self.full = len(numbers) == self.size
            return
        place = self._next
        self.sum += number - numbers[place]
        numbers[place] = number
        place += 1
        if place == self.size:
            place = 0
            self.sum = fsum(numbers)
        if self._zeros >= self.size:
            self.sum = 0.0
        self._next = place

    @property
    def oldest(self) -> float:
        """The number that falls out next, once full."""
        return self._numbers[self._next]

    def __len__(self) -> int:
        return len(self._numbers)


class Extreme:
    """The largest (`sign` 1) or smallest (`sign` -1) of the newest `size` numbers, and how many pushes ago it came.

    Only numbers that may still become the extreme are kept, so a push costs O(1) on average. Of equals the newest counts.
    """

    __slots__ = ("_candidates", "_count", "_sign", "_size")

    def __init__(self, size: int, sign: int) -> None:
        self._size = size
        self._sign = sign
        self._count = 0
        self._candidates: deque[tuple[int, float]] = deque()

    def push(self, number: float) -> None:
        """Take the next number."""
        candidates = self._candidates
        signed = number * self._sign
        while candidates and candidates[-1][1] <= signed:
            candidates.pop()
        self._count += 1
        candidates.append((self._count, signed))
        if candidates[0][0] <= self._count - self._size:
            candidates.popleft()

    @property
    def full(self) -> bool:
        """Whether `size` numbers have come."""
        return self._count >= self._size

    @property
    def number(self) -> float:
        """The extreme, after the first push."""
        return self._candidates[0][1] * self._sign

    @property
    def age(self) -> int:
        """Pushes since the extreme came, 0 when it was the last."""
        return self._count - self._candidates[0][0]
