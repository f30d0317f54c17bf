"""Technical analysis: small incremental machines on closed klines."""
