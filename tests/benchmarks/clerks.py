"""What a clerk does with a package who never saw Seere: programs of the system, and libraries that read its files."""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Final

from tests.benchmarks.figure import Figure, note
from tests.benchmarks.harness import Void
from tests.benchmarks.quarter import Quarter
from tests.benchmarks.released import public_bundle
from tests.clerk import BARE_PYTHON, Clerk

FIGURES: Final = ("public_tools", "public_tools_refusing", "changes_believed")
_CHANGES: Final = 100
_SEED: Final = 19
_OPENPYXL: Final = """
import openpyxl, sys
book = openpyxl.load_workbook(sys.argv[1])
assert book.worksheets[0].max_row > 2 and book.worksheets[0]["A1"].value == "ref"
"""
_HXL: Final = """
import hxl, sys
source = hxl.data(sys.argv[1], hxl.InputOptions(allow_local=True))
assert any(column.tag == "#adm1" for column in source.columns) and sum(1 for _ in source) > 1
"""
_BY_LIBRARY: Final[Mapping[str, tuple[str, str]]] = {
    "openpyxl": (_OPENPYXL, "plaintes.xlsx"),
    "hxl": (_HXL, "plaintes.csv"),
}


def measure(made: Quarter, clerk: Clerk, sealed: Path, folder: Path) -> Iterator[Figure]:
    """The figures of one sealed package, and of the tables for anybody."""
    if clerk.has("server") or clerk.has("nacl"):
        raise Void("the clerk has Seere")
    opened = clerk.decrypts(sealed)
    if opened is None:
        raise Void("age does not open it")
    bag = clerk.unpacks(opened)
    found = {"age": True, **dict(clerk.checks(bag)), **dict(_by_library(bag)), "datasette": _serves(made, folder)}
    refusing = [name for name, is_well in found.items() if not is_well]
    note(f"public tools: {sorted(found)}; refusing: {refusing}")
    yield Figure("public_tools", len(found), "tools")
    yield Figure("public_tools_refusing", len(refusing), "tools", "=", 0)
    yield Figure("changes_believed", _believed(clerk, bag), "changes", "=", 0)


def _by_library(bag: Path) -> Iterator[tuple[str, bool]]:
    """By library that is installed here, whether it reads the file that is for it."""
    for library, (program, name) in _BY_LIBRARY.items():
        if find_spec(library) is None:
            note(f"{library} is not installed here")
        else:
            yield library, _runs([*BARE_PYTHON, "-c", program, str(bag / "data" / name)])


def _serves(made: Quarter, folder: Path) -> bool:
    """Whether Datasette serves the tables for anybody."""
    bundle = folder / "public.sqlite"
    bundle.write_bytes(public_bundle(made))
    return _runs([*BARE_PYTHON, "-m", "datasette", str(bundle), "--get", "/public/tables.json?_shape=array"])


def _believed(clerk: Clerk, bag: Path) -> int:
    """How many of _CHANGES packages with one byte changed the clerk finds whole. Void where the clerk doubts all."""
    files = sorted(path for path in bag.rglob("*") if path.is_file())
    dice, believed = Random(_SEED), 0
    for _ in range(_CHANGES):
        path = dice.choice(files)
        data = path.read_bytes()
        changed = bytearray(data)
        changed[dice.randrange(len(data))] ^= dice.randint(1, 255)
        path.write_bytes(changed)
        believed += clerk.finds_whole(bag)
        path.write_bytes(data)
    if not clerk.finds_whole(bag):
        raise Void("the clerk believes nothing at all")
    return believed


def program(name: str) -> str:
    """Where a program of the system is. Void where it is not."""
    found = shutil.which(name)
    if found is None:
        raise Void(f"{name} is not installed (requirements/debian.txt)")
    return found


def _runs(command: list[str]) -> bool:
    """Whether a program ends well that finds libraries, and no Seere: files that name it among them are not read."""
    libraries = sysconfig.get_path("purelib")
    environ = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONPATH": libraries, "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        note(f"{command[:5]}: {done.stderr[-300:]}")
    return done.returncode == 0
