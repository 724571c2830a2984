"""The compiled gate: whatever it lets by marshmallow lets by, and a sound record never takes the long way."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError, fields
from marshmallow.validate import Length, OneOf, Range, Regexp

from client_sync.protocol.canonical import Unreadable, canonical, read_operation
from client_sync.protocol.records import (
    COMPARTMENTS,
    FORM,
    SHAPES,
    Shape,
    check_complaint,
    check_operation,
    clear_shape,
)
from client_sync.protocol.vocabulary import VOCABULARY
from server.services.intake import gate
from tests.builders import an_id, clear_content, content, operation, sealed, sealed_keys

MANY = settings(max_examples=150, deadline=None, derandomize=True)

# A value of every written form that the shapes ask for: one of them fits each field.
_WRITTEN = ("7K4M-2QG", "2026-10-03", "2026-10-06T18:40:12Z", "ml-c-gao", "14.4951", "a" * 64, an_id("x"))


def _values(field: fields.Field[Any]) -> st.SearchStrategy[Any]:
    """Values that fit a field of a shape."""
    bounds: dict[type, Any] = {type(each): each for each in field.validators}
    match field:
        case fields.Nested():
            return _objects(field.schema)  # type: ignore[arg-type]
        case fields.List():
            length = bounds[Length]
            return st.lists(_values(field.inner), min_size=length.min or 0, max_size=(length.min or 0) + 2)
        case fields.Boolean():
            return st.booleans()
        case fields.Integer():
            return st.integers(bounds[Range].min, bounds[Range].max)
        case fields.Dict():
            return st.dictionaries(st.text(_SAFE, max_size=5), st.text(_SAFE, max_size=5), max_size=2)
    if OneOf in bounds:
        return st.sampled_from(list(bounds[OneOf].choices))
    if Length in bounds and Regexp in bounds:
        return st.text("Az09_-", min_size=1, max_size=60)
    if Length in bounds:
        return st.text(_SAFE, min_size=bounds[Length].min or 0, max_size=min(bounds[Length].max, 60))
    return st.sampled_from([text for text in _WRITTEN if _fits(field, text)])


_SAFE = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


def _fits(field: fields.Field[Any], text: str) -> bool:
    try:
        field.deserialize(text)
    except ValidationError:
        return False
    return True


def _objects(shape: Shape) -> st.SearchStrategy[dict[str, Any]]:
    members = {field.data_key or name: field for name, field in shape.fields.items()}
    return st.fixed_dictionaries(
        {name: _values(field) for name, field in members.items() if field.required},
        optional={name: _values(field) for name, field in members.items() if not field.required},
    )


_CONTENTS = st.fixed_dictionaries(
    {
        "form": st.just(FORM),
        "vocabulary": st.just(VOCABULARY.version),
        "facts": st.fixed_dictionaries({"clear": _objects(clear_shape("facts"))}),
    },
    optional={name: st.fixed_dictionaries({"clear": _objects(clear_shape(name))}) for name in COMPARTMENTS[1:]},
)
_SEALED = {name: sealed() for name in COMPARTMENTS[1:]} | {"seal": sealed_keys()}
# As devices send them: names and traces sealed, the statement too where the complaint is strict.
_SENT = (clear_content(), content(), content() | _SEALED)

_ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**53 - 1),
    st.text(_SAFE, max_size=4),
    st.sampled_from(["2026-02-30", "0001-01-01", "9999-12-31", "x" * 2001, "COR-NEW", "7K4M-2QX", "١٤"]),
    st.lists(st.integers(-1, 9), max_size=2),
    st.dictionaries(st.sampled_from(["clear", "box", "keys", "no", "level"]), st.booleans(), max_size=2),
)


def _lets_by(op: str, content: dict[str, Any]) -> bool:
    return bool(gate._gates()[op].is_valid(content))


@MANY
@given(_CONTENTS)
def test_sound_complaint_is_let_by(sound: dict[str, Any]) -> None:
    assert check_complaint(sound) is None
    assert _lets_by("complaint", sound)


@MANY
@given(_CONTENTS, st.sampled_from([("traces",), ("identity", "traces"), ("identity", "statement", "traces")]))
def test_sound_sealed_complaint_is_let_by(clear: dict[str, Any], hidden: tuple[str, ...]) -> None:
    sound = clear | {name: _SEALED[name] for name in (*hidden, "seal")}

    assert check_complaint(sound) is None
    assert _lets_by("complaint", sound)


@pytest.mark.parametrize("op", ["seen", "linkage"])
@MANY
@given(data=st.data())
def test_sound_operation_is_let_by(op: str, data: st.DataObject) -> None:
    sound = data.draw(_objects(SHAPES[op]))

    assert check_operation(read_operation(operation(op, "x", sound))) is None
    assert _lets_by(op, sound)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in inside for place in ((*path, key), *_places(inner, (*path, key)))]


def _change(whole: Any, path: tuple[Any, ...], change: Callable[[Any, Any], None]) -> Any:
    changed = deepcopy(whole)
    parent = changed
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return changed


@MANY
@given(data=st.data(), odd=_ODD)
def test_whatever_the_gate_lets_by_marshmallow_lets_by(data: st.DataObject, odd: Any) -> None:
    whole = data.draw(st.sampled_from(_SENT))
    path = data.draw(st.sampled_from(sorted(_places(whole), key=repr)))
    replaced = _change(whole, path, lambda parent, key: parent.__setitem__(key, odd))
    dropped = _change(whole, path, lambda parent, key: parent.__delitem__(key))

    for changed in (replaced, dropped):
        found = check_complaint(changed)
        assert _lets_by("complaint", changed) <= (found is None)
        line = operation("complaint", "x", changed)
        assert gate.check(read_operation(line)) == check_operation(read_operation(line)) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"entered_at": "2026-10-06T18:40:12Z\n"},
        {"receipt": "7K4M-2QG\n"},
        {"place": {"id": "ml-c-gao\n"}},
        {"incident": {"from": "2026-10-03\n", "precision": "day"}},
    ],
)
def test_newline_after_a_value_is_let_by_nowhere(changes: dict[str, Any]) -> None:
    changed = content(**changes)
    assert (_lets_by("complaint", changed), check_complaint(changed) is None) == (False, False)


@pytest.mark.parametrize(
    "changed",
    [
        {"facts": sealed()},
        {"identity": sealed() | {"clear": {}}},
        {"identity": {"clear": {}, "box": None}},
        {"identity": sealed("not base64url!")},
        {"seal": sealed_keys() | {"keys": {}}},
        {"seal": None},
    ],
)
def test_what_is_sealed_otherwise_than_it_must_be_is_let_by_nowhere(changed: dict[str, Any]) -> None:
    odd = content() | _SEALED | changed
    assert (_lets_by("complaint", odd), check_complaint(odd) is None) == (False, False)


def test_box_without_what_opens_it_is_let_by_nowhere() -> None:
    odd = clear_content() | {"identity": sealed()}
    assert (_lets_by("complaint", odd), check_complaint(odd) is None) == (False, False)


def test_gate_takes_every_sample_complaint_of_the_builders() -> None:
    assert _lets_by("complaint", json.loads(json.dumps(content())))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@MANY
@given(_JSON)
def test_fast_writer_writes_what_the_protocol_calls_canonical(value: object) -> None:
    assert gate.write_canonical(value) == canonical(value)


def test_what_the_fast_writer_refuses_goes_the_long_way() -> None:
    with pytest.raises(Unreadable, match="text_surrogate"):
        gate.write_canonical({"text": "\ud800"})
