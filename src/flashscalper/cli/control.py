"""`status`, `pause`, `resume`, `flatten`, `kill`: what a person says to a running process; kill works without one too."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from flashscalper.cli.settings import read_settings
from flashscalper.cli.target import Target, find_target
from flashscalper.model.commands import CancelOrder, PlaceOrder
from flashscalper.model.errors import ConfigError, FlashScalperError, JournalError, TransportError
from flashscalper.runtime.clients.rest_client import ParadexRestClient
from flashscalper.runtime.clock import WallClock
from flashscalper.runtime.control import Asked, ask
from flashscalper.runtime.credentials import Credentials, check_acknowledged
from flashscalper.runtime.journal import Journal
from flashscalper.runtime.live import run_loop
from flashscalper.runtime.recovery import recover
from flashscalper.runtime.rest_kill import Killed, Write, kill_over_rest
from flashscalper.runtime.session_lock import AccountFolder, SessionLock, holder_of, known_accounts, state_root
from flashscalper.runtime.status import what_is_left
from flashscalper.trading.misses import BUSY, other_class_text
from flashscalper.trading.saved import SavedState


class NotRunningError(FlashScalperError):
    """No process trades the account that was meant."""


def find_running(account: str) -> AccountFolder:
    """The one account that is traded now; `account` is part of its name. Raises NotRunningError or ConfigError."""
    running = [folder for folder in _accounts(account) if holder_of(folder) is not None]
    if not running:
        named = f" for account {account!r}" if account else ""
        raise NotRunningError(f"nothing is running on this machine{named}")
    if len(running) > 1:
        raise ConfigError("account", account, " or ".join(folder.name for folder in running))
    return running[0]


def say(action: str, account: str, asked: Asked, *, json: bool) -> int:
    """Have the running process do something and show its status."""
    folder = find_running(account)
    _show(run_loop(ask(folder, action, asked)), json=json)
    return 0


def status(account: str, *, json: bool) -> int:
    """What is running; exit code 1 when nothing is, with the state of the kill switch."""
    try:
        return say("status", account, Asked(), json=json)
    except NotRunningError as error:
        latched = {folder.name: reason for folder in _accounts(account) if (reason := folder.killed_because()) is not None}
        if json:
            _print({"running": False, "killed": latched})
        else:
            _write(str(error))
            for name, reason in latched.items():
                _write(f"{name} is killed: {reason}; `flashscalper resume --clear-kill` opens the latch")
        return 1


def resume(account: str, *, clear_kill: bool, json: bool) -> int:
    """Take pauses and halts away, in the running process or, for the latch of the kill switch, for the next start."""
    try:
        return say("resume", account, Asked(clear_kill=clear_kill), json=json)
    except NotRunningError:
        if not clear_kill:
            raise
    killed = [folder for folder in _accounts(account) if folder.killed_because() is not None]
    if len(killed) != 1:
        raise ConfigError("account", account, " or ".join(folder.name for folder in killed) or "an account that is killed")
    killed[0].open_latch()
    _print({"running": False, "cleared": killed[0].name}) if json else _write(f"{killed[0].name}: the latch is open")
    return 0


def kill(account: str, reason: str, *, flatten: bool | None, environment: str, url: str, json: bool) -> int:
    """The kill switch: latch, tell the running process; without one, or when it does not answer, over REST with the key."""
    try:
        folder = find_running(account)
    except NotRunningError:
        try:
            return _kill_over_rest(find_target(url=url, environment=environment), reason, flatten=flatten, json=json)
        except FlashScalperError:
            _latch_at_least(account, reason)
            raise
    _latch(folder, reason, then="it holds as far as the journal of the running process does")
    if flatten is not None:
        sys.stderr.write(
            "the running process does what its settings say (trading.protection.flatten_on_kill), not this option\n"
        )
    try:
        _show(run_loop(ask(folder, "kill", Asked(reason=reason))), json=json)
    except TransportError as error:
        _write(f"{error}; going over REST")
        return _kill_over_rest(find_target(url=url, environment=environment), reason, flatten=flatten, json=json)
    return 0


def _kill_over_rest(target: Target, reason: str, *, flatten: bool | None, json: bool) -> int:
    credentials = target.credentials()
    check_acknowledged(credentials, target.environment, target.variables.get("LIVE_ACK", ""))
    if flatten is None:
        flatten = read_settings(None).trading.protection.flatten_on_kill
    killed = run_loop(_kill(target, credentials, reason, flatten=flatten))
    good = not killed.problems and not (flatten and killed.left)
    if json:
        _print({"running": False, **msgspec.to_builtins(killed), "done": good})
    else:
        for line in _told(killed, flatten=flatten):
            _write(line)
    return 0 if good else 1


async def _kill(target: Target, credentials: Credentials, reason: str, *, flatten: bool) -> Killed:
    client, now = ParadexRestClient(target.settings, credentials), WallClock().now()
    try:
        account = (await client.get_balance()).account
        folder = AccountFolder(target.environment, account, state_root(os.environ))
        unlatched = _latch(folder, reason)
        with ExitStack() as stack:
            write = _journal_of(folder, stack, now)
            killed = await kill_over_rest(client, _saved(folder), now, flatten=flatten, write=write)
    finally:
        await client.close()
    return msgspec.structs.replace(killed, problems=(*killed.problems, unlatched)) if unlatched else killed


def _latch(folder: AccountFolder, reason: str, then: str = "the next start would trade again") -> str:
    """Close the latch. A disk that is full or read-only does not stop a kill; then this says what that means."""
    try:
        folder.latch(reason)
    except OSError as error:
        problem = f"the latch could not be written ({error.strerror}): {then}"
        sys.stderr.write(f"{problem}\n")
        return problem
    return ""


def _latch_at_least(account: str, reason: str) -> None:
    """The exchange could not be asked (no key, no network): then at least nothing trades the account again."""
    folders = _accounts(account)
    if len(folders) == 1 and not _latch(folders[0], reason):
        sys.stderr.write(f"{folders[0].name} is latched; its orders and positions at the exchange may be as they were\n")
    elif len(folders) > 1:
        names = ", ".join(folder.name for folder in folders)
        sys.stderr.write(f"nothing is latched: `--account` says which of {names} is meant\n")


def _saved(folder: AccountFolder) -> SavedState | None:
    """The journal's word on what is ours; a journal that cannot be read does not stop a kill."""
    try:
        return recover(folder)
    except FlashScalperError as error:
        _write(f"going on without the journal: {error}")
        return None


def _journal_of(folder: AccountFolder, stack: ExitStack, now: int) -> Write:
    """Writes into the journal that the next run continues; without one, or when a process that hangs has it, nothing."""
    try:
        path = Path(folder.last_run.read_text().strip())
        stack.enter_context(SessionLock(folder, "kill", path.parent))
        journal = stack.enter_context(Journal(path, {})) if path.is_file() else None
    except (OSError, FlashScalperError):
        journal = None

    def write(commands: Sequence[CancelOrder | PlaceOrder]) -> None:
        if journal is None or not commands:
            return
        try:
            journal.append(now, commands)
            journal.sync()
        except JournalError as error:
            sys.stderr.write(f"going on without the journal: {error}\n")

    return write


def _told(killed: Killed, *, flatten: bool) -> list[str]:
    lines = [f"canceled {len(killed.canceled)} orders of ours"]
    lines += [f"closed {size} {symbol}" for symbol, size in killed.closed.items()]
    kept = "still held" if flatten else "kept with its stop"
    lines += [f"{symbol} {size} {kept}" for symbol, size in killed.left.items()]
    lines += [f"problem: {problem}" for problem in killed.problems]
    return [*lines, "the latch is closed: `flashscalper resume --clear-kill` opens it"]


def _accounts(account: str) -> list[AccountFolder]:
    return [folder for folder in known_accounts(state_root(os.environ)) if account.lower() in folder.name.lower()]


def _show(document: dict[str, Any], *, json: bool) -> None:
    if json:
        _print(document)
        return
    degraded = " DEGRADED" if document["degraded"] else ""
    _write(f"{document['run']} on {document['environment']}: {document['state']}{degraded}")
    for reason in document["reasons"]:
        _write(f"  because {reason}")
    _write(f"  equity {document['equity']} USDC, round trips {document['round_trips']}; {what_is_left(document)}")
    for symbol, market in document["markets"].items():
        _write(f"  {symbol}: {_market_line(market)}")
    if store_line := _store_line(document["store"]):
        _write(f"  {store_line}")


def _store_line(store: dict[str, Any]) -> str:
    """What a person should know of the database; empty while it has everything or is not wanted."""
    if store["state"] not in ("lost", "behind"):
        return ""
    why = f": {store['detail']}" if store["detail"] else ""
    behind = f"{store['behind_bytes']} bytes of the journal and {store['behind_s']:.0f} s behind"
    return f"store {store['where']} {store['state']}{why}; {behind}, trading goes on"


def _market_line(market: dict[str, Any]) -> str:
    position, miss = market["position"], market["nearest_miss"]
    held = "flat" if position is None else f"{position['size']} at {position['entry_price']}, stop {position['stop_price']}"
    near = "" if miss is None else f"; nearest miss {market['nearest_miss_text']}"
    near += other_class_text(market["other_class"], market["other_passes_today"])
    blocks = [block for block in market["blocks"] if not block.startswith(BUSY)]
    shut = f"; takes no entry: {'; '.join(blocks)}" if blocks else ""
    age = market["ages_s"]["quote"]
    return f"{held}{shut}{near}; quote {'never seen' if age is None else f'{age:.1f} s old'}"


def _print(document: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
