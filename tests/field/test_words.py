"""What Carnet says: alike in every language, and all of it said somewhere."""

import re
import string
from pathlib import Path

import server.web.field
from server.web.field import documents

FIELD = Path(server.web.field.__file__).parent
LITERAL = re.compile(r"""\b(tn?)\(\s*"([a-z_]+\.[a-z_0-9.]+)\"""")
BEGUN = re.compile(r"`([a-z_.]+\.)\$\{")
IN_PAGE = re.compile(r"\{\{text ([a-z_.]+)\}\}")
# Keys may stand in a table and be asked for elsewhere.
WRITTEN = re.compile(r"""["'`]([a-z_]+\.[a-z_0-9.]+)["'`]""")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def texts(language: str) -> dict[str, str]:
    return dict(documents.words(language)["texts"])


def code() -> str:
    files = [*FIELD.glob("app/*.js"), *FIELD.glob("app/screens/*.js"), FIELD / "app/index.html"]
    return "\n".join(file.read_text("utf-8") for file in files)


def asked(written: str) -> set[str]:
    keys = {key for call, key in LITERAL.findall(written) if call == "t"} | set(IN_PAGE.findall(written))
    plural = {f"{key}.{form}" for call, key in LITERAL.findall(written) if call == "tn" for form in ("one", "other")}
    return keys | plural


def test_every_language_says_the_same_with_the_same_in_it() -> None:
    first, *others = (texts(language) for language in documents.LANGUAGES)
    for other in others:
        assert other.keys() == first.keys()
        assert {key: placeholders(text) for key, text in other.items()} == {
            key: placeholders(text) for key, text in first.items()
        }


def test_every_key_that_is_asked_for_is_there() -> None:
    assert asked(code()) - texts("fr").keys() == set()


def test_every_text_is_said_somewhere() -> None:
    written = code()
    begun = tuple(BEGUN.findall(written))
    used = asked(written) | set(WRITTEN.findall(written))
    assert {key for key in texts("fr") if key not in used and not key.startswith(begun)} == set()


def test_a_key_without_text_and_a_text_without_use_are_found() -> None:
    assert asked('t("no.such_text")') - texts("fr").keys() == {"no.such_text"}
    assert asked('tn("no.plural", 2)') == {"no.plural.one", "no.plural.other"}
