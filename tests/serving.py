"""`seere` as a child process, and the hub that it serves."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

PROGRAM: Final = (sys.executable, "-c", "from server.cli import main; main()")
ROOT: Final = Path(__file__).resolve().parent.parent
# Where a program that a test starts finds our modules, and those that stand for what no hub has.
PYTHONPATH: Final = f"{ROOT}{os.pathsep}{ROOT / 'tests' / 'shipped'}"
Serve = Callable[..., subprocess.Popen[str]]


def environ(folder: Path, **settings: str) -> dict[str, str]:
    """What `seere` is started with, for the hub in a folder, with no other setting than these."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SEERE_")}
    return ours | {"SEERE_DATA": str(folder), "PYTHONPATH": PYTHONPATH, "LC_ALL": "C.UTF-8"} | settings


@contextmanager
def serving() -> Iterator[Serve]:
    """Starts `seere serve` on any free port, behind the words `before`; what still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def start(env: Mapping[str, str], *before: str, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*before, *PROGRAM, "serve", "--port", "0"],
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def address_of(process: "subprocess.Popen[str]") -> str:
    """Where a hub that was just started listens, as it says in its next line."""
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found, line
    return found.group()
