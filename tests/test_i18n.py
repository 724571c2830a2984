"""The catalogues of both packages: complete, alike in every language, and all of it used."""

import ast
import re
import string
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import pytest

from server import cli as hub_cli

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("client_sync", "server")
SOURCE = "fr"
PLURAL_FORMS = ("one", "other")
# Keys have a dot; so SQLAlchemy's text("SELECT …") is not taken for one of ours.
KEY = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")
# In templates a key is put together by `~`.
TEMPLATE_CALL = re.compile(r"""\b(?P<method>text|plural)\(\s*["'](?P<key>[^"']+)["'](?P<goes_on>\s*~)?""")
# A command of the hub, or an option of one.
TYPED = re.compile(r"\bseere [a-z]|(?<!\S)--[a-z]")
COMMAND = re.compile(r"\bseere((?: [a-z][a-z-]*)+)")
# What is said at a terminal alone, and what two pages tell people to type there: that of accounts an administrator,
# that of a package whoever keeps the key to names on another machine.
FOR_A_TERMINAL = ("hint.", "people_page.command_", "packages.names_")


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _texts(package: str, language: str) -> dict[str, str]:
    file = ROOT / package / "translations" / f"{language}.toml"
    return dict(_flatten(tomllib.loads(file.read_text("utf-8"))))


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@dataclass
class Use:
    """What the code of a package does with keys."""

    asked: set[str] = field(default_factory=set)
    # The known beginning of a key that is put together: f"code.{name}" begins with "code.".
    begun: set[str] = field(default_factory=set)
    # Every string in the code: a key may stand in a table and be asked for elsewhere.
    written: set[str] = field(default_factory=set)


def _note(node: ast.AST, use: Use) -> None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        use.written.add(node.value)
    if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
        use.begun.add(str(node.values[0].value))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
        use.asked |= _literal_keys(node.func.attr, node.args[0])


def _literal_keys(method: str, argument: ast.expr) -> set[str]:
    if method not in {"text", "plural"} or not isinstance(argument, ast.Constant):
        return set()
    key = str(argument.value)
    if not KEY.fullmatch(key):
        return set()
    return {f"{key}.other" if method == "plural" else key}


def _use(files: Iterable[Path]) -> Use:
    use = Use()
    for path in files:
        if path.suffix == ".py":
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                _note(node, use)
        elif path.suffix == ".html":
            _note_template(path.read_text("utf-8"), use)
    return use


def _note_template(source: str, use: Use) -> None:
    for call in TEMPLATE_CALL.finditer(source):
        if call["goes_on"]:
            use.begun.add(call["key"])
        else:
            use.asked.add(call["key"] + (".other" if call["method"] == "plural" else ""))


def _files(package: str) -> list[Path]:
    return list((ROOT / package).rglob("*.*"))


def _is_used(key: str, use: Use) -> bool:
    base, _, last = key.rpartition(".")
    names = {key, base} if last in PLURAL_FORMS else {key}
    begun = (beginning for beginning in use.begun if "." in beginning)
    return bool(names & (use.written | use.asked)) or f"{base}.other" in use.asked or key.startswith(tuple(begun))


@pytest.mark.parametrize("package", PACKAGES)
def test_french_and_english_say_the_same_things(package: str) -> None:
    assert _texts(package, "en").keys() ^ _texts(package, SOURCE).keys() == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_bambara_adds_nothing_of_its_own(package: str) -> None:
    assert _texts(package, "bm").keys() - _texts(package, SOURCE).keys() == set()


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("language", ["en", "bm"])
def test_translation_keeps_the_placeholders(package: str, language: str) -> None:
    source = _texts(package, SOURCE)
    translated = _texts(package, language)
    known = translated.keys() & source.keys()
    assert {key for key in known if _placeholders(translated[key]) != _placeholders(source[key])} == set()


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("language", [SOURCE, "en"])
def test_no_text_is_empty_and_every_singular_has_its_plural(package: str, language: str) -> None:
    texts = _texts(package, language)
    assert {key for key, text in texts.items() if not text.strip()} == set()
    assert {key for key in texts if key.endswith(".one") and f"{key[:-4]}.other" not in texts} == set()


@pytest.mark.parametrize("language", [SOURCE, "en"])
def test_refusal_shows_no_name_of_a_fault(language: str) -> None:
    texts = _texts("server", language)
    shown = [key for key, text in texts.items() if key.startswith("refusal.") and "fault" in _placeholders(text)]
    assert shown == []


@pytest.mark.parametrize("language", [SOURCE, "en"])
def test_page_shows_nothing_to_type_at_a_terminal(language: str) -> None:
    commands = [path for path in _files("server") if path.is_relative_to(ROOT / "server/commands")]
    pages, terminal = _use(set(_files("server")) - set(commands)), replace(_use(commands), begun=set())

    def may_be_shown(key: str) -> bool:
        # What pages put together, or name as a page, may look like a key that commands ask for by its whole name.
        return _is_used(key, Use(pages.asked)) or (_is_used(key, pages) and not _is_used(key, terminal))

    typed = {key for key, text in _texts("server", language).items() if TYPED.search(text)}
    assert typed
    assert {key for key in typed if may_be_shown(key) and not key.startswith(FOR_A_TERMINAL)} == set()


@pytest.mark.parametrize("language", [SOURCE, "en"])
def test_text_names_commands_that_exist(language: str) -> None:
    named = {words for text in _texts("server", language).values() for words in COMMAND.findall(text)}
    assert len(named) > 10
    assert {words for words in named if not _is_command(words.split())} == set()


def _is_command(words: list[str]) -> bool:
    """Whether the words begin with a command; what follows one is no part of its name."""
    command: click.Command | None = hub_cli.main
    for word in words:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word)
    return command is not None


def test_every_fault_of_a_file_has_its_sentence() -> None:
    texts = _texts("server", SOURCE)
    raised = {"place_list_invalid": "domain/places.py", "backup_unusable": "services/backups.py"}
    named = {f"refusal.{code}_{fault}" for code, file in raised.items() for fault in _faults(ROOT / "server" / file)}
    assert len(named) > len(raised)
    assert named - texts.keys() == set()


def _faults(path: Path) -> set[str]:
    """The faults that a module names."""
    calls = (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))
    values = [word.value for call in calls for word in call.keywords if word.arg == "fault"]
    return {str(value.value) for value in values if isinstance(value, ast.Constant)}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_text_that_the_code_asks_for_exists(package: str) -> None:
    use = _use(_files(package))
    assert use.asked, "the code asks for no text: has the way of asking changed?"
    assert use.asked - _texts(package, SOURCE).keys() == set()


@pytest.mark.parametrize("package", PACKAGES)
def test_no_text_is_left_over(package: str) -> None:
    use = _use(_files(package))
    assert {key for key in _texts(package, SOURCE) if not _is_used(key, use)} == set()
