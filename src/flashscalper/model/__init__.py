"""The nouns that every room may say: markets, klines, orders, fills, positions, events, commands, errors."""
