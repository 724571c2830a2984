"""Catalogues: the right text in the right language, and a loud failure where there is none."""

from pathlib import Path

import pytest

from client_sync.i18n import Catalogue

FRENCH = """
[sync]
cut = "Le réseau a coupé après {sent} envois."
done = "Tout est au centre."
[sync.waiting]
one = "{n} plainte attend"
other = "{n} plaintes attendent à {place}"
"""
ENGLISH = """
[sync]
cut = "The network was cut after {sent} sends."
[sync.waiting]
one = "{n} complaint waits"
other = "{n} complaints wait in {place}"
"""
BAMBARA = """
[sync.waiting]
other = "{n} @ {place}"
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    # Catalogues are read once for each package: a name that no other test has.
    name = f"package_of_{tmp_path.name}"
    translations = tmp_path / name / "translations"
    translations.mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    for language, text in (("fr", FRENCH), ("en", ENGLISH), ("bm", BAMBARA)):
        (translations / f"{language}.toml").write_text(text, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_text_comes_in_the_language_asked_for(package: str) -> None:
    assert Catalogue.load(package, "en").text("sync.cut", sent=3) == "The network was cut after 3 sends."


def test_text_that_is_not_translated_comes_in_french(package: str) -> None:
    assert Catalogue.load(package, "en").text("sync.done") == "Tout est au centre."


def test_missing_key_is_named(package: str) -> None:
    with pytest.raises(KeyError, match=r"sync\.lost"):
        Catalogue.load(package, "en").text("sync.lost")
    with pytest.raises(KeyError, match=r"sync\.done"):
        Catalogue.load(package, "en").plural("sync.done", 2)


def test_missing_placeholder_is_named(package: str) -> None:
    with pytest.raises(KeyError, match="sent"):
        Catalogue.load(package, "fr").text("sync.cut")


def test_missing_language_is_named(package: str) -> None:
    with pytest.raises(LookupError, match="'ff'"):
        Catalogue.load(package, "ff")


@pytest.mark.parametrize(
    ("language", "n", "text"),
    [
        ("fr", 0, "0 plainte attend"),
        ("fr", 1, "1 plainte attend"),
        ("fr", 2, "2 plaintes attendent à Konna"),
        ("en", 0, "0 complaints wait in Konna"),
        ("en", 1, "1 complaint waits"),
        ("en", 2, "2 complaints wait in Konna"),
        ("bm", 1, "1 @ Konna"),
        ("bm", 2, "2 @ Konna"),
    ],
)
def test_each_language_counts_in_its_own_way(package: str, language: str, n: int, text: str) -> None:
    assert Catalogue.load(package, language).plural("sync.waiting", n, place="Konna") == text
