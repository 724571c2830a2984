"""The locks: every package that the project asks for, at one version, by hash, from no named place."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from client_sync.commands import session
from server import hub

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("run", "test")
# What a small machine on a slow link should have to fetch to run a hub.
MOST_RUN_PACKAGES = 65
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)( ; [^\\]+)? \\\n(?P<hashes>(    .*\n)+)", re.M)
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def _lock(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.lock").read_text("utf-8")


def _pins(name: str) -> dict[str, str]:
    return {pin["name"]: pin["version"] for pin in PIN.finditer(_lock(name))}


def _asked_for(*extras: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    optional = project["optional-dependencies"]
    return [Requirement(line) for line in project["dependencies"] + [r for e in extras for r in optional[e]]]


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_address(lock: str) -> None:
    assert "://" not in _lock(lock)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_is_made_of_hashed_pins_alone(lock: str) -> None:
    assert PIN.sub("", _lock(lock)) == ""
    lines = [line for pin in PIN.finditer(_lock(lock)) for line in pin["hashes"].splitlines()]
    assert [line for line in lines if not HASH.fullmatch(line)] == []


@pytest.mark.parametrize(("lock", "extras"), [("run", ()), ("test", ("postgres", "test"))])
def test_everything_asked_for_is_locked_at_a_version_that_fits(lock: str, extras: tuple[str, ...]) -> None:
    pins = _pins(lock)
    versions = {asked: pins.get(canonicalize_name(asked.name)) for asked in _asked_for(*extras)}
    unfit = {str(asked): v for asked, v in versions.items() if v is None or v not in asked.specifier}
    assert unfit == {}


def test_tests_run_on_what_runs_in_the_field() -> None:
    assert _pins("run").items() <= _pins("test").items()


def test_hub_stays_small() -> None:
    assert len(_pins("run")) <= MOST_RUN_PACKAGES


def test_programs_say_the_version_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert {hub.VERSION, session.VERSION} == {project["version"]}
