"""The only room that waits: loop, sockets, HTTP, journal, tape, clocks, the async clients."""
