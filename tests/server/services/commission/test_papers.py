"""The files of a package: what each says, to the readers that a body has, and the same bytes wherever they are made."""

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta, timezone
from pathlib import Path
from typing import Any, NoReturn, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client_sync.protocol.canonical import canonical
from server.domain.csv_cells import harmless
from server.domain.referral import Destination
from server.domain.release import COLUMNS
from server.domain.statistics import Key
from server.services.commission import papers
from server.services.commission.choosing import Against
from server.services.commission.papers import columns, figures, reasons
from server.services.commission.papers.csv_files import csv_chunks
from tests import papers as packages
from tests.papers import content, line

FILES = [
    "bordereau.html",
    "bordereau.pdf",
    "plaintes.csv",
    "plaintes.json",
    "plaintes.xlsx",
    "statistiques.csv",
    "codes.csv",
    "retraits.csv",
    "corrections.csv",
    "verifier.html",
]
UNNAMED = {
    "received": "2026-T3",
    "happened": "2026-08",
    "region": "ml-r-segou",
    "cercle": "ml-c-bla",
    "kind": "HR-ARR",
    "author": "police",
    "victims": "2-4",
    "sex": "several",
    "age": "5-11",
    "verification": "corroborated",
    "verified_late": "1",
    "status": "in_progress",
    "urgency": "U2",
    "consent": "C2",
    "summary": "Arrêtée, puis relâchée",
}
NAMED = UNNAMED | {
    "received": "2026-07",
    "happened": "2026-07-14",
    "commune": "ml-m-bla",
    "victims": "3",
    "consent": "C4",
    "name": "Ɲɛnɛba Exemple",
    "phone": "+223 00 00 00 01",
}
# What a spreadsheet would run or make something else of, what ends a cell, and letters of the country.
ODD = (
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "\u200b=1", "＝1", "a\0b", "'=1", "\"=1\";=2",
    "_x0041_", "<r><t>1</t></r>", "<r>", "\ufffe", "\uffff", "😀", "ɛɔɲŋ", "a\r\nb", " b ", "04", "70000001", "5-11",
    "30 000", "é" * 30_000,
)  # fmt: skip
texts = st.one_of(
    st.sampled_from(ODD),
    st.text(min_size=1, max_size=40),
    st.builds(lambda first, rest: first + rest, st.sampled_from("=+-@\t\r\0"), st.text(max_size=20)),
)

HXL = """
import hxl, json, sys
source = hxl.data(sys.argv[1], hxl.InputOptions(allow_local=True))
regions = [row.get("#adm1+name") for row in source]
print(json.dumps([[column.display_tag for column in source.columns], regions]))
"""


def cells(data: bytes) -> list[list[str]]:
    """A CSV file as a program reads it."""
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter=";"))


def as_rows(data: bytes) -> list[dict[str, str]]:
    """Its lines, by what stands over each column."""
    head, *rows = cells(data)
    return [dict(zip(head, row, strict=True)) for row in rows]


def lines_of(*said: dict[str, str]) -> list[dict[str, str]]:
    """What `plaintes.csv` says of complaints, after the row of hashtags."""
    of = content(lines=[line(no, **each) for no, each in enumerate(said, start=1)])
    return as_rows(packages.written(of)["plaintes.csv"])[1:]


def test_files_come_in_one_order() -> None:
    known = list(packages.written(packages.full(5)))
    assert known in (FILES, [name for name in FILES if name != "bordereau.pdf"])


def test_nothing_is_made_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("made")

    for module, name in ((papers.sheets, "cell"), (papers.bordereau, "html"), (papers.columns, "cache")):
        monkeypatch.setattr(module, name, refuse)
    found = dict(papers.payload(packages.full(10)))
    for name in ("plaintes.xlsx", "bordereau.html", "plaintes.csv"):
        with pytest.raises(AssertionError, match="made"):
            next(found[name])


def test_line_without_a_name_is_told_by_code_and_in_words() -> None:
    [told] = lines_of(UNNAMED)
    assert told == {
        "ref": "P-0000000001",
        "numero_envoi": "CNDH-2026-T3-0007",
        "reception": "2026-T3",
        "faits": "2026-08",
        # By the apostrophe a spreadsheet makes no 4 of it.
        "region_code": "'04",
        "region": "Ségou",
        "cercle": "Bla",
        "commune": "",
        "type_code": "HR-ARR",
        "type": "Arrestation sans motif légal",
        "auteur_code": "police",
        "auteur": "Police",
        "victimes": "2 à 4",
        "sexe_code": "several",
        "sexe": "plusieurs",
        # … and no day of November of this.
        "age_code": "'5-11",
        "age": "5 à 11 ans",
        "verification_code": "corroborated",
        "verification": "corroboré",
        "verification_tardive": "oui",
        "statut_code": "in_progress",
        "statut": "en traitement",
        "urgence_code": "U2",
        "urgence": "Élevée",
        "consentement_code": "C2",
        "consentement": "Les faits, sans le nom ni le village",
        "resume": "Arrêtée, puis relâchée",
        "nom": "",
        "telephone": "",
    }


def test_named_line_has_what_was_allowed() -> None:
    [told] = lines_of(NAMED)
    near = {"reception": "2026-07", "faits": "2026-07-14", "commune": "Bla", "nom": "Ɲɛnɛba Exemple"}
    assert near.items() <= told.items()
    assert told["telephone"] == "'+223 00 00 00 01"


def test_blurred_codes_have_words() -> None:
    [told] = lines_of(
        {"kind": "HR", "age": "minor", "victims": "5+", "verification": "unverified", "status": "received"}
    )
    assert (told["type"], told["age"], told["victimes"]) == (
        "Droits humains, sans dire lequel",
        "Moins de 18 ans",
        "5 ou plus",
    )
    assert (told["verification"], told["statut"]) == ("non vérifié", "reçue")


def test_csv_is_as_excel_in_french_wants_it() -> None:
    data = packages.written(packages.full(3))["plaintes.csv"]
    assert data.startswith(b"\xef\xbb\xbfref;numero_envoi;")
    assert data.endswith(b"\r\n")
    assert data.count(b"\r\n") == 5


def test_second_row_has_hashtags() -> None:
    head, tags = cells(packages.written(packages.full(3))["plaintes.csv"])[:2]
    assert all(tag.startswith("#") for tag in tags)
    assert len(set(tags)) == len(tags) == len(head)
    assert dict(zip(head, tags, strict=True))["region_code"] == "#adm1+code+v_law2023"


def test_hxl_reads_it(tmp_path: Path) -> None:
    # It has no wheel, so that no lock has it.
    pytest.importorskip("hxl")
    file = tmp_path / "plaintes.csv"
    file.write_bytes(packages.written(packages.full(20))["plaintes.csv"])
    done = subprocess.run([sys.executable, "-c", HXL, str(file)], capture_output=True, text=True, check=True)
    tags, regions = json.loads(done.stdout)
    assert [tag.split("+")[0] for tag in tags] == [tag.split("+")[0] for tag in columns.TAGS]
    assert regions == [packages.NAMES[each.said["region"]] for each in packages.several(20)]


def test_json_says_the_same_lines_in_canonical_form() -> None:
    of = packages.full(1_200)
    data = packages.written(of)["plaintes.json"]
    read = json.loads(data)
    assert canonical(read) == data
    assert read["lines"] == [dict(each.said) for each in of.lines]
    assert (read["package"], read["as_of"]) == ("CNDH-2026-T3-0007", "2026-10-05T08:30:00Z")
    assert read["columns"] == list(COLUMNS)


def test_package_without_a_line_is_whole() -> None:
    found = packages.written(content())
    assert json.loads(found["plaintes.json"])["lines"] == []
    assert len(cells(found["plaintes.csv"])) == 2
    assert cells(found["retraits.csv"])[1:] == []


@given(texts, texts, texts)
@settings(deadline=None)
def test_no_text_is_run_or_lost_in_csv_and_json(name: str, phone: str, summary: str) -> None:
    of = content(lines=[line(1, name=name, phone=phone, summary=summary)])
    files = {file: b"".join(chunks) for file, chunks in papers.payload(of) if file in ("plaintes.csv", "plaintes.json")}
    said = json.loads(files["plaintes.json"])["lines"][0]
    assert (said["name"], said["phone"], said["summary"]) == (name, phone, summary)
    row = as_rows(files["plaintes.csv"])[1]
    for told, text in ((row["nom"], name), (row["telephone"], phone), (row["resume"], summary)):
        assert told in (text, f"'{text}")
        assert harmless(told) == told


@pytest.mark.parametrize("phone", ["70000001", "0022300000001", "00 00 00 01", "+22300000001"])
def test_telephone_stays_text(phone: str) -> None:
    [told] = lines_of(NAMED | {"phone": phone})
    assert told["telephone"] == f"'{phone}"


def test_figures_are_hidden_where_they_are_small_and_say_of_what_they_are() -> None:
    late: dict[Key, int | None] = {("GBV",): 6}
    of = content(tables=[replace(packages.by_region(), late=late), packages.balance()])
    rows = cells(packages.written(of)["statistiques.csv"])
    assert rows[0] == ["Plaintes reçues, par région et famille (plaintes)"]
    assert ["« < 5 » : moins de 5, ou un nombre qui en donnerait un à déduire."] not in rows
    assert ["< 5 : moins de 5, ou un nombre qui en donnerait un à déduire."] in rows
    assert ["Gao", "< 5"] in rows
    assert ["total", "22"] in rows
    empty = rows.index([])
    assert rows[empty + 1] == ["Dossiers ouverts et clos, par région (dossiers)"]
    assert rows[-1] == ["total", "50", "< 5", "< 5", "< 5", "70"]
    assert not any("masqué" in cell or "Venu depuis" in cell for row in rows for cell in row)


def test_violence_is_told_in_totals_by_region_alone() -> None:
    rows = cells(packages.written(content(tables=[packages.by_kind()]))["statistiques.csv"])
    said = {row[0] for row in rows if row}
    assert "Arrestation sans motif légal" in said
    assert not said & {"Viol", "Service rendu contre une faveur sexuelle", "total"}
    assert "Sans les violences basées sur le genre, dites seulement en totaux par région." in said


def test_body_whose_own_people_may_be_accused_is_told_less() -> None:
    to = Destination("police", "police", "corridor", None, date(2017, 1, 1))
    tables = [packages.by_region(), packages.by_kind(), packages.balance()]
    rows = cells(packages.written(content(destination=to, tables=tables))["statistiques.csv"])
    assert ["total", "22"] in rows
    assert "Arrestation sans motif légal" not in {row[0] for row in rows if row}


def test_every_code_of_a_line_has_its_meaning_in_both_languages() -> None:
    of = packages.full(400)
    files = packages.written(of)
    rows = as_rows(files["codes.csv"])
    known = {(row["colonne"], row["code"].removeprefix("'")): row for row in rows if row["version"]}
    for told in as_rows(files["plaintes.csv"])[1:]:
        for column, code in told.items():
            if column.endswith("_code") and code:
                row = known[column, code.removeprefix("'")]
                assert row["francais"] == told[column.removesuffix("_code")]
                assert row["anglais"]
    assert {(row["colonne"], row["code"]) for row in rows if row["fichier"] == "plaintes" and not row["version"]} == {
        (column.name, column.alias) for column in columns.COLUMNS
    }
    assert known["type_code", "HR-ARR"]["anglais"] == "Arrest without legal ground"
    assert known["type_code", "HR-ARR"]["version"] == "'2026.1"
    # The JSON file knows places by their ids.
    assert known["cercle", "ml-c-bla"]["francais"] == "Bla"


def test_withdrawal_says_no_more_than_that_a_line_stands_no_more() -> None:
    whys = ["own_people", "totals", "withdrawn", "consent_level", "elsewhere", "numbers", "few_alike", "retold"]
    of = content(voids=[packages.void(no, why) for no, why in enumerate([*whys, "changed", "erased"])])
    rows = as_rows(packages.written(of)["retraits.csv"])
    assert {(row["motif_code"], row["motif"]) for row in rows[: len(whys)]} == {
        (
            "withdrawn",
            "Ne vaut plus : l'accord de la personne a changé, la plainte est redite autrement sous une autre "
            "référence, ou une règle du réseau ne permet plus de la confier. "
            "Retirez la ligne, ses pièces et toute copie.",
        )
    }
    assert [row["motif_code"] for row in rows[len(whys) :]] == ["changed", "erased"]
    assert rows[0]["ref"] == "P-0000000000"
    assert rows[0]["numero_envoi_concerne"] == "CNDH-2026-T2-0006"


def test_correction_says_the_column_what_it_was_and_what_it_is() -> None:
    now = {"status": "closed", "verified_late": "", "summary": "=1+1"}
    of = content(corrections=[packages.correction(3, now, {"status": "ab" * 8, "verified_late": "12e4567890123456"})])
    rows = as_rows(packages.written(of)["corrections.csv"])
    told = [
        (row["colonne"], row["ancienne_empreinte"], row["nouvelle_valeur_code"], row["nouvelle_valeur"]) for row in rows
    ]
    assert told == [
        ("statut_code", "ab" * 8, "closed", "clôturée"),
        ("resume", "", "'=1+1", "'=1+1"),
        ("verification_tardive", "'12e4567890123456", "", ""),
    ]
    assert {row["ref"] for row in rows} == {"P-0000000003"}


def test_whatever_stands_against_a_line_is_told_as_something() -> None:
    known = {why for each in get_args(Against) for why in (get_args(each) or (each,))}
    assert len(known) > 10
    assert all(reasons.withheld({why: 1}) for why in known)
    with pytest.raises(KeyError):
        reasons.withheld({"no such thing": 1})


def test_who_is_protected_is_not_told() -> None:
    one = reasons.withheld({"own_people": 3, "few_alike": 4, "totals": 5})
    assert one == {"numbers": 0, "consent": 0, "protection": 12, "facts": 0}
    assert sum(reasons.withheld({"elsewhere": 9, "kind": 2, "place": 1}).values()) == 0


@given(st.lists(st.integers(0, 9), max_size=5))
@settings(max_examples=200, deadline=None)
def test_no_small_count_follows_from_the_others(numbers: list[int]) -> None:
    told = figures.counted((str(no), number) for no, number in enumerate(numbers))
    assert all(each.number is None or each.number >= 5 for each in told.counts)
    assert told.total is None or told.total == 0 or told.total >= 5
    if told.total is None:
        assert not told.counts
        return
    hidden = [each for each in told.counts if each.number is None]
    left = told.total - sum(each.number or 0 for each in told.counts)
    # None that stands there is 0, and what is left can be shared out among them in more than one way for each.
    assert not hidden or (len(hidden) > 1 and left > len(hidden))


DIGESTS = """
import hashlib, json
from tests import papers
print(json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in papers.written(papers.full(60)).items()}))
"""


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Lima"])
def test_same_content_makes_the_same_bytes_in_another_zone_and_process(zone: str) -> None:
    here = {name: hashlib.sha256(data).hexdigest() for name, data in packages.written(packages.full(60)).items()}
    environment = os.environ | {"TZ": zone, "PYTHONHASHSEED": "4", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"}
    root = Path(__file__).resolve().parents[4]
    command = [sys.executable, "-c", DIGESTS]
    there = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=True)
    assert json.loads(there.stdout) == here


def test_moment_is_told_alike_whatever_its_zone() -> None:
    one = packages.full(5)
    other = replace(one, as_of=one.as_of.astimezone(timezone(timedelta(hours=9))))
    assert packages.written(one) == packages.written(other)


def test_csv_comes_in_pieces() -> None:
    pieces = list(csv_chunks([["é" * 1000]] * 300))
    assert len(pieces) > 1
    assert cells(b"".join(pieces)) == [["é" * 1000]] * 300
