"""`make demo`: the story is told, adds up, and would not if a complaint were missing or there twice."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import termios
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlcipher3 import dbapi2 as sqlcipher

from fixtures.demo.__main__ import CHECKOUT, DATA, EXIT_DONE, EXIT_MISUSED, language
from fixtures.demo.count import HUB, database_key, read_back
from tests.terminal import Terminal

STORY = r"""
This hub unlocks itself: .*
Mopti 2: 21 written, 21 here · cut (?P<cuts>\d+) times, 0 lost, 0 twice, (?P<kilobytes>\d+) KB
Sikasso 1: 24, sent twice on purpose, stored once
Ségou 3: 16, 15 here, 1 set aside \(form of 2024\)
hub killed in batch 7, back in (?P<seconds>\d+\.\d) s, same answers
61 written = 60 stored \+ 1 set aside
Mopti 2 and Sikasso 1 told .* in French and in English: proposed in (?P<proposed>\d+\.\d) s · (?P<reasons>.*)
decided: they belong together; taken back: proposed, all is as before
"""


@dataclass(frozen=True)
class Told:
    """A story that was told: its words, exit code and folder."""

    text: str
    exit_code: int
    folder: Path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _start(port: int, at: int | None = None, **environ: str) -> "subprocess.Popen[str]":
    """Start the demonstration at a terminal, or without one and with its words in a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "fixtures.demo"],
        cwd=CHECKOUT,
        env={**os.environ, "LC_ALL": "C", "PORT": str(port), "ONCE": "", **environ},
        stdin=subprocess.DEVNULL if at is None else at,
        stdout=subprocess.PIPE if at is None else at,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """The story, told once for all tests of this module."""
    port = _free_port()
    folder = CHECKOUT / DATA / str(port)
    running = _start(port, ONCE="1")
    text, _ = running.communicate()
    yield Told(text, running.returncode, folder)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def stores(told: Told, tmp_path: Path) -> Path:
    """A copy of all stores as the story left them."""
    return Path(shutil.copytree(told.folder, tmp_path / "stores"))


def _change_hub(stores: Path, *statements: str) -> None:
    connection: Any = sqlcipher.connect(str(stores / HUB / "hub.db"), isolation_level=None)
    connection.execute(f"PRAGMA key = \"x'{database_key(stores)}'\"")
    for statement in statements:
        connection.execute(statement)
    connection.close()


def test_the_story_adds_up(told: Told) -> None:
    story = re.fullmatch(STORY.strip(), told.text.strip())
    assert story, told.text
    assert int(story["cuts"]) == 4
    # 21 complaints with what seals them and finds their duplicates, and what four cuts cost.
    assert 0 < int(story["kilobytes"]) < 40
    assert "what the narrative tells: the same" in story["reasons"]
    assert told.exit_code == EXIT_DONE


def test_a_second_reading_finds_the_same(stores: Path) -> None:
    counts = read_back(stores)
    assert (counts.total("written"), counts.stored, counts.aside) == (63, 62, 1)
    assert counts.adds_up


def test_a_complaint_that_is_missing_is_counted_lost(stores: Path) -> None:
    _change_hub(stores, "DELETE FROM complaint WHERE id = (SELECT max(id) FROM complaint)")
    counts = read_back(stores)
    assert counts.total("lost") == 1
    assert not counts.adds_up


def test_a_complaint_that_is_there_again_is_counted_twice(stores: Path) -> None:
    columns = "lineage, op, seq, hash, line, device, received_at"
    _change_hub(
        stores,
        f"INSERT INTO received (id, client_id, {columns})"
        f" SELECT 100000, '00000000-0000-4000-8000-000000000001', {columns} FROM received WHERE id = 1",
        "CREATE TEMP TABLE again AS SELECT * FROM complaint WHERE id = 1",
        "UPDATE again SET id = 100000",
        "INSERT INTO complaint SELECT * FROM again",
    )
    counts = read_back(stores)
    assert counts.total("twice") == 1
    assert not counts.adds_up


@pytest.mark.prove
@pytest.mark.ci
def test_without_a_terminal_it_serves_until_it_is_stopped() -> None:
    port = _free_port()
    with _start(port, PYTHONUNBUFFERED="1") as running:
        assert running.stdout is not None
        assert any(f"http://127.0.0.1:{port}" in line for line in running.stdout)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/") as page:
            assert "<dd>62</dd>" in page.read().decode()
        running.send_signal(signal.SIGTERM)
        assert running.stdout.read().endswith("Stopped.\n")
    assert running.returncode == EXIT_DONE
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    shutil.rmtree(CHECKOUT / DATA / str(port))


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal that hangs up at the end."""
    terminal = Terminal()
    yield terminal
    terminal.close()


@pytest.mark.prove
@pytest.mark.ci
def test_keys_cut_the_link_kill_the_hub_pass_time_and_stop(terminal: Terminal) -> None:
    port, settings = _free_port(), termios.tcgetattr(terminal.theirs)
    running = _start(port, at=terminal.theirs)
    try:
        terminal.read_until("Keys: ")
        terminal.press("cctkq")
        assert "on the devices 3 · at the hub 62 · set aside 1 · lost 0" in terminal.read_until("Link restored")
        assert "on the devices 0 · at the hub 65 · set aside 1 · lost 0" in terminal.read_until("Ten days have")
        assert terminal.read_until("Hub killed and back").count("silent for 10 days") == 3
        assert "on the devices 0 · at the hub 68 · set aside 1 · lost 0" in terminal.read_until("Stopped.")
        assert running.wait() == EXIT_DONE
    finally:
        running.kill()
        running.wait()
    assert termios.tcgetattr(terminal.theirs) == settings
    shutil.rmtree(CHECKOUT / DATA / str(port))


def test_a_busy_port_is_said_and_another_offered() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        running = _start(port)
        text, _ = running.communicate()
    assert text == f"Port {port} is busy. Try: make demo PORT={port + 1}\n"
    assert running.returncode == EXIT_MISUSED


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "en"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "en_GB.UTF-8"}, "en"),
        ({"LANG": "fr_ML.UTF-8"}, "fr"),
        ({"LANG": "bm_ML"}, "fr"),
        ({"LANG": "en_GB.UTF-8", "LC_ALL": "fr_FR.UTF-8"}, "fr"),
    ],
)
def test_it_speaks_english_where_the_locale_does_or_says_nothing(environ: dict[str, str], expected: str) -> None:
    assert language(environ) == expected
