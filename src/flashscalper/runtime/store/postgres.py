"""The store in PostgreSQL: for bots on several machines, or whoever has one anyway. Needs `flashscalper[postgres]`.

Everything is in a schema of its own, `flashscalper`, so the database may be shared with other programs. Every wait has an
end: a database that does not answer is a lost one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, ClassVar, Final

from flashscalper.model.errors import ConfigError, StoreError
from flashscalper.model.secrets import Secret
from flashscalper.runtime.credentials import DATABASE_VARIABLE
from flashscalper.runtime.store.database import Database
from flashscalper.runtime.store.tables import Kind, Value

if TYPE_CHECKING:
    import psycopg

SCHEMA: Final = "flashscalper"
_ACCEPTED: Final = "postgresql://user:password@host:5432/database"
_VERIFIED: Final = "verify-full"
_LIMITS: Final = {
    "connect_timeout": "5", "keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3",
    "tcp_user_timeout": "15000", "application_name": "flashscalper",
    "options": "-c statement_timeout=15000 -c lock_timeout=10000 -c idle_in_transaction_session_timeout=30000",
}  # fmt: skip
_LOCK: Final = 0x46535354
"""Key of the advisory lock under which the tables are made."""


def read_address(url: Secret) -> dict[str, str]:
    """The connection's parameters. Raises ConfigError when it is no address of a PostgreSQL, when the driver is not
    installed, and when it leads off this machine without TLS that checks the certificate and the host's name."""
    if not url.reveal().startswith(("postgresql://", "postgres://")):
        raise ConfigError(DATABASE_VARIABLE, url, _ACCEPTED)
    try:
        import psycopg.conninfo  # noqa: PLC0415 - an extra
    except ImportError:
        accepted = "an address, with the driver: pip install 'flashscalper[postgres]'"
        raise ConfigError(DATABASE_VARIABLE, url, accepted) from None
    try:
        given = psycopg.conninfo.conninfo_to_dict(url.reveal())
    except psycopg.Error:
        raise ConfigError(DATABASE_VARIABLE, url, _ACCEPTED) from None  # the driver's own words would show the password
    parameters = _LIMITS | {name: str(value) for name, value in given.items() if value is not None}
    return parameters | _protected(parameters, url)


def _protected(parameters: Mapping[str, str], url: Secret) -> dict[str, str]:
    hosts = (parameters.get("hostaddr") or parameters.get("host", "")).split(",")
    if all(_on_this_machine(host) for host in hosts):
        return {}
    if parameters.get("sslmode", _VERIFIED) != _VERIFIED:
        raise ConfigError(
            DATABASE_VARIABLE, url, f"sslmode={_VERIFIED} for a database on another machine, or a tunnel that ends here"
        )
    return {"sslmode": _VERIFIED, "sslrootcert": parameters.get("sslrootcert", "system")}


def _on_this_machine(host: str) -> bool:
    """A socket in the file system, or loopback."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class PostgresDatabase(Database):
    """A connection with the parameters that `read_address` gave."""

    PREFIX: ClassVar[str] = f"{SCHEMA}."
    MARK: ClassVar[str] = "%s"
    TYPES: ClassVar[dict[Kind, str]] = {
        Kind.TEXT: "TEXT", Kind.AMOUNT: "NUMERIC", Kind.INSTANT: "BIGINT", Kind.COUNT: "BIGINT", Kind.FLAG: "BOOLEAN",
        Kind.NUMBER: "DOUBLE PRECISION", Kind.JSON: "JSON",
    }  # fmt: skip

    def __init__(self, parameters: Mapping[str, str]) -> None:
        import psycopg  # noqa: PLC0415 - an extra

        with _translated():
            self._db: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(autocommit=True, **parameters)  # type: ignore[arg-type]

    def execute(self, query: str, values: Sequence[Value] = ()) -> list[tuple[Any, ...]]:
        """Run one statement."""
        with _translated():
            cursor = self._db.execute(query.encode(), values or None)
            return cursor.fetchall() if cursor.description is not None else []

    def execute_many(self, query: str, rows: Sequence[Sequence[Value]]) -> None:
        """Run one statement for each row, in one round trip."""
        with _translated(), self._db.cursor() as cursor:
            cursor.executemany(query.encode(), rows)

    def transaction(self) -> AbstractContextManager[object]:
        """A transaction of the connection."""
        return self._transaction()

    @contextmanager
    def _transaction(self) -> Iterator[object]:
        with _translated(), self._db.transaction():
            yield self

    def version(self) -> int | None:
        """From a table with one row."""
        if self.execute("SELECT to_regclass(%s)", (f"{SCHEMA}.schema_version",)) == [(None,)]:
            return None
        rows = self.execute(f"SELECT version FROM {SCHEMA}.schema_version")  # noqa: S608
        return int(rows[0][0]) if rows else 0

    def begin_schema(self) -> None:
        """The schema, unless somebody made it for us; whoever has no right to make one is told by the server."""
        self.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if not self.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (SCHEMA,)):
            self.execute(f"CREATE SCHEMA {SCHEMA}")

    def set_version(self, version: int) -> None:
        """Into the table with one row."""
        self.execute(f"CREATE TABLE {SCHEMA}.schema_version (version INTEGER NOT NULL)")
        self.execute(f"INSERT INTO {SCHEMA}.schema_version VALUES (%s)", (version,))  # noqa: S608

    def drop(self) -> None:
        """Everything in our schema, which itself stays: it may belong to somebody else."""
        query = (
            "SELECT c.relkind, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = %s AND c.relkind IN ('r', 'v') ORDER BY c.relkind DESC, c.relname"
        )
        for kind, name in self.execute(query, (SCHEMA,)):
            words = "VIEW" if kind in ("v", b"v") else "TABLE"
            self.execute(f'DROP {words} {SCHEMA}."{name}" CASCADE')

    def close(self) -> None:
        """Close the connection."""
        with suppress(Exception):
            self._db.close()


@contextmanager
def _translated() -> Iterator[None]:
    import psycopg  # noqa: PLC0415 - an extra

    try:
        yield
    except (psycopg.Error, OSError) as error:
        raise StoreError(" ".join(str(error).split()) or type(error).__name__) from error
