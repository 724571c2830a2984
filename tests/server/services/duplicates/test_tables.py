"""Tables: files as others write them, read as they are meant or refused by name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from server.domain.errors import TableInvalid
from server.domain.matching.levels import FieldName
from server.domain.matching.records import Kind
from server.services.duplicates.tables import Field, Pairs, Table, read_map, read_pairs, read_table

File = Callable[..., Path]


@pytest.fixture
def file(tmp_path: Path) -> File:
    def write(name: str, *lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes("\n".join(lines).encode(encoding))
        return path

    return write


def read(path: Path, fields: str, order: str | None = None, across: str | None = None) -> Table:
    return read_table([path], read_map(fields), None, order, across)


def values(table: Table, field: str) -> list[str | None]:
    return [next(iter(record.get(FieldName(field), ())), None) for record in table.records]


def refused(call: Callable[..., object], *arguments: object) -> dict[str, object]:
    with pytest.raises(TableInvalid) as error:
        call(*arguments)
    return error.value.values


def test_a_map_names_fields_after_their_columns_or_as_told() -> None:
    assert read_map("person=given+sur, words:street=number+road,code=zip") == (
        Field(FieldName("given+sur"), Kind.PERSON, ("given", "sur")),
        Field(FieldName("street"), Kind.WORDS, ("number", "road")),
        Field(FieldName("zip"), Kind.CODE, ("zip",)),
    )


def test_a_map_that_says_no_field_is_refused_by_what_it_says() -> None:
    assert refused(read_map, "person")["field"] == "person"
    assert refused(read_map, "nom=given")["kind"] == "nom"
    assert refused(read_map, "words=a,code:a=b")["field"] == "a"


def test_a_column_that_is_not_there_is_named_beside_those_that_are(file: File) -> None:
    path = file("r.csv", "id,name", "1,Awa")
    assert refused(read, path, "words=nom") == {
        "fault": "column_missing",
        "file": "r.csv",
        "column": "nom",
        "columns": "id, name",
    }


def test_a_mark_quotes_and_lines_cut_short_are_read(file: File) -> None:
    path = file("r.csv", "\ufeffid,name,town", '1,"Traoré, Awa",Gao', "", "2,Issa", '3,"Koné\nIssa",Gao')
    table = read(path, "words=name,words=town")
    assert list(table.ids) == ["1", "2", "3"]
    assert values(table, "name") == ["Traoré, Awa", "Issa", "Koné\nIssa"]
    assert values(table, "town") == ["Gao", None, "Gao"]


def test_what_stands_for_nothing_is_missing(file: File) -> None:
    path = file("r.csv", "id,a,b", "1,NaN,x", "2,NULL,", "3, n/a ,-")
    assert values(read(path, "words=a+b"), "a+b") == ["x", None, None]


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("birth", "1990-04-12", "19900412"),
        ("birth", "19900412", "19900412"),
        ("birth", "12/04/1990", "19900412"),
        ("birth", "12/25/1990", "19901225"),
        ("birth", "1990-4-2", "19900402"),
        ("birth", "19909912", "19909912"),
        ("birth", "1990", "1990"),
        ("when", "2015-01-01T00:25:23", "2015-01-01..2015-01-01"),
        ("when", "2015-02", "2015-02-01..2015-02-28"),
        ("when", "2015-13", None),
        ("when", "1999.0", "1999-01-01..1999-12-31"),
        ("when", "soon", None),
        ("point", "42.35; -71.05", "42.35,-71.05"),
        ("point", "142.35; -71.05", None),
        ("amount", "25 000 F", "25 000 F"),
    ],
)
def test_a_value_is_read_as_its_kind(file: File, kind: str, text: str, expected: str | None) -> None:
    table = read(file("r.csv", "id,x", f"1,{text}"), f"{kind}=x")
    assert values(table, "x") == [expected]
    assert table.unread == ({} if expected else {"x": 1})


def test_two_columns_make_a_point_and_a_span(file: File) -> None:
    path = file("r.csv", "id,lat,lon,from,to", "1,12.65,-8,2026-01-02,2026-01-05")
    table = read(path, "point:at=lat+lon,when:days=from+to")
    assert (values(table, "at"), values(table, "days")) == (["12.65,-8.0"], ["2026-01-02..2026-01-05"])


def test_records_arrive_by_a_column_as_numbers_where_all_are(file: File) -> None:
    numbers = file("r.csv", "id,at,x", "a,10,x", "b,9,x")
    texts = file("t.csv", "id,at,x", "a,2015-02,x", "b,2015-01,x", "c,,x")
    assert list(read(numbers, "words=x", order="at").ids) == ["b", "a"]
    assert list(read(texts, "words=x", order="at").ids) == ["c", "b", "a"]


def test_files_that_are_no_table_are_refused(file: File) -> None:
    assert refused(read, file("a.csv", "id,x", "1,a", "1,b"), "words=x") == {
        "fault": "id_twice",
        "file": "a.csv",
        "id": "1",
    }
    assert refused(read, file("b.csv", "id,x"), "words=x")["fault"] == "empty"
    assert refused(read, file("b0.csv"), "words=x")["fault"] == "empty"
    assert refused(read, file("c.csv", "id,x", "1,\0"), "words=x")["fault"] == "not_csv"
    assert refused(read, file("d.jsonl", '{"id": 1,'), "words=x")["fault"] == "not_csv"
    assert refused(read, file("e.csv", "nom,x", "1,a", "2,a"), "words=x") == {
        "fault": "id_unknown",
        "file": "e.csv",
        "columns": "nom, x",
    }


def some(file: File, across: str | None = None) -> Table:
    return read(file("r.csv", "id,src,x", "a,1,x", "b,1,x", "c,2,x", "d,2,x"), "words=x", across=across)


def test_pairs_are_read_with_or_without_a_header_once_each(file: File) -> None:
    lines = ("a,c", "c,a", "b, d", "a,z", "a,a")
    expected = Pairs(frozenset({(0, 2), (1, 3)}), unknown=1, same_side=0)
    assert read_pairs(file("p.csv", *lines), some(file)) == expected
    assert read_pairs(file("p.csv", "one,other", *lines), some(file)) == expected


def test_lines_labelled_as_no_match_do_not_count(file: File) -> None:
    path = file("p.csv", "l,r,label", "a,c,1", "b,d,0", "a,b,True")
    assert read_pairs(path, some(file)).true == {(0, 2), (0, 1)}


def test_across_sources_pairs_of_one_source_are_counted_and_left_out(file: File) -> None:
    path = file("p.csv", "l,r", "a,c", "a,b")
    assert read_pairs(path, some(file, across="src")) == Pairs(frozenset({(0, 2)}), unknown=0, same_side=1)


def test_pairs_of_another_table_are_refused(file: File) -> None:
    assert refused(read_pairs, file("p.csv", "l,r", "x,y"), some(file))["fault"] == "no_pair_known"


def test_a_column_that_numbers_the_pairs_is_passed_over(file: File) -> None:
    path = file("p.csv", "_id,l,r,gold", "0,a,c,1", "1,b,d,0")
    assert read_pairs(path, some(file)).true == {(0, 2)}


def test_what_was_labelled_as_no_match_is_told_apart_from_what_nobody_labelled(file: File) -> None:
    labelled = read_pairs(file("p.csv", "l,r,label", "a,c,1", "b,d,0", "a,d,"), some(file))
    assert (labelled.true, labelled.told) == ({(0, 2)}, {(0, 2), (1, 3)})
    assert read_pairs(file("q.csv", "l,r,label", "a,c,1"), some(file)).told == frozenset()


@pytest.mark.parametrize(
    "lines",
    [
        ("id,label,left_id,left_x,right_id,right_x", "0,1,a,x,c,x", "1,0,b,x,d,x"),
        ("_id,ltable_id,rtable_id,gold", "0,a,c,1", "1,b,d,0"),
        ("unique_id_l,unique_id_r,clerical", "a,c,1", "b,d,0"),
        ("score,id1,id2,is_match", "9,a,c,TRUE", "2,b,d,FALSE"),
        ("id,other_id,label", "a,c,1", "b,d,0"),
        ("a,c,1", "b,d,0"),
        ('{"x": "a", "y": "c", "match": true}', '{"x": "b", "y": "d", "match": false}'),
    ],
)
def test_ids_and_labels_are_found_by_what_their_columns_are_called(file: File, lines: tuple[str, ...]) -> None:
    pairs = read_pairs(file("p.csv", *lines), some(file))
    assert (pairs.true, pairs.told) == ({(0, 2)}, {(0, 2), (1, 3)})


def test_a_label_that_says_neither_is_refused(file: File) -> None:
    told = refused(read_pairs, file("p.csv", "l,r,label", "a,c,perhaps"), some(file))
    assert told == {"fault": "label_unread", "file": "p.csv", "label": "perhaps"}


def test_two_files_are_two_sources_and_may_use_the_same_ids(file: File) -> None:
    left, right = file("A.csv", "id,x", "0,one", "1,two"), file("B.csv", "id,x", "0,two", "1,one", "2,three")
    table = read_table([left, right], read_map("words=x"), None, None, None)
    assert [table.sources.index(side) for side in table.sides] == [0, 0, 1, 1, 1]
    assert read_pairs(file("p.csv", "ltable_id,rtable_id", "0,1", "1,0", "1,2"), table).true == {(0, 3), (1, 2), (1, 4)}
    # Told the other way round, only one of these names a record of each file.
    assert read_pairs(file("q.csv", "one,other", "2,0", "0,1"), table).true == {(0, 4), (1, 2)}


def test_the_first_id_is_of_the_first_file_in_whatever_order_records_arrive(file: File) -> None:
    left, right = file("A.csv", "id,at,x", "0,9,one", "1,8,two"), file("B.csv", "id,at,x", "0,1,two", "1,2,one")
    table = read_table([left, right], read_map("words=x"), None, "at", None)
    # By `at`: 0 and 1 of B, 1 and 0 of A.
    assert read_pairs(file("p.csv", "one,other", "0,1", "1,0"), table).true == {(1, 3), (0, 2)}


def test_ids_that_a_program_made_fractions_are_the_same_ids(file: File) -> None:
    table = read(file("r.csv", "cluster_id,recid,x", "7,1,a", "7,2,a", "8,3,b"), "words=x")
    assert read_pairs(file("p.csv", "one,other", "1.0,2.0"), table).true == {(0, 1)}


def test_json_lines_and_older_codes_are_read(file: File) -> None:
    lines = file("r.jsonl", '{"id": 1, "name": "Koné", "tags": ["a", "b"]}', '{"id": 2, "name": null}')
    table = read(lines, "words=name,words=tags")
    assert (values(table, "name"), values(table, "tags")) == (["Koné", None], ["a b", None])
    assert values(read(file("o.csv", "id,x", "1,Koné", encoding="cp1252"), "words=x"), "x") == ["Koné"]
    assert values(read(file("u.csv", "id,x", "1,Koné", encoding="utf-16"), "words=x"), "x") == ["Koné"]


def test_a_kind_of_which_no_value_is_is_refused(file: File) -> None:
    path = file("r.csv", "id,x", *(f"{at},soon" for at in range(9)))
    assert refused(read, path, "when=x") == {"fault": "kind_wrong", "field": "x", "kind": "when"}


def test_a_birth_in_three_columns_is_that_day(file: File) -> None:
    path = file("r.csv", "id,y,m,d", "1,1949,7,22", "2,1949.0,07,22.0", "3,1949,,")
    assert values(read(path, "birth=y+m+d"), "y+m+d") == ["19490722", "19490722", "1949"]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_a_spreadsheet_in_french_is_read(file: File, delimiter: str) -> None:
    path = file("r.csv", delimiter.join(["id", "nom", "rue"]), delimiter.join(["1", '"Koné, Awa"', "2, rue 5"]))
    table = read(path, "person=nom,words=rue")
    assert (values(table, "nom"), values(table, "rue")) == (["Koné, Awa"], ["2, rue 5"])
