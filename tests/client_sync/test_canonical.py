"""Strict JSON in, canonical JSON out: the bytes that everything else is hashed and signed over."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client_sync.protocol.canonical import Unreadable, canonical, is_id, parse, read_operation

ID = "1a2b3c4d-0000-4000-8000-000000000001"
# U+0000 and lone surrogates are refused.
TEXT = st.characters(exclude_characters="\0", exclude_categories=("Cs",))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(TEXT),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abÉ𝄞", max_size=3), inner, max_size=4),
    max_leaves=12,
)


def line(**members: Any) -> bytes:
    return canonical({"content": {"a": 1}, "id": ID, "op": "complaint", "seq": 1} | members)


def test_members_are_sorted_by_code_point_and_little_is_escaped() -> None:
    value = {
        "é": 1,
        "a": [None, True, -7],
        "Z": '"\\/\b\t\n\f\r\x01\x7f\u2028ɲ😀',
        "": {},
        "\U0001f600": 0,
        "\uffff": 0,
    }
    assert (
        canonical(value)
        == (
            '{"":{},"Z":"\\"\\\\/\\b\\t\\n\\f\\r\\u0001\x7f\u2028ɲ😀","a":[null,true,-7],"é":1,"\uffff":0,"\U0001f600":0}'
        ).encode()
    )


def test_the_content_hash_is_over_these_bytes() -> None:
    line = canonical({"content": {"b": 1, "a": "é"}, "id": ID, "op": "seen", "seq": 1})
    assert read_operation(line).hash == hashlib.sha256('{"a":"é","b":1}'.encode()).hexdigest()


@given(VALUES)
def test_what_was_written_is_read_back(value: Any) -> None:
    written = canonical(value)
    assert parse(written) == value
    assert canonical(parse(written)) == written
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a":1,"a":2}', "json_duplicate_member"),
        (b'{"b":{"a":1,"\\u0061":2}}', "json_duplicate_member"),
        (b"1.0", "json_number"),
        (b"1e3", "json_number"),
        (b"NaN", "json_number"),
        (b"-Infinity", "json_number"),
        (b"9007199254740992", "json_number"),
        (b"-9007199254740992", "json_number"),
        (b"9" * 5000, "json_number"),
        (b'"\\ud800"', "text_surrogate"),
        (b'{"\\udc00":1}', "text_surrogate"),
        (b'"a\\u0000"', "text_nul"),
        (b'{"\\u0000":1}', "text_nul"),
        (b"[" * 33 + b"]" * 33, "json_depth"),
        (b"[" * 100_000, "json_depth"),
        (b'{"a":1', "json_invalid"),
        (b"{} {}", "json_invalid"),
        (b"\xff", "json_invalid"),
        (b"", "json_invalid"),
        (b"\xef\xbb\xbf{}", "json_invalid"),
    ],
)
def test_the_limits_hold(data: bytes, code: str) -> None:
    with pytest.raises(Unreadable) as problem:
        parse(data)
    assert problem.value.code == code


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"9007199254740991", 2**53 - 1),
        (b"-0", 0),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\\\u0000"', "\\u0000"),
        (b"[" * 32 + b"]" * 32, json.loads("[" * 32 + "]" * 32)),
    ],
)
def test_what_is_just_inside_the_limits_is_read(data: bytes, value: Any) -> None:
    assert parse(data) == value


def test_an_operation_is_read_with_the_hash_of_its_content() -> None:
    written = line()
    operation = read_operation(written)
    assert (operation.op, operation.id, operation.seq, operation.content) == ("complaint", ID, 1, {"a": 1})
    assert operation.line == written
    assert operation.hash == hashlib.sha256(b'{"a":1}').hexdigest()


def test_an_operation_written_otherwise_has_the_same_hash() -> None:
    loose = json.dumps({"seq": 1, "op": "complaint", "id": ID, "content": {"a": 1}}, indent=1).encode()
    assert read_operation(loose).hash == read_operation(line()).hash
    assert read_operation(loose).line == loose


@pytest.mark.parametrize(
    ("members", "code", "field"),
    [
        ({"id": ID.upper()}, "id_invalid", "id"),
        ({"id": f"{{{ID}}}"[:38]}, "id_invalid", "id"),
        ({"id": "00000000-0000-0000-0000-000000000000"}, "id_invalid", "id"),
        ({"id": "../../etc/passwd"}, "id_invalid", "id"),
        ({"id": ""}, "id_unreadable", "id"),
        ({"id": 7}, "id_unreadable", "id"),
        ({"id": "x" * 65}, "id_unreadable", "id"),
        ({"op": None}, "member_invalid", "op"),
        ({"seq": -1}, "member_invalid", "seq"),
        ({"seq": True}, "member_invalid", "seq"),
        ({"content": []}, "member_invalid", "content"),
    ],
)
def test_a_bad_member_is_named(members: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(Unreadable) as problem:
        read_operation(line(**members))
    assert (problem.value.code, problem.value.field) == (code, field)


def test_the_id_of_a_line_that_cannot_be_parsed_is_still_found() -> None:
    with pytest.raises(Unreadable) as problem:
        read_operation(line()[:-1])
    assert (problem.value.code, problem.value.id) == ("json_invalid", ID)
    two = b'{"id":"%s","content":{"id":"%s"' % (ID.encode(), ID.replace("1a", "2b").encode())
    with pytest.raises(Unreadable) as problem:
        read_operation(two)
    assert problem.value.id is None


def test_a_line_over_the_hard_size_is_not_read() -> None:
    with pytest.raises(Unreadable) as problem:
        read_operation(line(content={"a": "x" * 2**20}))
    assert problem.value.code == "line_too_long"


def test_ids() -> None:
    assert is_id(ID)
    assert not any(is_id(text) for text in (None, 7, "", ID[:-1], ID + "\n", ID.replace("-", "")))
