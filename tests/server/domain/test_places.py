"""Places: a code lands on one place or on none, whatever the year of its list."""

import csv
import os
from collections import Counter
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import pytest

from server.domain.errors import PlaceListInvalid
from server.domain.places import (
    COD_COLUMNS,
    COMMUNES_2015,
    IOM_2015,
    ISO_3166_2,
    LAW_2023,
    LIST_COLUMNS,
    LOCALITIES_2015,
    OCHA_2015,
    OCHA_2021,
    QUARTERS_2015,
    REGIONS_2023,
    REGIONS_ISO,
    TOWN_NAMES,
    UNITS_2021,
    Gazetteer,
    Place,
    parse_cod,
    read_list,
)

SHIPPED = Path(__file__).parents[3] / "fixtures" / "places" / "mali-2026.1.csv"

# A corner of the real lists with every trap in it: codes that changed meaning, spellings that changed, a
# cercle that got its own region, communes and villages that share their names.
SMALL_COD = {
    "cod2015_admin1.csv": """
admin1_pcode,admin1_name
ML01,Kayes
ML02,Koulikouro
ML04,Segou
ML05,Mopti
ML07,Gao
ML09,Bamako""",
    "cod2015_admin2_cercles.csv": """
admin2_pcode,admin2_name,admin1_pcode
ML0101,Kayes,ML01
ML0102,Bafoulabe,ML01
ML0103,Diema,ML01
ML0201,Koulikoro,ML02
ML0401,Baroueli,ML04
ML0507,Koro,ML05
ML0703,Bourem,ML07
ML0704,Menaka,ML07
ML0901,Bamako,ML09""",
    COMMUNES_2015: """
admin3_pcode,admin3_name,admin3_ref_name,admin2_pcode
ML010102,Colimbine,Colimbine,ML0101
ML020523,N'gabacoro,Ngabacoro,ML0201
ML050701,Bamba,Bamba,ML0507
ML070301,Bamba,Bamba,ML0703
ML090101,Commune I,Commune I,ML0901
ML090102,Commune II,Commune II,ML0901""",
    QUARTERS_2015: """
admin4_pcode,admin4_name,admin4_ref_name,admin3_pcode
ML090101001,Banconi,Banconi,ML090101
ML090101223,Djélibougou,Djelibougou,ML090101""",
    LOCALITIES_2015: """
pcode,name,ref_name,admin3_pcode,lon,lat
ML010102000,Kabaté,Kabate,ML010102,-11.21115,14.50893
ML010102004,Kabate,,ML010102,-11.21,14.51
ML050701001,Madina,,ML050701,-3.1,14.0
ML070301001,Madina,,ML070301,-1.4,17.0
ML070301002,Bafoulabe,,ML070301,-1.4,17.0
ML090101001,Banconi,,ML090101,-7.96964,12.67554""",
    UNITS_2021: """
admin_level,pcode,name,parent_pcode,valid_from
1,ML01,Kayes,MLI,2021-12-20
1,ML02,Koulikoro,MLI,2021-12-20
1,ML04,Segou,MLI,2021-12-20
1,ML05,Mopti,MLI,2021-12-20
1,ML07,Gao,MLI,2021-12-20
1,ML09,Bamako,MLI,2021-12-20
1,ML10,Menaka,MLI,2021-12-20
2,ML0101,Bafoulabe,ML01,2021-12-20
2,ML0102,Diema,ML01,2021-12-20
2,ML0103,Kayes,ML01,2021-12-20
2,ML0206,Koulikoro,ML02,2021-12-20
2,ML0401,Baraoueli,ML04,2021-12-20
2,ML0505,Koro,ML05,2021-12-20
2,ML0702,Bourem,ML07,2021-12-20
2,ML0901,Bamako,ML09,2021-12-20
2,ML1001,Menaka,ML10,2021-12-20
2,ML1004,Tidermene,ML10,2021-12-20""",
    REGIONS_2023: """
code_2023,name_fr
00,Bamako (District)
01,Kayes
02,Koulikoro
04,Ségou
05,Mopti
07,Gao
09,Taoudénit
10,Ménaka
11,Nioro
19,Bandiagara""",
    REGIONS_ISO: """
code,name
ML-9,Ménaka
ML-10,Taoudénit
ML-BKO,Bamako""",
    TOWN_NAMES: """
name,lon,lat,alternate_names
Bafoulabé,-10.83344,13.80843,Bafilabɛn|Bafoulabe|Bafulabe
Madina,-1.41,17.05,Madine|MDN|madina|Мадина""",
}


def small_cod(**changed: str) -> dict[str, list[str]]:
    return {file: text.strip().splitlines() for file, text in (SMALL_COD | changed).items()}


@pytest.fixture(name="small", scope="module")
def _small() -> Gazetteer:
    return parse_cod(small_cod(), version="2026.1")


@pytest.fixture(name="shipped", scope="module")
def _shipped() -> Gazetteer:
    return read_list(SHIPPED.read_text("utf-8").splitlines(), version="2026.1")


@pytest.fixture(name="mali", scope="module")
def _mali() -> Path:
    folder = Path(os.environ.get("SEERE_TEST_DATA", "")) / "mali"
    if not (folder / LOCALITIES_2015).is_file():
        pytest.skip("the full lists of places are not here: SEERE_TEST_DATA names no folder with mali/ in it")
    return folder


@pytest.fixture(name="whole", scope="module")
def _whole(mali: Path) -> Gazetteer:
    with ExitStack() as opened:
        files = {name: opened.enter_context((mali / name).open(encoding="utf-8", newline="")) for name in COD_COLUMNS}
        return parse_cod(files, version="2026.1")


def place_id(gazetteer: Gazetteer, code: str, system: str | None) -> str | None:
    place = gazetteer.resolve(code, system)
    return place.id if place else None


def listed(**cells: str) -> list[str]:
    row = dict.fromkeys(LIST_COLUMNS, "") | {"id": "ml-r-gao", "name": "Gao", "level": "region"} | cells
    return [",".join(LIST_COLUMNS), ",".join(row[column] for column in LIST_COLUMNS)]


@pytest.mark.parametrize("source", ["small", "shipped"])
def test_a_code_means_what_its_own_list_says(source: str, request: pytest.FixtureRequest) -> None:
    gazetteer: Gazetteer = request.getfixturevalue(source)
    assert place_id(gazetteer, "ML0101", OCHA_2015) == "ml-c-kayes"
    assert place_id(gazetteer, "ML0101", OCHA_2021) == "ml-c-bafoulabe"
    assert place_id(gazetteer, "ML0704", OCHA_2015) == "ml-c-menaka"
    assert place_id(gazetteer, "ML1001", OCHA_2021) == "ml-c-menaka"
    assert place_id(gazetteer, "ML09", OCHA_2021) == "ml-r-bamako"
    assert place_id(gazetteer, "ML-9", ISO_3166_2) == "ml-r-menaka"
    assert place_id(gazetteer, "09", LAW_2023) == "ml-r-taoudenit"


@pytest.mark.parametrize("system", [None, "", "ocha", "ocha-2018", LAW_2023])
def test_a_code_without_its_vintage_is_never_guessed(shipped: Gazetteer, system: str | None) -> None:
    # ML0104 is Kéniéba in both years, and still nobody said which list it came from.
    assert shipped.resolve("ML0104", system) is None


def test_communes_of_one_name_are_two_places(small: Gazetteer) -> None:
    bamba = [place for place in small.places if place.name == "Bamba"]
    assert [place.id for place in bamba] == ["ml-k-bamba--koro", "ml-k-bamba--bourem"]
    assert [small.cercle_of(place.id) for place in bamba] == [
        small.by_id["ml-c-koro"],
        small.by_id["ml-c-bourem"],
    ]


def test_villages_of_one_name_are_told_apart_by_commune_then_by_code(small: Gazetteer) -> None:
    assert [place.id for place in small.places if place.level == "locality"] == [
        "ml-v-kabate--colimbine--000",
        "ml-v-kabate--colimbine--004",
        "ml-v-madina--bamba--koro",
        "ml-v-madina--bamba--bourem",
        "ml-v-bafoulabe",
        "ml-v-banconi",
    ]


def test_quarter_codes_are_a_system_of_their_own(small: Gazetteer) -> None:
    assert place_id(small, "ML090101001", IOM_2015) == "ml-q-banconi"
    assert place_id(small, "ML090101001", OCHA_2015) == "ml-v-banconi"


def test_a_cercle_spelled_otherwise_is_one_place_with_the_newer_name(small: Gazetteer) -> None:
    baraoueli = small.by_id["ml-c-baraoueli"]
    assert baraoueli.codes == {OCHA_2015: "ML0401", OCHA_2021: "ML0401"}
    assert baraoueli.aliases == ("Baroueli",)
    assert small.by_id["ml-r-koulikoro"].aliases == ("Koulikouro",)


def test_a_cercle_keeps_its_region_of_every_list(small: Gazetteer) -> None:
    def regions(cercle_id: str) -> list[str | None]:
        found = [small.region_of(cercle_id, system) for system in (OCHA_2015, OCHA_2021, LAW_2023)]
        return [region.id if region else None for region in found]

    assert regions("ml-c-kayes") == ["ml-r-kayes", "ml-r-kayes", "ml-r-kayes"]
    assert regions("ml-c-diema") == ["ml-r-kayes", "ml-r-kayes", "ml-r-nioro"]
    assert regions("ml-c-menaka") == ["ml-r-gao", "ml-r-menaka", "ml-r-menaka"]
    assert regions("ml-c-tidermene") == [None, "ml-r-menaka", "ml-r-menaka"]
    assert regions("ml-v-madina--bamba--koro") == ["ml-r-mopti", "ml-r-mopti", "ml-r-bandiagara"]
    assert regions("ml-r-taoudenit") == [None, None, "ml-r-taoudenit"]
    assert regions("ml-c-nowhere") == [None, None, None]


def test_cercle_of_goes_up_and_stops_at_the_region(small: Gazetteer) -> None:
    assert small.cercle_of("ml-q-djelibougou") == small.by_id["ml-c-bamako"]
    assert small.cercle_of("ml-c-bamako") == small.by_id["ml-c-bamako"]
    assert small.cercle_of("ml-r-bamako") is None
    assert small.cercle_of("ml-c-nowhere") is None


def test_a_place_newer_than_the_first_list_says_since_when(small: Gazetteer) -> None:
    assert small.by_id["ml-c-kayes"].valid_from is None
    assert small.by_id["ml-c-tidermene"].valid_from == date(2021, 12, 20)
    assert small.by_id["ml-r-taoudenit"].valid_from == date(2023, 3, 13)


def test_names_of_a_town_go_to_its_cercle_and_to_the_village_that_is_near(small: Gazetteer) -> None:
    assert small.by_id["ml-c-bafoulabe"].name == "Bafoulabé"
    assert small.by_id["ml-c-bafoulabe"].aliases == ("Bafoulabe", "Bafilabɛn", "Bafulabe")
    assert small.by_id["ml-v-bafoulabe"].aliases == ()
    assert small.by_id["ml-v-madina--bamba--bourem"].aliases == ("Madine",)
    assert small.by_id["ml-v-madina--bamba--koro"].aliases == ()


def test_the_lists_that_only_add_may_be_left_out() -> None:
    needed = {file: lines for file, lines in small_cod().items() if "admin" in file and file != QUARTERS_2015}
    gazetteer = parse_cod(needed, version="2026.1")
    assert Counter(place.level for place in gazetteer.places) == {"region": 7, "cercle": 10, "commune": 6}
    assert gazetteer.region_of("ml-c-diema", LAW_2023) is None


@pytest.mark.parametrize("file", COD_COLUMNS)
def test_a_missing_column_is_named_with_its_file(file: str) -> None:
    for column in COD_COLUMNS[file]:
        header, *rows = small_cod()[file]
        without = "\n".join([header.replace(column, "x" + column, 1), *rows])
        with pytest.raises(PlaceListInvalid) as refused:
            parse_cod(small_cod(**{file: without}), version="2026.1")
        assert refused.value.values == {"fault": "column_missing", "file": file, "column": column}


@pytest.mark.parametrize(
    ("file", "before", "after", "values"),
    [
        (COMMUNES_2015, "Colimbine,ML0101", "Colimbine", {"fault": "row_width", "line": 2}),
        (
            COMMUNES_2015,
            "Colimbine,ML0101",
            "Colimbine,ML0199",
            {"fault": "parent_unknown", "value": "ML0199"},
        ),
        (UNITS_2021, "ML1004,Tidermene", "ML1004,Ménaka", {"fault": "match_ambiguous", "value": "ML1004"}),
        (UNITS_2021, "ML10,2021-12-20", "ML10,2021-13-20", {"fault": "date_invalid", "value": "2021-13-20"}),
        (LOCALITIES_2015, "-3.1,", "ouest,", {"fault": "position_invalid", "value": "Madina"}),
    ],
)
def test_a_row_that_can_not_be_read_is_named(file: str, before: str, after: str, values: dict[str, object]) -> None:
    assert before in SMALL_COD[file]
    with pytest.raises(PlaceListInvalid) as refused:
        parse_cod(small_cod(**{file: SMALL_COD[file].replace(before, after)}), version="2026.1")
    assert refused.value.values == values | {"file": file}


def test_a_needed_file_that_is_not_given_is_named() -> None:
    files = small_cod()
    del files[UNITS_2021]
    with pytest.raises(PlaceListInvalid) as refused:
        parse_cod(files, version="2026.1")
    assert refused.value.values == {"fault": "file_missing", "file": UNITS_2021}


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        ({"level": "canton"}, {"fault": "level_unknown", "value": "canton"}),
        ({"valid_from": "13/03/2023"}, {"fault": "date_invalid", "value": "13/03/2023"}),
        ({"parent_id": "ml-r-mopti"}, {"fault": "parent_unknown", "value": "ml-r-gao"}),
        ({"parent_id": "ml-r-gao"}, {"fault": "parent_unknown", "value": "ml-r-gao"}),
        ({"level": "cercle"}, {"fault": "parent_unknown", "value": "ml-r-gao"}),
        ({"region_law-2023": "ml-r-mopti"}, {"fault": "parent_unknown", "value": "ml-r-gao"}),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(cells: dict[str, str], values: dict[str, object]) -> None:
    with pytest.raises(PlaceListInvalid) as refused:
        read_list(listed(**cells), version="test")
    assert refused.value.values == values | {"file": "test"}


@pytest.mark.parametrize(
    ("second", "values"),
    [
        (Place("ml-r-gao", "Gao", "region", None), {"fault": "id_twice", "value": "ml-r-gao"}),
        (
            Place("ml-r-mopti", "Mopti", "region", None, codes={OCHA_2015: "ML07"}),
            {"fault": "code_twice", "value": "ML07 ocha-2015"},
        ),
    ],
)
def test_an_id_or_a_code_stands_once(second: Place, values: dict[str, object]) -> None:
    gao = Place("ml-r-gao", "Gao", "region", None, codes={OCHA_2015: "ML07"})
    with pytest.raises(PlaceListInvalid) as refused:
        Gazetteer("test", (gao, second))
    assert refused.value.values == values | {"file": "test"}


def test_the_shipped_list_holds_all_regions_and_cercles(shipped: Gazetteer) -> None:
    assert Counter(place.level for place in shipped.places) == {"region": 20, "cercle": 53, "commune": 57}
    assert shipped.by_id["ml-c-gourma-rharous"].aliases == ("Rharous",)
    assert len([place for place in shipped.places if place.parent_id == "ml-c-bamako"]) == 6


def test_the_whole_lists_agree_with_the_crosswalk(whole: Gazetteer, mali: Path) -> None:
    with (mali / "crosswalk_cercles_cod2015_cod2021.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    apart = [
        row["name"]
        for row in rows
        if whole.resolve(row["pcode_2015"], OCHA_2015) != whole.resolve(row["pcode_2021"], OCHA_2021)
        or whole.resolve(row["pcode_2015"], OCHA_2015) is None
    ]
    assert len(rows) == 50
    assert apart == []


def test_the_whole_lists_are_read_to_the_last_row(whole: Gazetteer) -> None:
    assert Counter(place.level for place in whole.places) == {
        "region": 20,
        "cercle": 53,
        "commune": 701,
        "quarter": 71,
        "locality": 18_769,
    }
    assert len(whole.by_id) == 20 + 53 + 701 + 71 + 18_769


def test_the_shipped_list_says_of_every_place_what_the_whole_lists_say(whole: Gazetteer, shipped: Gazetteer) -> None:
    def facts(place: Place) -> tuple[object, ...]:
        return (place.id, place.level, place.parent_id, place.valid_from, place.codes, place.regions)

    assert [place.id for place in shipped.places if facts(place) != facts(whole.by_id[place.id])] == []


def test_a_place_is_known_by_its_id_and_by_its_names_however_typed() -> None:
    gao = Place("ml-r-gao", "Gao", "region", None, aliases=("Tombouctou", "Gao-Gao"))
    timbuktu = Place("ml-r-tombouctou", "Tombouctou", "region", None, aliases=("Timbuktu", "Gao-Gao"))
    cercle = Place("ml-c-gao", "Gao", "cercle", "ml-r-gao")
    places = Gazetteer("v", (gao, timbuktu, cercle))
    assert [places.region_named(typed) for typed in ("ml-r-gao", " GÀO ", "timbuktu", "TOMBOUCTOU")] == [
        gao,
        gao,
        timbuktu,
        timbuktu,
    ]
    assert places.cercle_named("gao") == cercle
    assert [places.region_named(typed) for typed in ("gao gao", "Kidal", "")] == [None] * 3
