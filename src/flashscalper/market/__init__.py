"""What a market looks like: klines from trades, the order book, symbol mapping."""
