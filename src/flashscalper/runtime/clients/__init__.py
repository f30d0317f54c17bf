"""Paradex for scripts: the async clients behind the public names, and the factory that makes them."""
