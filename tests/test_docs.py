"""The documents: complete where the code has a table, true where they name a command, a word or a file."""

import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path

import click
import pytest

from client_sync import cli as field_cli
from client_sync.protocol.codes import CODES, VERDICTS
from server import cli as hub_cli
from server.config import PREFIX, Settings
from server.scheduler import JOBS
from server.store.schema import metadata
from tests.test_layers import MAY_IMPORT

ROOT = Path(__file__).resolve().parent.parent
PROTOCOL = "client_sync/PROTOCOL.md"
ARCHITECTURE = "server/docs/architecture.md"
OPERATIONS = "server/docs/operations.md"
DATABASE = "server/docs/database.md"
GLOSSARY = "server/docs/glossary.md"

LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.M | re.S)
MAKE_TARGET = re.compile(r"^([a-z-]+):", re.M)


def _read(path: str) -> str:
    return (ROOT / path).read_text("utf-8")


def _pages() -> list[Path]:
    patterns = ("*.md", "client_sync/*.md", "server/docs/**/*.md")
    return sorted(page for pattern in patterns for page in ROOT.glob(pattern))


def _not_in(page: str, names: Iterable[str]) -> list[str]:
    text = _read(page)
    return sorted(name for name in names if f"`{name}`" not in text)


def test_architecture_page_has_every_room_and_what_it_may_import() -> None:
    rows = re.findall(r"^\| `([\w.]+)` \|[^|]*\| (.*) \|$", _read(ARCHITECTURE), re.M)
    assert {room: set(re.findall(r"`([\w.]+)`", cell)) for room, cell in rows} == {
        room: set(allowed) for room, allowed in MAY_IMPORT.items()
    }


def test_operations_page_has_every_setting() -> None:
    assert _not_in(OPERATIONS, (PREFIX + each.name.upper() for each in fields(Settings))) == []


def test_operations_page_has_every_job() -> None:
    assert _not_in(OPERATIONS, (job.name for job in JOBS)) == []


def test_protocol_page_has_every_code_and_verdict() -> None:
    assert _not_in(PROTOCOL, [*CODES, *VERDICTS]) == []


def test_protocol_page_says_of_each_code_where_it_stands_and_with_which_status() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (record|frame|request) \| (\S+) \|", _read(PROTOCOL), re.M)
    written = {name: (where, int(status) if where == "request" else None) for name, where, status in rows}
    assert written == {name: (code.where, code.status) for name, code in CODES.items()}


def test_database_page_has_every_table() -> None:
    assert _not_in(DATABASE, metadata.tables) == []


def test_operations_page_has_no_setting_that_is_gone() -> None:
    known = {PREFIX + each.name.upper() for each in fields(Settings)}
    named = set(re.findall(rf"`({PREFIX}[A-Z_]+[A-Z])`", _read(OPERATIONS)))
    assert {name for name in named - known if not name.startswith(("SEERE_TEST_", "SEERE_FAULTS"))} == set()


def test_every_word_of_the_glossary_stands_once_and_is_used() -> None:
    words = re.findall(r"^\| \*([^*|]+)\*", _read(GLOSSARY), re.M)
    assert words, "no line `| *word* | meaning |` in the glossary: has its form changed?"
    assert sorted(words) == sorted(set(words))
    sources = (path for package in ("server", "client_sync") for path in (ROOT / package).rglob("*.py"))
    code = _spaced("\n".join(path.read_text("utf-8") for path in sources))
    assert [word for word in words if _spaced(word) not in code] == []


def _spaced(text: str) -> str:
    """So that *alleged perpetrator* is found in `alleged_perpetrator`."""
    return re.sub(r"[\s_-]+", " ", text).lower()


def _commands_in(page: Path, program: str) -> set[str]:
    """The words that follow `program` in the code of a page, where a line or a pipe begins with it."""
    code = "\n".join(match.group().strip("`") for match in CODE.finditer(page.read_text("utf-8")))
    return set(re.findall(rf"(?:^|[;&|$] ?)(?:[A-Z_]+=\S+ )*(?:\S*/)?{program} ([a-z][a-z-]*)", code, re.M))


@pytest.mark.parametrize("page", _pages(), ids=lambda page: page.name)
def test_page_names_commands_that_exist(page: Path) -> None:
    known = {
        "make": set(MAKE_TARGET.findall(_read("Makefile"))),
        "seere": _names(hub_cli.main),
        "seere-field": _names(field_cli.main),
        "carnet": _names(field_cli.main),
    }
    unknown = {program: _commands_in(page, program) - names for program, names in known.items()}
    assert {program: names for program, names in unknown.items() if names} == {}


def _names(command: click.Command) -> set[str]:
    assert isinstance(command, click.Group)
    return set(command.list_commands(click.Context(command)))


@pytest.mark.parametrize("page", _pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    prose = CODE.sub("", page.read_text("utf-8"))
    targets = [match["target"].partition("#")[0] for match in LINK.finditer(prose)]
    inside = [target for target in targets if target and not re.match("[a-z]+:", target)]
    assert [target for target in inside if not (page.parent / target).exists()] == []
