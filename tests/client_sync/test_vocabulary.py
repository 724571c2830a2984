"""The coded lists: complete, consistent, and free of what must never be recorded."""

import tomllib
from importlib import resources
from typing import Any

import pytest

from client_sync.protocol.vocabulary import LANGUAGES, VOCABULARY, label

# What a complaint could be sorted by and never is; in French and in English.
FORBIDDEN = ("ethni", "tribal", "relig", "croyance", "sexual_orient", "orientation_sex", "caste")


def labels(language: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((resources.files("client_sync.protocol") / f"labels.{language}.toml").read_text("utf-8"))


def test_every_kind_of_the_code_list_is_there() -> None:
    by_prefix = {
        prefix: sum(kind.startswith(prefix) for kind in VOCABULARY.kinds) for prefix in ("COR-", "HR-", "GBV-")
    }
    assert by_prefix == {"COR-": 22, "HR-": 33, "GBV-": 6}
    assert VOCABULARY.codes("kind") - {"SRV-NON", "OTH"} == {
        kind for kind in VOCABULARY.kinds if kind.startswith(("COR-", "HR-", "GBV-"))
    }


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        ("COR-RACKET", "corruption"),
        ("COR-SEX", "corruption"),
        ("HR-DET-D", "rights"),
        ("GBV-4", "gbv"),
        ("SRV-NON", "service"),
        ("OTH", "other"),
    ],
)
def test_a_kind_belongs_to_a_family(kind: str, family: str) -> None:
    assert VOCABULARY.family(kind) == family


def test_sexual_extortion_is_corruption_under_the_rules_of_gbv() -> None:
    careful = {kind for kind in VOCABULARY.kinds if VOCABULARY.follows_gbv_rules(kind)}
    assert careful == {"GBV-1", "GBV-2", "GBV-3", "GBV-4", "GBV-5", "GBV-6", "COR-SEX"}


@pytest.mark.parametrize(
    ("facts", "is_strict"),
    [
        ({"kinds": ["HR-ARR"], "confidentiality": "strict"}, True),
        ({"kinds": ["HR-ARR", "GBV-2"], "confidentiality": "confidential"}, True),
        ({"kinds": ["COR-SEX"], "confidentiality": "public"}, True),
        ({"kinds": ["HR-ARR"], "confidentiality": "confidential"}, False),
        ({"kinds": "GBV-2"}, False),
        ({"kinds": [["GBV-2"], "GBV-2"]}, True),
        ({}, False),
    ],
)
def test_strict_is_what_says_so_and_what_needs_the_care_of_gbv(facts: dict[str, Any], is_strict: bool) -> None:
    assert VOCABULARY.is_strict(facts) is is_strict


def test_kinds_carry_the_references_of_other_lists() -> None:
    assert VOCABULARY.kinds["COR-EXT"].uncac == ("15b", "19")
    assert VOCABULARY.kinds["GBV-2"].huridocs == ("02011103", "02010201")
    assert VOCABULARY.kinds["HR-TRA"].huridocs == ()
    assert VOCABULARY.kinds["HR-TRA"].huridocs_near == ("030106",)


def test_no_code_stands_twice_in_a_list() -> None:
    assert {name for name, codes in VOCABULARY.lists.items() if len(codes) != len(set(codes))} == set()


@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_code_has_words(language: str) -> None:
    written = {name: set(words) for name, words in labels(language).items()}
    assert written == {name: set(codes) for name, codes in VOCABULARY.lists.items()}


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_are_given_for_known_codes_only_and_differ_within_a_list(language: str) -> None:
    for name, words in labels(language).items():
        assert set(words) <= VOCABULARY.codes(name)
        assert len(set(words.values())) == len(words), name
        assert all(each and each == each.strip() for each in words.values()), name


def test_bambara_falls_back_to_french_and_an_unknown_code_to_itself() -> None:
    assert label("danger", "yes", "bm") == "Ɔwɔ"
    assert label("danger", "unknown", "bm") == "Ne sait pas"
    assert label("danger", "yes", "de") == "Oui"
    assert label("danger", "perhaps", "fr") == "perhaps"


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_asks_for_ethnicity_religion_or_sexual_orientation(language: str) -> None:
    texts = [*VOCABULARY.lists, *(code for codes in VOCABULARY.lists.values() for code in codes)]
    texts += [words for entries in labels(language).values() for words in entries.values()]
    assert [text for text in texts if any(each in text.lower() for each in FORBIDDEN)] == []


def test_an_unknown_list_or_kind_is_refused() -> None:
    with pytest.raises(KeyError, match="religion"):
        VOCABULARY.codes("religion")
    with pytest.raises(KeyError, match="HR-NO-SUCH-KIND"):
        VOCABULARY.family("HR-NO-SUCH-KIND")
