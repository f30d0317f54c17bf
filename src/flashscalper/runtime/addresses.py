"""Hosts and URLs: what is loopback, and that everything else is encrypted."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from flashscalper.model.errors import ConfigError

_ENCRYPTED = frozenset({"https", "wss"})
_PLAIN = frozenset({"http", "ws"})


def is_loopback(host: str) -> bool:
    """Whether a host can only be this machine: `localhost`, 127.0.0.0/8 or ::1. No name is looked up."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_url(field: str, url: str) -> str:
    """The URL, when nothing of it travels readable beyond this machine; raises ConfigError naming `field` otherwise."""
    reason = plain_text_reason(url)
    if reason:
        raise ConfigError(field, url, reason)
    return url


@lru_cache(maxsize=64)
def plain_text_reason(url: str) -> str:
    """Why a URL must not be used, as the accepted form; empty when it may."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in _ENCRYPTED | _PLAIN:
        return "a URL with a host that begins with https:// or wss:// (http:// and ws:// on loopback)"
    if parts.username or parts.password:
        return "a URL without a user name or password in it"
    if parts.scheme in _PLAIN and not is_loopback(host):
        return "https:// or wss://; http:// and ws:// only on loopback"
    return ""


@lru_cache(maxsize=1024)
def path_and_query(url: str) -> tuple[str, str]:
    """The part of a URL that a server sees: path (at least `/`) and query without the question mark."""
    parts = urlsplit(url)
    return parts.path or "/", parts.query
