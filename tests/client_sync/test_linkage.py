"""Linkage: what duplicates are searched by, found by the recipe of PROTOCOL §4.3, for the hub's key alone."""

import hashlib
import json
import tomllib
from importlib import resources
from random import Random
from typing import Any

import pytest

from client_sync.complaint import Answers, Person, build_complaint, build_revision
from client_sync.outbox import Outbox
from client_sync.protocol.canonical import read_operation
from client_sync.protocol.frames import from_text
from client_sync.protocol.linkage import (
    days_in,
    fold,
    linkage_keys,
    minhash_of,
    names_in,
    pivots_of,
    sums_in,
    words_of,
)
from client_sync.protocol.records import check_operation
from client_sync.seal import Unopenable, open_envelope
from tests.client_sync.builders import DEVICE, LINKAGE_KEY, NOW, READERS, complaint, record_id

ID = record_id(1)
RECEIPT = "7K4M-2QG"
TOLD = Answers(
    narrative="Modibo Inventé m'a pris 2 000 francs au barrage.",
    cercle="ml-c-djenne",
    place="ml-v-toutvide",
    place_said="Près du puits de Toutvide",
    victims=(Person(("complainant", "victim"), name=" Awa  Exemple ", phone="+223 00 00 12 34"),),
)


def linkages(outbox: Outbox) -> list[dict[str, Any]]:
    """The contents of the linkage operations that wait."""
    operations = [read_operation(line) for _, line in outbox.next_lines(0, 10**7)]
    found = [operation for operation in operations if operation.op == "linkage"]
    assert [check_operation(operation) for operation in found] == [None] * len(found)
    return [operation.content for operation in found]


def opened(linkage: dict[str, Any]) -> Any:
    return json.loads(open_envelope(from_text(linkage["box"]), bytes(LINKAGE_KEY)))


def statement(narrative: str) -> dict[str, Any]:
    return linkage_keys({"statement": {"clear": {"narrative": narrative}}})["statement"]


def sha512_minima(*shingles: str) -> bytes:
    """The recipe again, in the words of PROTOCOL §4.3."""
    hashes = [hashlib.sha512(shingle.encode()).digest() for shingle in shingles]
    return b"".join(min(each[4 * n : 4 * n + 4] for each in hashes) for n in range(16))


class TestTheOperation:
    def test_it_opens_for_the_linkage_key_alone(self, outbox: Outbox) -> None:
        outbox.finalise("complaint", build_complaint(TOLD, now=NOW, receipt=RECEIPT), id=ID)
        [linkage] = linkages(outbox)
        assert (linkage["complaint"], linkage["v"]) == (ID, 1)
        for private in READERS.values():
            with pytest.raises(Unopenable):
                open_envelope(from_text(linkage["box"]), bytes(private))
        keys = opened(linkage)
        assert keys["complaint"] == ID
        assert keys["identity"] == {"names": [[1, "Awa Exemple"]], "phones": ["00001234"]}
        assert keys["traces"] == {"place": "ml-v-toutvide", "said": "pres du puits de toutvide"}
        assert keys["statement"]["names"] == ["Modibo Inventé"]

    def test_a_complaint_with_nothing_to_compare_has_none(self, outbox: Outbox) -> None:
        outbox.finalise("complaint", complaint())
        assert linkages(outbox) == []

    def test_a_revision_answers_for_the_compartments_it_replaces(self, outbox: Outbox) -> None:
        about = {"complaint": ID, "base_revision": 1, "now": NOW, "receipt": RECEIPT}
        outbox.finalise("revision", build_revision(TOLD, {"traces"}, **about))
        outbox.finalise("revision", build_revision(Answers(), {"facts", "identity"}, **about))
        outbox.finalise("revision", build_revision(TOLD, {"facts"}, **about))
        first, second = linkages(outbox)
        bound = {"complaint": ID, "lineage": DEVICE}
        assert opened(first) == bound | {
            "traces": {"place": "ml-v-toutvide", "said": "pres du puits de toutvide"},
        }
        assert opened(second) == bound | {"identity": {}}
        assert {linkage["complaint"] for linkage in (first, second)} == {ID}

    def test_that_of_a_colleagues_complaint_names_its_lineage(self, outbox: Outbox) -> None:
        about = {"complaint": ID, "lineage": record_id(9), "base_revision": 1}
        outbox.finalise("revision", about | {"statement": {"clear": {"narrative": "autre chose"}}})
        [linkage] = linkages(outbox)
        assert (linkage["complaint"], linkage["lineage"]) == (ID, record_id(9))
        # Bound to who made it all the same: under another's name it says nothing.
        assert opened(linkage)["lineage"] == DEVICE

    def test_two_of_the_same_words_look_unlike(self, outbox: Outbox) -> None:
        for number in (1, 2):
            outbox.finalise("complaint", build_complaint(TOLD, now=NOW, receipt=RECEIPT), id=record_id(number))
        first, second = linkages(outbox)
        assert opened(first) | {"complaint": ""} == opened(second) | {"complaint": ""}
        assert first["box"] != second["box"]
        assert len(first["box"]) == len(second["box"])

    def test_the_longest_fits_in_what_a_hub_takes(self, outbox: Outbox) -> None:
        rng = Random(7)
        letters = [chr(code) for code in range(0x1E900, 0x1E922)]
        words = ["".join(rng.choice(letters) for _ in range(60)) for _ in range(300)]
        persons = [{"no": n, "name": words[n] * 3, "phone": f"+223 00 {n:06}"} for n in range(1, 200)]
        told = {"identity": {"persons": persons}, "statement": {"narrative": " x ".join(words)[:20_000]}}
        told["traces"] = {"said": " ".join(words)[:500]}
        content = complaint() | {name: {"clear": members} for name, members in told.items()}
        outbox.finalise("complaint", content)
        assert len(opened(linkages(outbox)[0])["identity"]["names"]) == 32


class TestNames:
    @pytest.mark.parametrize(
        ("narrative", "names"),
        [
            ("On a vu Modibo Inventé au poste.", ["Modibo Inventé"]),
            ("Modibo Inventé est venu. Sékou aussi.", ["Modibo Inventé"]),
            ("Le chef de Toutvide a vu d'Awa Exemple et N'Diaye.", ["Toutvide", "Awa Exemple", "N'Diaye"]),
            ("Le Commandant Inventé, puis Awa Exemple", ["Commandant Inventé", "Awa Exemple"]),
            ("Awa Exemple. Awa Exemple.", ["Awa Exemple"]),
            ("EL HADJ INVENTÉ ka wari minɛ", ["EL HADJ INVENTÉ"]),
            ("Ɲɛba Misali ni Ŋolo taara", ["Ɲɛba Misali", "Ŋolo"]),
            ("il a dit « Rendez Awa »", ["Rendez Awa"]),
            ("Un Deux Trois Quatre Cinq Six", ["Quatre Cinq Six"]),
            ("rien ici, ni là", []),
            ("", []),
        ],
    )
    def test_runs_of_capitalised_words_are_candidates(self, narrative: str, names: list[str]) -> None:
        assert names_in(narrative) == names

    def test_accents_written_apart_make_the_same_name(self) -> None:
        assert names_in("chez Inventé Sékou") == names_in("chez Invente\u0301 Se\u0301kou") == ["Inventé Sékou"]

    def test_no_more_than_sixteen_are_kept(self) -> None:
        told = ", ".join(f"vu Awa Numero{'x' * n}" for n in range(40))
        assert len(names_in(told)) == 16


class TestPhones:
    @pytest.mark.parametrize(
        ("phone", "phones"),
        [
            ("+223 00 00 12 34", ["00001234"]),
            ("0022300001234", ["00001234"]),
            ("00-00-12-34 / 00.00.56.78", ["00001234", "00005678"]),
            ("1234", []),
        ],
    )
    def test_the_last_eight_digits_are_kept(self, phone: str, phones: list[str]) -> None:
        identity = {"persons": [{"no": 1, "phone": phone}]}
        assert linkage_keys({"identity": {"clear": identity}})["identity"].get("phones", []) == phones

    def test_a_number_in_the_contact_counts(self) -> None:
        identity = {"contact": {"through": "sa sœur, 00 00 99 88"}}
        assert linkage_keys({"identity": {"clear": identity}}) == {"identity": {"phones": ["00009988"]}}


class TestWords:
    def test_folding_takes_accents_and_the_letters_of_bambara_away(self) -> None:
        assert fold("ÉCOLE Ɲɛnɛ Ŋolo sɔ̀rɔ̀dasi Œuvre") == "ecole nyene ngolo sorodasi œuvre"

    def test_the_same_thing_in_three_languages_has_one_name(self) -> None:
        told = ["L'argent a été volé au marché", "Money was stolen at the market", "wari sonyara sugu la"]
        assert [{"=money", "=steal", "=market"} - set(pivots_of(words_of(each))) for each in told] == [set()] * 3

    def test_no_word_of_the_pivot_list_stands_for_two_things(self) -> None:
        table = tomllib.loads((resources.files("client_sync.protocol") / "pivot.toml").read_text("utf-8"))
        meant: dict[str, set[str]] = {}
        for concept, words in table["concept"].items():
            for word in words:
                meant.setdefault(fold(word)[:6], set()).add(concept)
        assert {stem: concepts for stem, concepts in meant.items() if len(concepts) > 1} == {}

    def test_other_words_are_their_first_six_letters_and_grammar_is_none(self) -> None:
        assert pivots_of(words_of("Nous avons attendu les brouettes dans la cour en 2024")) == [
            "2024",
            "attend",
            "brouet",
            "cour",
        ]

    @pytest.mark.parametrize(
        ("narrative", "days"),
        [
            ("Mardi 5 mai, puis le 1er juin", ["05-05", "06-01"]),
            ("On Tuesday 5th of May and on July 30, 2026", ["05-05", "07-30"]),
            ("karidon mɛkalo tile 10 ; sɛtanburukalo tilé 23", ["05-10", "09-23"]),
            ("le 31-8, le 03/09/2026, le 2026-10-04", ["08-31", "09-03", "10-04"]),
            ("au mois d'août, en février", ["02", "08"]),
            ("He may march in March 14", ["03-14"]),
            ("le 45 mai, le 12/13", []),
            ("le premier avril", ["04-01"]),
        ],
    )
    def test_days_are_found_in_words_and_figures(self, narrative: str, days: list[str]) -> None:
        assert days_in(narrative) == days

    @pytest.mark.parametrize(
        ("narrative", "sums"),
        [
            ("15 000 F, puis 600.000 et 2,500", [2_500, 15_000, 600_000]),
            ("250000 F en 2026", [250_000]),
            ("15\u202f500 F à 3 personnes de 45 ans", [15_500]),
            ("Appelez le 00 12 34 56 ou +223 00 12 34 56 ou 00123456", []),
        ],
    )
    def test_sums_are_numbers_that_are_no_years_and_no_telephones(self, narrative: str, sums: list[int]) -> None:
        assert sums_in(narrative) == sums

    def test_two_long_tellings_keep_the_same_words(self) -> None:
        words = [f"mot{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10]}" for n in range(100)]
        kept = pivots_of(words)
        assert len(kept) == 64
        assert set(pivots_of(words[:90])) >= set(kept) & set(words[:90])

    def test_minima_are_of_runs_of_three_words(self) -> None:
        told = "Il m’a pris LE sac"
        assert minhash_of(words_of(told)) == sha512_minima("il m a", "m a pris", "a pris le", "pris le sac")
        assert minhash_of(words_of("Ça va")) == sha512_minima("ca va")
        assert minhash_of(words_of("…")) == b""

    def test_a_copy_with_one_word_changed_shares_most_minima(self) -> None:
        told = "Le chef du poste a demandé de l'argent à chaque chauffeur qui passait le pont ce matin là avant midi"
        first, second = (minhash_of(words_of(each)) for each in (told, told.replace("midi", "hier")))
        assert sum(first[4 * n : 4 * n + 4] == second[4 * n : 4 * n + 4] for n in range(16)) >= 12

    def test_a_statement_without_words_says_nothing(self) -> None:
        assert statement("  … ") == {}
