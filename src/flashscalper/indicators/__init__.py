"""Technical analysis: small incremental machines, one kline in, one value out, never looking back at what they gave."""
