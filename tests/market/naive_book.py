"""The plain twin of `OrderBook`: sorts everything every time, so that it can hardly be wrong."""

from __future__ import annotations

from flashscalper.model.events import BookChange


class NaiveBook:
    def __init__(self) -> None:
        self.bids: dict[float, float] = {}
        self.asks: dict[float, float] = {}
        self.seq_no = 0
        self.synced = False

    def apply(self, change: BookChange) -> str:
        if change.snapshot:
            self.bids, self.asks, self.synced = {}, {}, True
        elif not self.synced:
            return "unsynced"
        elif change.seq_no <= self.seq_no:
            return "stale"
        for side, changes in ((self.bids, change.bids), (self.asks, change.asks)):
            for price, size in changes:
                side.pop(price, None)
                if size > 0:
                    side[price] = size
        self.seq_no = change.seq_no
        crossed = self.bids and self.asks and max(self.bids) >= min(self.asks)
        return "crossed" if crossed else "applied"

    def best_first(self) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())
