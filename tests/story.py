"""The story of the demonstration, told once for all tests of a run that look at what it left."""

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
STORES: Final = ROOT / "var" / "pictures" / "story"
# What the story is made of: tables, and its own files.
_SOURCES: Final = ("server/store/migrations", "fixtures/demo")
_TOLD: Final = STORES.parent / "told.json"


@dataclass(frozen=True)
class Told:
    """A story that was told to its end: its words, its exit code, and by which run of the tests."""

    text: str
    exit_code: int
    made_from: str
    run: str


def told(*, is_of_this_run: bool = False) -> Told:
    """The story, which left its stores in STORES. It is told, in half a minute, where its tables or its files are
    others than they were; and where its words are looked at, unless this run of the tests told it already."""
    STORES.parent.mkdir(parents=True, exist_ok=True)
    run, made_from = os.environ.get("PYTEST_XDIST_TESTRUNUID", ""), _made_from()
    with (STORES.parent / "telling").open("w") as lock:
        # Others may ask at the same time, each in a process of its own.
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = Told(**json.loads(_TOLD.read_text())) if _TOLD.exists() else None
        if kept and kept.made_from == made_from and (not is_of_this_run or (run and kept.run == run)):
            return kept
        _TOLD.unlink(missing_ok=True)
        new = Told(*_tell(), made_from, run)
        _TOLD.write_text(json.dumps(vars(new)))
        return new


def start(port: int, at: int | None = None, **environ: str) -> "subprocess.Popen[str]":
    """Start the demonstration at a terminal, or without one and with its words in a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "fixtures.demo"],
        cwd=ROOT,
        env={**os.environ, "LC_ALL": "C", "PORT": str(port), "ONCE": "", **environ},
        stdin=subprocess.DEVNULL if at is None else at,
        stdout=subprocess.PIPE if at is None else at,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _tell() -> tuple[str, int]:
    port = free_port()
    running = start(port, ONCE="1")
    text, _ = running.communicate()
    shutil.rmtree(STORES, ignore_errors=True)
    shutil.move(ROOT / "var" / "demo" / str(port), STORES)
    return text, running.returncode


def _made_from() -> str:
    found = (file for folder in _SOURCES for file in (ROOT / folder).rglob("*") if file.suffix in (".py", ".toml"))
    files = sorted(found)
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]
