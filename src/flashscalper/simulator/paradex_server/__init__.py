"""The simulated exchange as Paradex's clients see it: REST, WebSocket, JSON and SBE, tokens and limits; no sockets."""
