"""Encrypted files: what a stranger reads of them, and what is left after a kill or a wipe."""

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from sqlite_utils import Database, Migrations

from client_sync import stores
from client_sync.errors import KeyMissing, StoreDamaged, StoreFull, VaultMissing
from client_sync.outbox import Outbox
from client_sync.stores import Folder, machine_key, open_encrypted, write_durably, writing
from client_sync.vault import Vault
from tests.client_sync.builders import SOFT, WORDS, complaint, enrolled_outbox

KEY = bytes(range(32))

MIGRATIONS = Migrations("test")


@MIGRATIONS()
def v0001_note(database: Database) -> None:
    database.table("note").create({"id": int, "text": str}, pk="id")


@pytest.fixture
def path(folder: Folder) -> Path:
    folder.make()
    return folder.path / "some.db"


def test_a_stranger_reads_nothing_of_a_file(path: Path) -> None:
    database = open_encrypted(path, KEY, MIGRATIONS)
    database.table("note").insert({"id": 1, "text": "the name of a person"})
    written = b"".join(each.read_bytes() for each in path.parent.iterdir())
    database.close()
    assert b"the name" not in written
    assert b"note" not in written
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreDamaged):
        open_encrypted(path, bytes(32), MIGRATIONS)


def test_a_wrong_key_says_nothing_on_the_terminal(path: Path) -> None:
    open_encrypted(path, KEY, MIGRATIONS).close()
    program = (
        "import sys; from pathlib import Path; from sqlite_utils import Migrations;"
        "from client_sync.stores import open_encrypted;"
        "open_encrypted(Path(sys.argv[1]), bytes(32), Migrations('test'))"
    )
    run = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=False)
    assert "StoreDamaged" in run.stderr
    assert "ERROR" not in run.stderr


def test_commits_are_durable_and_deleted_text_is_overwritten(path: Path) -> None:
    database = open_encrypted(path, KEY, MIGRATIONS)
    pragmas = {name: database.execute(f"PRAGMA {name}").fetchone()[0] for name in _PRAGMAS}
    database.close()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


_PRAGMAS = ("journal_mode", "synchronous", "foreign_keys", "secure_delete")


def test_a_transaction_leaves_nothing_of_itself_when_it_raises(path: Path) -> None:
    database = open_encrypted(path, KEY, MIGRATIONS)

    def write_and_break() -> None:
        with writing(database):
            database.table("note").insert({"id": 1})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_break()
    assert database.table("note").count == 0
    database.close()


def test_a_full_disk_is_told_apart_and_costs_only_the_last_step(path: Path) -> None:
    database = open_encrypted(path, KEY, MIGRATIONS)
    with writing(database):
        database.table("note").insert({"id": 1, "text": "kept"})
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    with pytest.raises(StoreFull), writing(database):
        database.table("note").insert({"id": 2, "text": "x" * 100_000})
    assert [row["id"] for row in database.query("SELECT id FROM note")] == [1]
    database.close()


def test_two_processes_may_start_on_a_new_file_at_once(path: Path) -> None:
    # The second connection opens while the first stands between its look at the tables and its lock.
    late = Migrations("test")
    opened: list[Database] = []

    @late()
    def v0001_note(database: Database) -> None:
        database.table("note").create({"id": int, "text": str}, pk="id")

    class First(Migrations):
        def pending(self, db: Database) -> list[Migrations._Migration]:
            found = late.pending(db)
            if not opened:
                opened.append(open_encrypted(path, KEY, late))
            return found

        def apply(self, db: Database, **_: object) -> None:  # type: ignore[override]
            late.apply(db)

    database = open_encrypted(path, KEY, First("test"))
    assert database.table("note").exists()
    for each in (database, *opened):
        each.close()


def test_a_small_file_is_replaced_whole_or_not_at_all(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.make()
    path = folder.path / "machine.key"
    write_durably(path, b"first")

    def killed(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write_durably(path, b"second")
    assert path.read_bytes() == b"first"
    monkeypatch.undo()
    write_durably(path, b"third")
    assert path.read_bytes() == b"third"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_store_without_its_key_is_said_to_be_so(folder: Folder) -> None:
    assert machine_key(folder) == machine_key(folder)
    Outbox.open(folder).close()
    folder.machine_key.unlink()
    with pytest.raises(KeyMissing):
        Outbox.open(folder)
    write_durably(folder.machine_key, b"half of a k")
    with pytest.raises(KeyMissing):
        Outbox.open(folder)


def test_the_folder_is_neutral_and_can_be_chosen() -> None:
    assert Folder.default({"CARNET_FOLDER": "/somewhere"}) == Folder(Path("/somewhere"))
    assert Folder.default({}) == Folder(Path.home() / ".carnet")


def test_a_wipe_leaves_nothing_and_can_be_repeated(folder: Folder) -> None:
    Vault.create(folder, WORDS, SOFT).close()
    outbox = enrolled_outbox(folder)
    outbox.finalise("complaint", complaint())
    folder.wipe()
    outbox.close()
    assert list(folder.path.iterdir()) == []
    folder.wipe()


def test_a_wipe_of_the_vault_leaves_what_is_to_be_sent(folder: Folder) -> None:
    vault = Vault.create(folder, WORDS, SOFT)
    vault.save_draft("a", {"narrative": "said"})
    outbox = enrolled_outbox(folder)
    outbox.finalise("complaint", complaint())
    folder.wipe_vault()
    folder.wipe_vault()
    assert (outbox.waiting(), [path for path in folder.path.iterdir() if "vault" in path.name]) == (1, [])
    vault.close()
    outbox.close()


def wiped_up_to(folder: Folder, wipe: str, step: int) -> bool:
    """Wipe in a process of its own that dies before a step; whether it came to that step.

    A step is a line of stores.py: what a kill can come between.
    """
    child = os.fork()
    if child == 0:
        try:
            sys.settrace(_dying_at(step))
            getattr(folder, wipe)()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


KILLED = 9


def _dying_at(last: int) -> Callable[[FrameType, str, Any], Any]:
    lines = itertools.count(1)

    def step(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != stores.__file__:
            return None
        if event == "line" and next(lines) == last:
            os._exit(KILLED)
        return step

    return step


def a_device(folder: Folder, drafts: int = 1) -> Folder:
    """A device with drafts and one complaint that waits."""
    vault = Vault.create(folder, WORDS, SOFT)
    for number in range(drafts):
        vault.save_draft(str(number), {"narrative": "said"})
    vault.close()
    outbox = enrolled_outbox(folder)
    outbox.finalise("complaint", complaint())
    outbox.close()
    return folder


def readable(folder: Folder) -> str:
    """What the passphrase opens: `drafts`, `nothing`."""
    try:
        vault = Vault.open(folder, WORDS)
    except (VaultMissing, KeyMissing):
        return "nothing"
    drafts = len(vault.drafts())
    vault.close()
    return "drafts" if drafts else "nothing"


@pytest.mark.parametrize("wipe", ["wipe_vault", "wipe"])
def test_killed_at_any_step_a_wipe_leaves_the_vault_whole_or_lost(tmp_path: Path, wipe: str) -> None:
    original = a_device(Folder(tmp_path / "original"))
    left, step, killed = [], 0, True
    while killed:
        step += 1
        folder = Folder(tmp_path / f"killed-{step}")
        shutil.copytree(original.path, folder.path)
        killed = wiped_up_to(folder, wipe, step)
        left.append(readable(folder))
        if wipe == "wipe_vault":
            outbox = Outbox.open(folder)
            assert outbox.waiting() == 1
            outbox.close()
        getattr(folder, wipe)()
        assert readable(folder) == "nothing"
    # Whole up to the write over the slot, lost from then on; and that write comes early.
    assert left == sorted(left)
    assert left.count("drafts") <= STEPS_BEFORE_THE_SLOT_IS_GONE
    assert len(left) > 2 * STEPS_BEFORE_THE_SLOT_IS_GONE


STEPS_BEFORE_THE_SLOT_IS_GONE = 12


def test_the_slot_is_gone_after_as_many_steps_whatever_the_device_holds(tmp_path: Path) -> None:
    small, large = (a_device(Folder(tmp_path / name), drafts) for name, drafts in (("small", 1), ("large", 300)))
    steps = []
    for folder in (small, large):
        step = 0
        slot = folder.vault_key.read_bytes()
        while folder.vault_key.exists() and folder.vault_key.read_bytes() == slot:
            step += 1
            wiped_up_to(folder, "wipe", step)
        steps.append(step)
    assert steps[0] == steps[1] <= STEPS_BEFORE_THE_SLOT_IS_GONE + 1
