"""One message to many listeners: JSON text and SBE frames are made once each, and only if somebody wants them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flashscalper.simulator.paradex_server.answers import JSON_ENCODER
from flashscalper.simulator.paradex_server.sessions import Session, Sessions
from flashscalper.simulator.paradex_server.views import View


class Frames:
    """The encodings of one event, each made at the first asking. `sbe` None: there is no template, or it stays JSON."""

    __slots__ = ("_binary", "_data", "_json", "_sbe")

    def __init__(self, json: Callable[[], View], sbe: Callable[[int], bytes] | None) -> None:
        self._json = json
        self._sbe = sbe
        self._data: bytes | None = None
        self._binary: dict[int, bytes] = {}

    def text(self, channel: str) -> bytes:
        """The JSON push under that channel name."""
        if self._data is None:
            self._data = JSON_ENCODER.encode(self._json())
        head = b'{"jsonrpc":"2.0","method":"subscription","params":{"channel":"'
        return b"".join((head, channel.encode(), b'","data":', self._data, b"}}"))

    def binary(self, version: int) -> bytes | None:
        """The SBE frame, None when this event has none."""
        if self._sbe is None:
            return None
        frame = self._binary.get(version)
        if frame is None:
            frame = self._binary[version] = self._sbe(version)
        return frame


class Fanout:
    """Sends events to listeners in the encoding of their connection."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def to_all(self, channel: str, frames: Frames, account: str = "") -> None:
        """To everybody who listens to the channel (of an account)."""
        self.to(self._sessions.listeners(channel, account), channel, frames)

    def to(self, listeners: Iterable[Session], channel: str, frames: Frames) -> None:
        """To these listeners."""
        text: bytes | None = None
        for session in listeners:
            frame = None if session.sbe_version is None else frames.binary(session.sbe_version)
            if frame is not None:
                self._sessions.send_binary(session, frame, channel)
                continue
            if text is None:
                text = frames.text(channel)
            self._sessions.send_text(session, text, channel)

    def to_one(self, session: Session, channel: str, frames: Frames) -> None:
        """To one listener."""
        self.to((session,), channel, frames)
