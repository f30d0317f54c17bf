"""Klines of a recorded day computed in bulk with polars: the oracle of what the builder makes trade by trade."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl


def read_trades(recording: Path) -> pl.DataFrame:
    """Every trade of the recording in trade-id order: id, at (UTC), price, size, whether a buyer took."""
    rows = []
    with gzip.open(recording, "rt") as file:
        for line in file:
            data = json.loads(line.split(" ", 1)[1]).get("data", {})
            if data.get("e") == "trade":
                rows.append((data["t"], data["T"], float(data["p"]), float(data["q"]), not data["m"]))
    frame = pl.DataFrame(rows, schema=["id", "at", "price", "size", "buy"], orient="row")
    return frame.sort("id").with_columns(
        pl.from_epoch("at", time_unit="ms").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    )


def bulk_klines(trades: pl.DataFrame, seconds: int) -> pl.DataFrame:
    """One row an interval that has trades, oldest first."""
    quote = pl.col("price") * pl.col("size")
    return (
        trades.with_columns(pl.col("at").dt.truncate(f"{seconds}s").alias("open_at"))
        .group_by("open_at", maintain_order=True)
        .agg(
            pl.col("price").first().alias("open"),
            pl.col("price").max().alias("high"),
            pl.col("price").min().alias("low"),
            pl.col("price").last().alias("close"),
            pl.len().alias("trade_count"),
            pl.col("size").sum().alias("volume"),
            quote.sum().alias("quote_volume"),
            pl.col("size").filter("buy").sum().alias("taker_buy_volume"),
            quote.filter(pl.col("buy")).sum().alias("taker_buy_quote_volume"),
        )
        .sort("open_at")
        .with_columns((pl.col("open_at") + pl.duration(seconds=seconds)).alias("close_at"))
    )
