"""The simulated exchange over real sockets: its server, its state on disk, its feeds from outside, and who starts it."""
