"""Folding: one form of a word for however it is typed."""

import unicodedata

import pytest

from server.domain.folding import WORD_MAX_CHARS, fold, search_words


@pytest.mark.parametrize(
    ("typed", "folded"),
    [
        ("École", "ecole"),
        ("Ɲɛnɛba Tarawɛlɛ", "nyeneba tarawele"),
        ("ŊƆƝƐ", "ngonye"),
        ("ɓɗƴ ƁƊƳ", "bdy bdy"),
        ("Sœur Æ", "soeur ae"),
        ("l'argent l’argent lʼargent l‘argent", "l argent l argent l argent l argent"),
        ("15 000 F CFA, reçu n°3/B-2", "15 000 f cfa recu n 3 b 2"),
        ("mot\u00admou jo\u200dint", "motmou joint"),
        ("ߒߞߏ ߒߴߞߏ", "ߒߞߏ ߒ ߞߏ"),
        ("مُحَمَّد", "محمد"),
        ("𞤀𞤁𞤂", "𞤢𞤣𞤤"),
        ("a_b*c\x00d\ud800e", "a b c d e"),
        (" \t…«»!", ""),
        ("", ""),
    ],
)
def test_text_is_folded(typed: str, folded: str) -> None:
    assert fold(typed) == folded


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_every_form_of_unicode_folds_to_the_same(form: str) -> None:
    text = "Élève à Ségou, ŋ́ ɛ̀ ɔ̌ ɲ̂ ẹ̀ ﬁn ½"
    assert fold(unicodedata.normalize(form, text)) == fold(text) == "eleve a segou ng e o ny e fin 1 2"


def test_folded_stays_as_it_is_whatever_the_letter() -> None:
    letters = "".join(chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000)
    assert fold(fold(letters)) == fold(letters)


def test_what_is_folded_has_letters_and_digits_alone() -> None:
    folded = fold("".join(f"a{chr(code)}" for code in range(0x20000)))
    assert [char for char in folded if not (char.isalnum() or char == " ")] == []
    assert "  " not in folded


def test_words_to_search_are_distinct_sorted_and_bounded() -> None:
    words = search_words("Le pont, le PONT", "Âne", "é" * 500)
    assert words == ["ane", "e" * WORD_MAX_CHARS, "le", "pont"]
