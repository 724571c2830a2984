"""Backlogs: what a map makes of a row, and what becomes of rows that are no complaints."""

import csv
import io
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from client_sync.importing import (
    EncodingDiffers,
    MapInvalid,
    NotATable,
    Refused,
    Taken,
    read_header,
    read_map,
    read_rows,
    unused_columns,
)
from client_sync.protocol.canonical import canonical
from client_sync.protocol.receipts import is_receipt

LINEAGE = "00000000-0000-4000-8000-0000000000d1"
MAPS = resources.files("client_sync") / "maps"
MAP = """
map = 1
source = "cahier-1"
key = ["no"]
[facts]
kinds = { column = "type", codes = { "racket" = "COR-RACKET" } }
channel = "paper"
incident.from = { column = "date", day = "%d/%m/%Y" }
incident.precision = "day"
entered_at = "2026-11-21T10:00:00Z"
money.asked_xof = { column = "montant" }
[statement]
narrative = { column = "récit" }
"""
HEADER = ["no", "type", "date", "montant", "récit"]
GOOD = ["1", "racket", "3/10/2026", "15 000", "On m'a demandé de l'argent."]


def written(rows: list[list[str]], header: list[str] = HEADER) -> str:
    """The text of a CSV file."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([header, *rows])
    return file.getvalue()


def read(text: str, map_text: str = MAP, lineage: str = LINEAGE) -> list[Taken | Refused]:
    return list(read_rows(io.StringIO(text, newline=""), read_map(map_text), lineage))


def only_taken(text: str, map_text: str = MAP, lineage: str = LINEAGE) -> Taken:
    [row] = read(text, map_text, lineage)
    assert isinstance(row, Taken), row
    return row


def clear(row: Taken, compartment: str = "facts") -> dict[str, Any]:
    return dict(row.content[compartment]["clear"])


def test_a_row_becomes_the_complaint_that_the_map_says() -> None:
    row = only_taken(written([GOOD]))
    facts = clear(row)
    assert is_receipt(facts.pop("receipt"))
    assert facts == {
        "kinds": ["COR-RACKET"],
        "channel": "paper",
        "incident": {"from": "2026-10-03", "precision": "day"},
        "entered_at": "2026-11-21T10:00:00Z",
        "money": {"asked_xof": 15000},
        "consent": {"level": "C0"},
        "contact_ok": "unasked",
        "confidentiality": "confidential",
    }
    assert row.content["statement"] == {"clear": {"narrative": "On m'a demandé de l'argent."}}
    assert (row.number, row.content["form"], row.content["vocabulary"]) == (2, "complaint/1", "2026.1")


@pytest.mark.parametrize(
    ("change", "confidentiality"),
    [
        (('"COR-RACKET"', '"GBV-2"'), "strict"),
        (('channel = "paper"', 'channel = "paper"\npersons.1.roles = ["victim"]\npersons.1.age = "12-17"'), "strict"),
        (('channel = "paper"', 'channel = "paper"\npersons.1.category = "network_staff"'), "strict"),
        (('channel = "paper"', 'channel = "paper"\nconfidentiality = "internal"'), "internal"),
    ],
)
def test_where_the_map_says_nothing_the_facts_of_a_row_decide_who_reads_it(
    change: tuple[str, str], confidentiality: str
) -> None:
    map_text = MAP.replace(*change).replace(
        "persons.1.category", 'persons.1.roles = ["alleged_perpetrator"]\npersons.1.category'
    )
    assert clear(only_taken(written([GOOD]), map_text))["confidentiality"] == confidentiality


def test_the_same_row_is_the_same_bytes_under_the_same_id() -> None:
    first, second = only_taken(written([GOOD])), only_taken(written([GOOD]))
    assert first.id == second.id
    assert canonical(first.content) == canonical(second.content)


@pytest.mark.parametrize(
    ("map_text", "lineage"),
    [(MAP, "00000000-0000-4000-8000-0000000000d2"), (MAP.replace("cahier-1", "cahier-2"), LINEAGE)],
    ids=["another lineage", "another source"],
)
def test_a_row_of_another_backlog_has_another_id(map_text: str, lineage: str) -> None:
    assert only_taken(written([GOOD])).id != only_taken(written([GOOD]), map_text, lineage).id


def test_keys_of_several_columns_do_not_run_into_each_other() -> None:
    map_text = MAP.replace('["no"]', '["no", "type"]').replace('codes = { "racket" = "COR-RACKET" }', 'default = "OTH"')
    map_text = map_text.replace('"type", default', '"type", codes = {}, default')
    rows = read(written([["1", "11", *GOOD[2:]], ["11", "1", *GOOD[2:]]]), map_text)
    assert len({row.id for row in rows if isinstance(row, Taken)}) == 2


@pytest.mark.parametrize(
    ("column", "cell", "code", "field", "shown"),
    [
        (0, "", "key_missing_in_row", "no", ("no", "")),
        (0, "9", "key_repeated", "no", ("no", "")),
        (1, "vol", "code_unknown", "facts.kinds", ("type", "vol")),
        (1, "", "member_missing", "facts.kinds", ("type", "")),
        (2, "31/02/2026", "date_impossible", "facts.incident.from", ("date", "31/02/2026")),
        (2, "1/1/0001", "date_out_of_range", "facts.incident.from", ("date", "1/1/0001")),
        (3, "beaucoup", "number_unreadable", "facts.money.asked_xof", ("montant", "beaucoup")),
        (3, "On m'a demandé de l'argent pour la moto.", "number_unreadable", "facts.money.asked_xof", ("montant", "")),
        (3, "\x1b[2J", "number_unreadable", "facts.money.asked_xof", ("montant", "")),
        (4, "a" * 20_001, "text_too_long", "statement.narrative", ("récit", "")),
        (4, "a\0b", "text_nul", "", ("", "")),
        (4, "\udce9t\udce9", "text_surrogate", "", ("", "")),
    ],
)
def test_a_row_that_is_no_complaint_is_named_and_its_neighbours_are_taken(
    column: int, cell: str, code: str, field: str, shown: tuple[str, str]
) -> None:
    bad = [cell if at == column else value for at, value in enumerate(GOOD)]
    before, after = ["9", *GOOD[1:]], ["10", *GOOD[1:]]
    first, second, third = read(written([before, bad, after]))
    assert second == Refused(3, code, field, *shown)
    assert isinstance(first, Taken)
    assert isinstance(third, Taken)
    assert third.number == 4


def test_a_name_is_not_repeated_even_where_the_map_takes_it_for_a_code() -> None:
    map_text = MAP + '[identity]\npersons.1.name = { column = "montant", codes = { "x" = "Awa D." } }\n'
    [row] = read(written([[*GOOD[:3], "12", GOOD[4]]]), map_text)
    assert row == Refused(2, "code_unknown", "identity.persons.1.name", "montant", "")


def test_rows_that_are_no_csv_cost_themselves_alone() -> None:
    text = written([GOOD]) + '2,racket,"3/10/2026"x,1,a\r\n' + "3,racket\r\n" + "\r\n" + written([["4", *GOOD[1:]]], [])
    rows = read(text)
    assert [row for row in rows if isinstance(row, Refused)] == [
        Refused(3, "row_unreadable", ""),
        Refused(4, "row_columns", ""),
    ]
    assert sum(isinstance(row, Taken) for row in rows) == 2


def test_a_narrative_is_kept_letter_by_letter() -> None:
    told = '  « Ça suffit »,\r\n"dit-il";  ɛɔɲŋ\t'
    assert clear(only_taken(written([[*GOOD[:4], told]])), "statement")["narrative"] == told


def test_a_time_that_falls_out_of_the_calendar_costs_its_row() -> None:
    rule = 'entered_at = { column = "date", time = "%d/%m/%Y", zone = "+05:00" }'
    map_text = MAP.replace('entered_at = "2026-11-21T10:00:00Z"', rule)
    first, second = read(written([["1", "racket", "1/1/0001", *GOOD[3:]], ["2", *GOOD[1:]]]), map_text)
    assert first == Refused(2, "date_out_of_range", "facts.entered_at", "date", "1/1/0001")
    assert isinstance(second, Taken)


def test_a_row_without_a_day_says_so() -> None:
    row = only_taken(written([[*GOOD[:2], "", *GOOD[3:]]]))
    assert clear(row)["incident"] == {"from": None, "precision": "unknown"}


def test_rows_are_read_one_at_a_time() -> None:
    class Counting(io.StringIO):
        asked = 0

        def __next__(self) -> str:
            Counting.asked += 1
            return super().__next__()

    file = Counting(written([[str(number), *GOOD[1:]] for number in range(1000)]), newline="")
    rows = read_rows(file, read_map(MAP), LINEAGE)
    next(rows)
    assert Counting.asked == 2


@pytest.mark.parametrize(
    ("change", "why", "where"),
    [
        (("map = 1", "map = 2"), "version", "map"),
        (("map = 1", "map 1"), "toml", None),
        (('source = "cahier-1"', ""), "missing", "source"),
        (('key = ["no"]', ""), "missing", "key"),
        (('channel = "paper"', ""), "missing", "facts.channel"),
        (('entered_at = "2026-11-21T10:00:00Z"', ""), "missing", "facts.entered_at"),
        (("incident.precision", "incident.exactness"), "member", "facts.incident.exactness"),
        (("channel =", "ethnie ="), "member", "facts.ethnie"),
        (('day = "%d/%m/%Y"', 'date = "%d/%m/%Y"'), "word", "facts.incident.from: date"),
        (('day = "%d/%m/%Y"', 'time = "%d/%m/%Y", zone = "Bamako"'), "zone", "facts.incident.from"),
        (("[statement]", "[statment]"), "part", "statment"),
        (('source = "cahier-1"', 'source = "cahier-1"\nencodage = "cp1252"'), "part", "encodage"),
        (('key = ["no"]', 'key = "no"'), "value", "key"),
        (('key = ["no"]', 'key = ["no"]\ndelimiter = "::"'), "value", "delimiter"),
        (('key = ["no"]', 'key = ["no"]\nencoding = "utf-9"'), "encoding", "utf-9"),
        (('key = ["no"]', 'key = ["no"]\nencoding = "hex"'), "encoding", "hex"),
        (('"COR-RACKET"', '"COR-RACKETS"'), "code", "facts.kinds: COR-RACKETS"),
        (('" } }', '" }, default = "AUTRE" }'), "code", "facts.kinds: AUTRE"),
        (('channel = "paper"', 'channel = "papier"'), "code", "facts.channel: papier"),
        (('channel = "paper"', "channel = 7"), "value", "facts.channel: 7"),
    ],
)
def test_a_map_that_cannot_be_followed_says_where(change: tuple[str, str], why: str, where: str | None) -> None:
    with pytest.raises(MapInvalid) as raised:
        read_map(MAP.replace(*change))
    assert raised.value.details["why"] == why
    assert where is None or raised.value.details["where"] == where


def test_columns_are_missed_or_named() -> None:
    mapping = read_map(MAP.replace('key = ["no"]', 'key = ["no"]\nignore = ["vu"]'))
    assert unused_columns([*HEADER, "vu", "observations"], mapping) == ["observations"]
    with pytest.raises(MapInvalid) as raised:
        read_header(io.StringIO(written([], HEADER[:-1])), mapping)
    assert raised.value.details == {"why": "column", "where": "récit"}


@pytest.mark.parametrize(
    "data",
    [b"", written([GOOD]).replace(",", ";").encode(), b"PK\x03\x04\x14\0\x06\0\x08"],
    ids=["empty", "semicolons", "xlsx"],
)
def test_what_is_no_table_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(NotATable) as raised:
        read_header(opened(data), read_map(MAP))
    assert raised.value.details == {"delimiter": ","}


@pytest.mark.parametrize(
    ("written_in", "said", "encoding", "other"),
    [
        ("cp1252", "utf-8-sig", "utf-8", "cp1252"),
        ("utf-8", "utf-16", "utf-16", "cp1252"),
        ("utf-8", "ascii", "ascii", "cp1252"),
    ],
)
def test_a_file_in_another_encoding_says_which_to_try(written_in: str, said: str, encoding: str, other: str) -> None:
    mapping = read_map(MAP.replace('key = ["no"]', f'key = ["no"]\nencoding = "{said}"'))
    with pytest.raises(EncodingDiffers) as raised:
        read_header(opened(written([GOOD]).encode(written_in), said), mapping)
    assert raised.value.details == {"encoding": encoding, "other": other}


def test_a_file_whose_encoding_breaks_off_says_so_and_keeps_the_rows_before() -> None:
    mapping = read_map(MAP.replace('key = ["no"]', 'key = ["no"]\nencoding = "utf-16"'))
    rows = [[str(number), *GOOD[1:]] for number in range(500)]
    cut = written(rows).encode("utf-16")[:-1] + b"\xd8\x00\xd8"
    read = read_rows(opened(cut, "utf-16"), mapping, LINEAGE)
    assert isinstance(next(read), Taken)
    with pytest.raises(EncodingDiffers):
        list(read)


def opened(data: bytes, encoding: str = "utf-8-sig") -> io.TextIOWrapper:
    """A file as the program opens it."""
    return io.TextIOWrapper(io.BytesIO(data), encoding, errors="surrogateescape", newline="")


def test_the_documented_map_does_what_its_page_says() -> None:
    page = Path(str(MAPS), "README.md").read_text("utf-8")
    example = re.search(r"```toml\n(.*?)```", page, re.S)
    assert example is not None
    columns = {
        "no": "17", "type": "racket| menace|autre", "date": "3/10/2026", "saisi_le": "4/10/2026 18:05",
        "montant": "", "sexe": "F", "accord": "oui", "récit": "Le récit.", "village": "Sansanding", "commune": "",
        "lat": "13.7333", "lon": "-6.0000", "nom": "Awa D.",
    }  # fmt: skip
    text = written([list(columns.values())], list(columns)).replace(",", ";")
    row = only_taken(text, example[1])
    facts = clear(row)
    assert facts["kinds"] == ["COR-RACKET", "HR-THR", "OTH"]
    assert facts["entered_at"] == "2026-10-04T18:05:00Z"
    assert facts["persons"] == [{"no": 1, "roles": ["complainant", "victim"], "sex": "f"}]
    assert facts["consent"] == {"level": "C2"}
    assert clear(row, "traces") == {"said": "Sansanding", "gps": {"lat": "13.7333", "lon": "-6.0000"}}
    assert clear(row, "identity") == {"persons": [{"no": 1, "name": "Awa D."}]}


def shipped(name: str) -> str:
    return (MAPS / f"{name}.toml").read_text("utf-8")


def test_boston_becomes_other_with_what_was_said_and_a_position() -> None:
    header = (
        "case_id,opened,target,closed,on_time,status,closed_as_duplicate,title,type,reason,location,neighborhood,"
        "lat,lon,channel"
    ).split(",")
    cells = [
        "101", "2015-01-01T23:25:23", "", "", "ONTIME", "Closed", "1", "PRINTED", "Street Light Outages", "Lights",
        "1 Any St", "", "42.3474", "-71.0944", "Constituent Call",
    ]  # fmt: skip
    row = only_taken(written([cells], header), shipped("boston311"))
    facts = clear(row)
    assert (facts["kinds"], facts["channel"], facts["language"]) == (["OTH"], "phone", "und")
    assert facts["incident"] == {"from": "2015-01-01", "precision": "day"}
    assert facts["entered_at"] == facts["collected_at"] == "2015-01-02T04:25:23Z"
    assert clear(row, "traces") == {"said": "1 Any St", "gps": {"lat": "42.3474", "lon": "-71.0944"}}
    assert clear(row, "statement") == {"narrative": "Street Light Outages : PRINTED", "lang": "und"}
    assert unused_columns(header, read_map(shipped("boston311"))) == []


def test_haiti_keeps_the_message_as_it_came() -> None:
    mapping = read_map(shipped("haiti2010"))
    header = ["id", "date_haiti", "original", *sorted(mapping.ignored)]
    told = "  Nou bezwen dlo, tanpri !  «2 jou»"
    cells = ["8", "2010-01-17", told, *("0" for _ in mapping.ignored)]
    row = only_taken(written([cells], header), shipped("haiti2010"))
    assert clear(row, "statement") == {"narrative": told, "lang": "und"}
    assert (clear(row)["channel"], clear(row)["incident"]["from"]) == ("sms", "2010-01-17")
    assert row.content.keys() == {"form", "vocabulary", "facts", "statement"}
