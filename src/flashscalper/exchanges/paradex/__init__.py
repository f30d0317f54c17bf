"""Paradex's language: keys, signing, wire messages, the sans-IO client."""
