"""The store: connections, one write lane, and what happens when the disk fails."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from server.domain.errors import Busy, StorageFailed, StorageFull
from server.store import audit, dialect, lite


@dataclass
class Store:
    """One database. `read` and `write` give a connection inside one transaction."""

    engine: sa.Engine
    _lane: Any = field(init=False)
    _is_suspect: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._lane = dialect.write_lane(self.engine) or nullcontext()

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that only reads: one snapshot. Raises as `write` does."""
        with self._refusing(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, is_synced: bool = True) -> Iterator[sa.Connection]:
        """A transaction that may write; committed, and on disk, when the block ends well.

        Not `is_synced`: it does not wait for the disk. A power cut may take back the last of these, each whole and
        never one before another: for what is then done again, and told to nobody outside.
        Raises StorageFull, StorageFailed or Busy, with nothing written. After a failed disk the next
        writer looks at the whole database before it writes.
        """
        with self._lane, self._refusing():
            self._recover()
            with self.engine.connect() as bare:
                connection = bare.execution_options(begin="IMMEDIATE", events=[])
                with dialect.transaction(connection, is_synced=is_synced):
                    yield connection
                    # Last: on PostgreSQL the counter of the log is locked until the commit.
                    audit.append(connection)

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Turn what is no fault of a statement into a refusal."""
        try:
            yield
        except sa.exc.DBAPIError as error:
            if dialect.is_busy(error):
                raise Busy from error
            if not dialect.is_full(error) and not dialect.is_damage(error):
                raise
            self.engine.dispose()
            if dialect.is_full(error):
                raise StorageFull from error
            self._is_suspect = True
            raise StorageFailed from error

    def _recover(self) -> None:
        """After a failed fsync the pages in memory may be ahead of the disk: read them again, from the disk."""
        if not self._is_suspect:
            return
        self.engine.dispose()
        if not lite.is_sound_again(self.engine):
            raise StorageFailed
        self._is_suspect = False


def open_store(url: str, key: bytes | None) -> Store:
    """The store behind `url`; the tables must be there (`migrations.upgrade`)."""
    return Store(dialect.make_engine(url, key))
