"""What drives the simulated exchange: a synthetic market or a recording."""
