"""Meanings: sentences of two languages speak of the same things."""

import tomllib
from importlib import resources

from server.domain.matching.meanings import meanings_of


def test_a_sentence_and_its_translation_speak_of_the_same() -> None:
    french, english = meanings_of("Un homme joue de la guitare."), meanings_of("A man is playing the guitar")
    assert french == english
    assert len(french) == 3


def test_names_numbers_and_kindred_words_need_no_list() -> None:
    shared = meanings_of("Bamako : 1 250 évacuations") & meanings_of("1,250 evacuated from Bamako")
    assert {"bamako", "1", "250", "evacua"} <= shared


def test_grammar_says_nothing() -> None:
    assert meanings_of("the and de la des") == frozenset()


def test_no_two_meanings_share_a_stem_and_none_is_grammar() -> None:
    told = tomllib.loads((resources.files("server.domain.matching") / "meanings.toml").read_text("utf-8"))
    lines = [{word[:6] for word in line.split()} for line in told["meanings"].splitlines()]
    stems = [stem for line in lines for stem in line]
    assert len(stems) == len(set(stems))
