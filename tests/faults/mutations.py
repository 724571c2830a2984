"""The proof that the proofs bite: each promise has a mutation of the code that must turn its test red.

`python -m tests.faults.mutations [NAME]` breaks a copy of the tree in one place after the other, runs the one
test that guards the place, and prints one JSON object a line. Ends with 1 when a test stayed green.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.faults.rig import REPOSITORY

_COPIED: Final = ("client_sync", "fixtures", "server", "tests", "pyproject.toml")
_TIMEOUT_S: Final = 300
_RED: Final = 1
_JOURNEY: Final = (
    "../journeys/test_journey.py"
    "::test_every_complaint_of_three_weeks_comes_to_its_end_and_nothing_to_anybody_else"
)


@dataclass(frozen=True)
class Mutation:
    """`old` in `file`, where it stands once, becomes `new`; then `test` fails and says `says`."""

    name: str
    file: str
    old: str
    new: str
    test: str
    says: str

    def apply(self, tree: Path) -> None:
        """Break the tree. Raises ValueError where there is nothing, or more than one thing, to break."""
        path = tree / self.file
        text = path.read_text("utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {text.count(self.old)} times in {self.file}: {self.old}")
        path.write_text(text.replace(self.old, self.new), "utf-8")


MUTATIONS: Final = (
    Mutation(
        "hub commits without a sync",
        "server/store/dialect.py",
        '"synchronous = FULL"',
        '"synchronous = NORMAL"',
        "test_hub_power_cut.py::test_hub_disk_holds_what_was_acknowledged[ci]",
        "['lost'",
    ),
    Mutation(
        "device commits without a sync",
        "client_sync/stores.py",
        '"synchronous = FULL"',
        '"synchronous = NORMAL"',
        "test_outbox_power_cut.py::test_outbox_disk_holds_what_was_finalised[ci]",
        "['lost'",
    ),
    Mutation(
        "credential of a new hub is not synced",
        "server/durable.py",
        "        os.fsync(file.fileno())\n",
        "",
        "test_hub_power_cut.py::test_new_hub_never_stands_without_its_credential[ci]",
        "assert False",
    ),
    Mutation(
        "acknowledged before the commit",
        "server/store/engine.py",
        """            with self.engine.connect() as bare:
                connection = bare.execution_options(begin="IMMEDIATE", events=[])
                with dialect.transaction(connection, is_synced=is_synced):
                    yield connection
                    # Last: on PostgreSQL the counter of the log is locked until the commit.
                    audit.append(connection)
""",
        """            import threading

            connection = self.engine.connect().execution_options(begin="IMMEDIATE", events=[])
            transaction = connection.begin()
            yield connection
            audit.append(connection)
            late = threading.Timer(0.05, lambda: (transaction.commit(), connection.close()))
            late.start()
            if threading.current_thread() is threading.main_thread():
                late.join()
""",
        "test_hub_kills.py::test_hub_killed_at_any_time_loses_nothing[ci]",
        "['lost'",
    ),
    Mutation(
        "what is held is not looked up",
        "server/services/intake/filing.py",
        "known = complaints.known_hashes(filing.connection, filing.origin.lineage, ids)",
        "known: dict[str, str] = {}",
        "test_answers_cut.py::test_answer_cut_at_any_byte_loses_and_doubles_nothing[ci]",
        "['doubled'",
    ),
    Mutation(
        "device does not look at the epoch",
        "client_sync/outbox.py",
        "if epoch == known:",
        "if known is not None:",
        "test_restores.py::test_hub_of_yesterday_gets_back_what_it_lacks[ci]",
        "['lost'",
    ),
    Mutation(
        "device drops what no backup covers",
        "client_sync/outbox.py",
        "waiting = 0 AND position <= ?",
        "waiting = 0 AND position <= ? + 1000000",
        "test_restores.py::test_hub_of_yesterday_gets_back_what_it_lacks[ci]",
        "['lost'",
    ),
    Mutation(
        "device of last week is not noticed",
        "server/services/intake/receiving.py",
        'values["rolled_back_at"] = body.origin.at',
        "pass",
        "test_restores.py::test_device_of_last_week_harms_nothing[ci]",
        "rolled_back_at",
    ),
    Mutation(
        "transactions begin deferred",
        "server/store/engine.py",
        'begin="IMMEDIATE"',
        'begin="DEFERRED"',
        "test_two_processes.py::test_two_writing_processes_wait_for_each_other[ci]",
        "is_whole",
    ),
    Mutation(
        "the device's clock is believed",
        "server/services/intake/receiving.py",
        "origin = Origin(device.lineage, device.id, carried_by, now)",
        "origin = Origin(device.lineage, device.id, carried_by, read_time(frames[0].header.at) or now)",
        "test_clock.py::test_clock_of_either_side_orders_nothing[device]",
        "assert",
    ),
    Mutation(
        "a bad record sinks its batch",
        "server/services/intake/reading.py",
        "return Line(line, operation.id, operation.hash, operation, found.code, found.field, _about(line))",
        "raise ValueError(found.code)",
        "test_answers_cut.py::test_answer_cut_at_any_byte_loses_and_doubles_nothing[ci]",
        "does not come to an end",
    ),
    Mutation(
        "cursor drawn from a plain sequence",
        "server/store/changes.py",
        """    n: int = connection.scalars(
        sa.update(lineage)
        .where(lineage.c.id == lineage_id)
        .values(changes=lineage.c.changes + 1)
        .returning(lineage.c.changes)
    ).one()
""",
        """    with connection.engine.begin() as apart:
        n: int = apart.scalars(
            sa.update(lineage)
            .where(lineage.c.id == lineage_id)
            .values(changes=lineage.c.changes + 1)
            .returning(lineage.c.changes)
        ).one()
""",
        "test_cursor.py::test_no_change_is_committed_after_a_later_one_was_read",
        "['late'] == ['early', 'late']",
    ),
    Mutation(
        "a full disk is taken for a fault",
        "server/store/dialect.py",
        'return "disk is full" in text',
        'return "disk is never full" in text',
        "test_disk_full.py::test_hub_without_room_refuses_and_comes_back[ci]",
        "server_error at point",
    ),
    Mutation(
        "a failed disk is taken for a fault",
        "server/store/dialect.py",
        '("disk i/o error", "malformed",',
        '("disk never fails", "malformed",',
        "test_fsync_errors.py::test_failed_sync_is_never_acknowledged[ci]",
        "server_error",
    ),
    Mutation(
        "what can be taken back is told",
        "server/services/cases/moving.py",
        "tells_at=None if moved.step is None else moved.undo_until,",
        "tells_at=None if moved.step is None else desk.now,",
        _JOURNEY,
        "(undone): its device has [('acknowledged', {}), ('inadmissible', {'inadmissible': 'out_of_mandate'})",
    ),
    Mutation(
        "a task asks nobody's leave",
        "server/domain/task.py",
        "found = tuple(way for way in offered if way in allowed)",
        "found = tuple(offered)",
        _JOURNEY,
        "is told to go by",
    ),
    Mutation(
        "a device is told that two are one",
        "server/domain/casework.toml",
        'duplicate = { stage = "closed", public = "worked_on" }',
        'duplicate = { stage = "closed", public = "duplicate" }',
        _JOURNEY,
        "a duplicate is said",
    ),
)


def turns_red(mutation: Mutation) -> bool:
    """Whether the test fails on a tree with the mutation, and for the reason that it should."""
    with TemporaryDirectory(prefix="mutated-") as folder:
        tree = Path(folder)
        _copy(tree)
        mutation.apply(tree)
        done = _tested(tree, mutation.test)
    is_red = done.returncode == _RED and mutation.says in done.stdout
    if not is_red:
        sys.stderr.write(done.stdout + done.stderr)
    return is_red


def _copy(tree: Path) -> None:
    for name in _COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tree / name)


def _tested(tree: Path, test: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"tests/faults/{test}"]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    return subprocess.run(
        command, cwd=tree, env=environment, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )


def main(arguments: Sequence[str]) -> int:
    """Show every mutation, or those whose name holds the argument; gives the exit code."""
    wanted = arguments[0] if arguments else ""
    results = []
    for mutation in (each for each in MUTATIONS if wanted in each.name):
        results.append(turns_red(mutation))
        line = {"mutation": mutation.name, "test": mutation.test, "red": results[-1]}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    return int(not all(results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
