"""The shipped server as a child process: it says where it is, is alone on its file, and drains on SIGTERM."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

PROGRAM = [sys.executable, "-c", "from server.cli import main; main()"]
ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., subprocess.Popen[str]]


def _environ(folder: Path, **settings: str) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SEERE_")}
    return ours | {"SEERE_DATA": str(folder), "PYTHONPATH": str(ROOT)} | settings


def _seere(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=_environ(folder, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a new hub in it."""
    done = _seere(tmp_path / "hub", "init")
    assert done.returncode == 0, done.stderr
    return tmp_path / "hub"


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts `seere serve` on any free port; what still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def run(**settings: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*PROGRAM, "serve", "--port", "0"],
            env=_environ(folder, **settings),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.search(r"http://127\.0\.0\.1:\d+", line)
    assert found, line
    return found.group()


def test_server_says_its_address_and_answers_there(start: Start) -> None:
    address = _address(start())
    assert requests.get(f"{address}/health", timeout=30).json() == {"status": "ok"}


def test_term_ends_it_cleanly_and_frees_the_folder(start: Start) -> None:
    process = start()
    _address(process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "arrêté" in out, "Traceback" in err) == (0, True, False)
    _address(start())


def test_second_hub_on_the_same_file_is_refused(start: Start, folder: Path) -> None:
    _address(start())
    second = _seere(folder, "serve", "--port", "0")
    assert second.returncode == 1
    assert "tourne déjà" in second.stderr


def test_operator_works_while_the_hub_serves(start: Start, folder: Path) -> None:
    _address(start())
    assert _seere(folder, "enrol", "--label", "Gao 1", "--no-qr").returncode == 0
    assert _seere(folder, "devices", "list").returncode == 0


def test_taken_port_is_said_and_another_is_offered(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = _seere(folder, "serve", SEERE_PORT=str(port))
    assert done.returncode == 1
    assert f"SEERE_PORT={port + 1}" in done.stderr


def test_server_makes_no_hub_where_there_is_none(tmp_path: Path) -> None:
    done = _seere(tmp_path / "typo", "serve")
    assert done.returncode == 1
    assert "seere init" in done.stderr
    assert not (tmp_path / "typo").exists()
