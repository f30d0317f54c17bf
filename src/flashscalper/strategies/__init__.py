"""What we want from a market: each strategy looks at a view and says what it thinks."""
