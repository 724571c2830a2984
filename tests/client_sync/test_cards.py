"""Emergency cards: always one, the nearest known, and no number that could ring at a stranger's."""

from pathlib import Path

import pytest

from client_sync.cards import CARDS, REASONS, card_for, read_cards
from server.domain.places import read_list

PLACES = Path(__file__).parents[2] / "fixtures" / "places" / "mali-2026.1.csv"

SMALL = """
version = "7"
everywhere.numbers = [{ label = "Permanence", number = "+223 00 00 00 01" }]
[reason]
danger = { title = "Danger", steps = ["Partir"], care = "Le centre de santé" }
gbv = { title = "Soins", steps = ["Aller aux soins", "Choisir"], care = "La sage-femme" }
child = { title = "Enfant", steps = ["Mettre à l'abri"], care = "Le service de l'enfance" }
detention = { title = "Détention", steps = ["Appeler"], care = "Un avocat" }
[place.ml-r-gao]
care.detention = "Le bureau de Gao"
numbers = [{ label = "Relais", number = "+223 00 00 00 17" }]
[place.ml-c-gao]
care.gbv = "Le centre intégré"
[region_of]
ml-c-gao = "ml-r-gao"
ml-c-ansongo = "ml-r-gao"
"""


def test_the_cercle_comes_before_its_region_and_the_region_before_the_rest() -> None:
    cards = read_cards(SMALL)
    assert cards.card_for("ml-c-gao", "gbv").care == "Le centre intégré"
    assert cards.card_for("ml-c-gao", "detention").care == "Le bureau de Gao"
    assert cards.card_for("ml-c-ansongo", "detention").care == "Le bureau de Gao"
    assert cards.card_for("ml-c-ansongo", "gbv").care == "La sage-femme"


def test_numbers_of_the_place_come_first() -> None:
    cards = read_cards(SMALL)
    assert [each.label for each in cards.card_for("ml-c-gao", "gbv").numbers] == ["Relais", "Permanence"]
    assert [each.label for each in cards.card_for(None, "gbv").numbers] == ["Permanence"]


def test_steps_follow_the_reason_in_their_order() -> None:
    assert read_cards(SMALL).card_for("ml-c-gao", "gbv").steps == ("Aller aux soins", "Choisir")


def test_a_directory_that_lacks_a_reason_is_refused() -> None:
    with pytest.raises(KeyError, match="child"):
        read_cards(SMALL.replace("child = ", "enfant = "))


def test_an_unknown_reason_is_refused() -> None:
    with pytest.raises(KeyError, match="flood"):
        card_for("ml-c-gao", "flood")


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("place_id", [None, "ml-c-nowhere", "ml-c-gao", "ml-c-menaka", "ml-r-nioro"])
def test_every_place_and_reason_has_a_whole_card(place_id: str | None, reason: str) -> None:
    card = card_for(place_id, reason)
    assert card.title
    assert card.care
    assert 3 <= len(card.steps) <= 8
    assert max(len(step) for step in card.steps) <= 120


def test_the_card_for_sexual_violence_says_the_72_hours() -> None:
    card = card_for(None, "gbv")
    assert "72" in card.title
    assert any("72 heures" in step and "VIH" in step for step in card.steps)


def test_every_cercle_and_region_of_the_shipped_list_has_a_number_nearby() -> None:
    gazetteer = read_list(PLACES.read_text("utf-8").splitlines(), version="2026.1")
    places = [place.id for place in gazetteer.places if place.level in ("region", "cercle")]
    everywhere = len(card_for(None, "danger").numbers)
    assert [each for each in places if len(card_for(each, "danger").numbers) <= everywhere] == []


def test_shipped_numbers_are_from_the_range_that_belongs_to_nobody() -> None:
    gazetteer = read_list(PLACES.read_text("utf-8").splitlines(), version="2026.1")
    numbers = {
        each
        for place_id in (None, *gazetteer.by_id)
        for reason in REASONS
        for each in CARDS.card_for(place_id, reason).numbers
    }
    assert len(numbers) >= 12
    assert [each for each in numbers if not each.number.startswith("+223 00 00 00 ")] == []
    assert [each for each in numbers if "à remplir" not in each.label] == []
