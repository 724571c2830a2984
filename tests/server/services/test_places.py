"""Place lists: imported from files, kept as versions, one of which stands."""

from pathlib import Path

import pytest

from server.domain.errors import PlaceListInvalid
from server.domain.places import Gazetteer, Place
from server.hub import Hub
from server.services import places
from tests.builders import NOW, Sender, complaint, enrolled
from tests.server.services.test_admission import LIST

SHIPPED = Path(__file__).resolve().parents[3] / "fixtures" / "places" / "mali-2026.1.csv"
HEAD = SHIPPED.read_text("utf-8").splitlines()[0]


def test_shipped_list_is_read_under_the_version_of_its_name(own_hub: Hub) -> None:
    gazetteer = places.read_list_file(SHIPPED, places.version_in(SHIPPED))
    counts = places.import_list(own_hub.store, gazetteer, SHIPPED.name, NOW)
    assert gazetteer.version == "2026.1"
    assert counts == {"region": 20, "cercle": 53, "commune": 57}
    with own_hub.store.read() as connection:
        stored = own_hub.places.read(connection)
    assert stored is not None
    assert stored.by_id == gazetteer.by_id


def test_newest_import_stands(own_hub: Hub) -> None:
    for version in ("2026.1", "2026.2"):
        places.import_list(own_hub.store, Gazetteer(version, LIST.places), "a.csv", NOW)
    found = [(each.version, each.is_current) for each in places.listed(own_hub.store)]
    assert found == [("2026.1", False), ("2026.2", True)]


def test_same_version_again_replaces_its_places(own_hub: Hub) -> None:
    places.import_list(own_hub.store, LIST, "a.csv", NOW)
    with own_hub.store.read() as connection:
        assert _ids(own_hub.places.read(connection)) == ["ml-c-gao", "ml-r-gao"]
    shorter = Gazetteer(LIST.version, (Place("ml-r-gao", "Gao", "region", None),))
    places.import_list(own_hub.store, shorter, "b.csv", NOW.replace(hour=11))
    with own_hub.store.read() as connection:
        assert _ids(own_hub.places.read(connection)) == ["ml-r-gao"]
    assert [each.source for each in places.listed(own_hub.store)] == ["b.csv"]


def _ids(gazetteer: Gazetteer | None) -> list[str]:
    assert gazetteer is not None
    return sorted(gazetteer.by_id)


def test_complaint_at_a_place_of_the_new_list_is_stored(own_hub: Hub) -> None:
    device: Sender = enrolled(own_hub, "Gao 1")
    places.import_list(own_hub.store, LIST, "a.csv", NOW)
    answer = device.send(complaint("gao"), complaint("nowhere", place={"id": "ml-c-x", "list": "2026.1"}))
    assert [named["code"] for named in answer["frames"][0]["named"]] == ["place_unknown"]


@pytest.mark.parametrize(
    ("name", "version"), [("mali-2026.1.csv", "2026.1"), ("cod2015_2021", "2021"), ("2026.10.csv", "2026.10")]
)
def test_version_in_a_name(name: str, version: str) -> None:
    assert places.version_in(Path(name)) == version


def test_name_without_version_asks_for_one() -> None:
    with pytest.raises(PlaceListInvalid) as refused:
        places.version_in(Path("places.csv"))
    assert refused.value.values["fault"] == "version_missing"


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"id,name\n", "column_missing"),
        ("id,name\nml-r-s\xe9gou,S\xe9gou\n".encode("latin-1"), "not_text"),
        (HEAD.encode() + b"\nml-x,X,planet,,,,,,,,,,,\n", "level_unknown"),
    ],
)
def test_bad_file_is_refused_with_what_is_wrong(tmp_path: Path, data: bytes, fault: str) -> None:
    path = tmp_path / "bad-2026.1.csv"
    path.write_bytes(data)
    with pytest.raises(PlaceListInvalid) as refused:
        places.read_list_file(path, "2026.1")
    assert refused.value.values["fault"] == fault


def test_byte_order_mark_and_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "windows-2026.1.csv"
    path.write_bytes(b"\xef\xbb\xbf" + (HEAD + "\r\nml-r-gao,Gao,region,,,,,,,,,,,\r\n").encode())
    assert [place.name for place in places.read_list_file(path, "2026.1").places] == ["Gao"]


def test_version_that_no_column_holds_is_refused() -> None:
    with pytest.raises(PlaceListInvalid):
        places.read_list_file(SHIPPED, "x" * 21)


def test_folder_of_ocha_lists_needs_its_files(tmp_path: Path) -> None:
    with pytest.raises(PlaceListInvalid) as refused:
        places.read_cod_folder(tmp_path, "2026.1")
    assert refused.value.values["fault"] == "file_missing"
