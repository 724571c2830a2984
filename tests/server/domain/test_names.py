"""Names: one person's name in parts, however a writer dresses and spells it."""

import tomllib
import unicodedata
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.names import RARITY_MAX, family, is_common, parts, rarity, sound


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Awa Keïta", ("awa", "keita")),
        ("TRAORÉ Moussa", ("traore", "moussa")),
        ("El Hadj Seydou Konaté", ("seydou", "konate")),
        ("Elhadji Seydou Konaté", ("seydou", "konate")),
        ("M. Seydou Konaté", ("seydou", "konate")),
        ("M. de la Konaté", ("m", "konate")),
        ("M. Konaté", ("m", "konate")),
        ("Konaté M.", ("konate", "m")),
        ("Mme Mariam Sow née Diarra, épouse Bah", ("mariam", "sow", "diarra", "bah")),
        ("Dr. le colonel Issa Togo", ("issa", "togo")),
        ("Mohamed Ag Intalla", ("mohamed", "intalla")),
        ("Ben Oumar Sy", ("ben", "oumar", "sy")),
        ("N'Golo Samaké", ("ngolo", "samake")),
        ("n’golo SAMAKE", ("ngolo", "samake")),
        ("la plainte d'Awa", ("plainte", "awa")),
        ("D. Koné", ("d", "kone")),
        ("karamɔgɔ Bubakari", ("bubakari",)),
        ("Abdoulkarim Cissé", ("abdoul", "karim", "cisse")),
        ("Abdoulaye Cissé", ("abdoulaye", "cisse")),
        ("Ɲɛnɛba Ŋolo", ("nyeneba", "ngolo")),
        ("Amy-Collé Dieng", ("amy", "colle", "dieng")),
        ("le maire", ()),
        ("?", ()),
        ("", ()),
    ],
)
def test_name_comes_in_parts(name: str, expected: tuple[str, ...]) -> None:
    assert parts(name) == expected


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_parts_are_the_same_composed_or_not(form: str) -> None:
    assert parts(unicodedata.normalize(form, "N'Éli Dembélé")) == ("neli", "dembele")


@pytest.mark.parametrize(
    "spellings",
    [
        "diarra jara djara djiarra",
        "coulibaly kulibali koulibaly",
        "dembele denbele danbele",
        "ouattara watara wattara",
        "cisse sisse",
        "cheick sheikh cheikh",
        "traore trawore",
        "mamadou mahamadou mamadu",
        "aissata aichata",
        "niare gnare nyare",
        "tiemoko thiemoko tchiemoko",
        "seydou saidou sayidou seidou",
        "oumar omar umar",
        "daouda dauda dawda",
        "hawa awa haoua",
        "sangare sankare",
        "bagayoko baghayoko",
        "yusuf youssouf",
    ],
)
def test_spellings_of_a_name_sound_alike(spellings: str) -> None:
    assert len({sound(each) for each in spellings.split()}) == 1


@pytest.mark.parametrize(
    "different",
    ["mamadou amadou", "moussa issa", "keita kante", "kone konate", "oumou oumar", "aminata assetou", "sow sy"],
)
def test_names_of_different_people_do_not_sound_alike(different: str) -> None:
    one, other = different.split()
    assert sound(one) != sound(other)
    assert family(one) is None or family(one) != family(other)


def test_family_holds_what_one_person_may_be_called_in_any_spelling() -> None:
    assert family("mamadou") == family("mohamed") == family("mahamadu") is not None
    assert family("fanta") == family("fatumata") is not None
    assert family("traore") == family("tarawele") is not None
    assert family("zerbo") is None


def test_common_names_are_known_in_any_spelling() -> None:
    assert is_common("coulibaly")
    assert is_common("kulibali")
    assert not is_common("zerbo")


def test_table_says_one_thing_of_each_name() -> None:
    table = tomllib.loads((resources.files("server.domain") / "names.toml").read_text("utf-8"))
    families = [{sound(parts(name)[0]) for name in members} for members in table["family"].values()]
    assert sum(map(len, families)) == len(set().union(*families))
    assert all(parts(name) == (name,) for name in table["surnames"] | table["given"])
    words = [*table["titles"], *table["particles"]]
    assert len(words) == len(set(words))
    assert not any(parts(word) for word in words)


def test_rarity_counts_in_steps_of_three_bits() -> None:
    # 90 of 1,000 and 45 of 1,000: 3.5 + 4.5 bits; then 90 of 1,000 and one in 10,000: 3.5 + 13.3 bits.
    assert rarity(("traore", "mamadou")) == 0
    assert rarity(("traore", "zanga")) == 3
    assert rarity(("zerbo", "zanga", "bere")) == RARITY_MAX
    assert rarity(("traore", "z")) == rarity(("traore",)) == rarity(()) == 0


@given(st.text())
def test_any_text_has_parts_that_stay_as_they_are(text: str) -> None:
    found = parts(text)
    assert all(part and part == part.casefold() for part in found)
    assert all(isinstance(sound(part), str) for part in found)
    assert 0 <= rarity(found) <= RARITY_MAX
