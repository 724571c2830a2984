"""Sealing: who opens what, where, and what a size tells."""

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt
from nacl.public import PrivateKey, SealedBox
from nacl.utils import random as random_bytes

from client_sync.seal import (
    TEXT_MAX_BYTES,
    Binding,
    Reader,
    Sealed,
    Unopenable,
    open_envelope,
    open_part,
    open_record_key,
    rewrap,
    seal,
    seal_to,
)

MANY = settings(max_examples=60, deadline=None, derandomize=True)

HERE = Binding("11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222")
IDENTITY = b'{"persons":[{"name":"Awa Exemple","no":1,"phone":"+223 00 12 34 56"}]}'
TRACES = '{"said":"près du puits"}'.encode()
PARTS = {"identity": IDENTITY, "traces": TRACES}
TAG_BYTES = 16
CLASSES = [64 * 2**n for n in range(16)]

_NAMES = st.sampled_from(["statement", "traces", "identity"])
_PARTS = st.dictionaries(_NAMES, st.binary(max_size=3000), min_size=1)


def _holder(number: int) -> PrivateKey:
    return PrivateKey(hashlib.sha256(b"holder %d" % number).digest())


def _reader(number: int) -> Reader:
    return Reader(f"{number:016x}", bytes(_holder(number).public_key))


HOLDER, STRANGER = bytes(_holder(0)), bytes(_holder(99))
READERS = [_reader(number) for number in range(3)]


def _sealed(parts: dict[str, bytes] = PARTS, binding: Binding = HERE) -> tuple[Sealed, bytes]:
    """Sealed parts, and the record key as the first reader finds it."""
    sealed = seal(parts, READERS, binding)
    return sealed, open_record_key(sealed.keys[READERS[0].kid], HOLDER)


@MANY
@given(parts=_PARTS, count=st.integers(1, 4))
def test_every_reader_opens_every_part(parts: dict[str, bytes], count: int) -> None:
    sealed = seal(parts, [_reader(number) for number in range(count)], HERE)

    assert sealed.boxes.keys() == parts.keys()
    assert sealed.keys.keys() == {f"{number:016x}" for number in range(count)}
    for number in range(count):
        record_key = open_record_key(sealed.keys[f"{number:016x}"], bytes(_holder(number)))
        opened = {name: open_part(box, record_key, name, HERE) for name, box in sealed.boxes.items()}
        assert opened == parts


@MANY
@given(other=st.integers(1, 9))
def test_no_other_key_opens_a_readers_box(other: int) -> None:
    sealed, _ = _sealed()
    with pytest.raises(Unopenable):
        open_record_key(sealed.keys[READERS[0].kid], bytes(_holder(other)))


def test_no_other_record_key_opens_a_part() -> None:
    sealed, _ = _sealed()
    _, other = _sealed()
    with pytest.raises(Unopenable):
        open_part(sealed.boxes["identity"], other, "identity", HERE)


@pytest.mark.parametrize(
    ("compartment", "binding"),
    [
        ("traces", HERE),
        ("identity", replace(HERE, record="33333333-3333-4333-8333-333333333333")),
        ("identity", replace(HERE, lineage="33333333-3333-4333-8333-333333333333")),
        ("identity", Binding(HERE.lineage, HERE.record)),
        ("identity", Binding(HERE.record + HERE.lineage, "")),
    ],
    ids=["compartment", "record", "lineage", "swapped", "run together"],
)
def test_box_moved_elsewhere_does_not_open(compartment: str, binding: Binding) -> None:
    sealed, record_key = _sealed()

    assert open_part(sealed.boxes["identity"], record_key, "identity", HERE) == IDENTITY
    with pytest.raises(Unopenable):
        open_part(sealed.boxes["identity"], record_key, compartment, binding)


@MANY
@given(data=st.data())
def test_flipped_bit_is_unopenable(data: st.DataObject) -> None:
    sealed, record_key = _sealed()
    box = _flipped(sealed.boxes["identity"], data)
    key = _flipped(sealed.keys[READERS[0].kid], data)

    with pytest.raises(Unopenable):
        open_part(box, record_key, "identity", HERE)
    with pytest.raises(Unopenable):
        open_record_key(key, HOLDER)


def _flipped(box: bytes, data: st.DataObject) -> bytes:
    bit = data.draw(st.integers(0, len(box) * 8 - 1))
    return bytes(byte ^ (1 << bit % 8 if at == bit // 8 else 0) for at, byte in enumerate(box))


@pytest.mark.parametrize("change", [lambda box: box[:-1], lambda box: box + b"\0", lambda _: b""])
def test_shortened_or_lengthened_box_is_unopenable(change: Callable[[bytes], bytes]) -> None:
    sealed, record_key = _sealed()
    with pytest.raises(Unopenable):
        open_part(change(sealed.boxes["identity"]), record_key, "identity", HERE)
    with pytest.raises(Unopenable):
        open_record_key(change(sealed.keys[READERS[0].kid]), HOLDER)
    with pytest.raises(Unopenable):
        open_envelope(change(seal_to(READERS[0].public, IDENTITY)), HOLDER)


@MANY
@given(text=st.binary(max_size=5000))
def test_size_tells_a_class_and_no_more(text: bytes) -> None:
    sealed = seal({"statement": text}, READERS, HERE)
    envelope = seal_to(READERS[0].public, text)

    assert len(sealed.boxes["statement"]) - TAG_BYTES in CLASSES
    assert len(envelope) - 48 in CLASSES
    assert {len(key) for key in sealed.keys.values()} == {80}


@pytest.mark.parametrize(("length", "padded"), [(0, 64), (62, 64), (63, 128), (126, 128), (127, 256), (1022, 1024)])
def test_class_of_what_does_not_compress(length: int, padded: int) -> None:
    text = random_bytes(length)
    sealed, record_key = _sealed({"traces": text})

    assert len(sealed.boxes["traces"]) == padded + TAG_BYTES
    assert open_part(sealed.boxes["traces"], record_key, "traces", HERE) == text


def test_short_and_long_names_weigh_the_same() -> None:
    sizes = {
        len(seal({"identity": IDENTITY.replace(b"Awa Exemple", name)}, READERS, HERE).boxes["identity"])
        for name in (b"Bo", b"Awa Exemple", b"Fatoumata Exemple")
    }
    assert sizes == {64 + TAG_BYTES}


def test_no_key_seals_twice() -> None:
    """The nonce is fixed, so two boxes under one key would show how their texts differ."""
    same = {"statement": TRACES, "traces": TRACES, "identity": TRACES}
    boxes = [box for _ in range(20) for box in seal(same, READERS, HERE).boxes.values()]

    assert len({box[:32] for box in boxes}) == len(boxes)


def test_each_record_and_each_reader_gets_a_box_of_its_own() -> None:
    sealed = [_sealed() for _ in range(20)]

    assert len({record_key for _, record_key in sealed}) == 20
    assert len({key for each, _ in sealed for key in each.keys.values()}) == 60


def test_nothing_is_sealed_to_nobody() -> None:
    with pytest.raises(ValueError, match="no readers"):
        seal(PARTS, [], HERE)


def test_record_key_can_be_sealed_to_one_more_reader() -> None:
    sealed, record_key = _sealed()

    box = rewrap(record_key, _reader(7), sealed.boxes, HERE)

    assert open_record_key(box, bytes(_holder(7))) == record_key
    with pytest.raises(Unopenable):
        open_record_key(box, STRANGER)


def test_key_slipped_in_from_another_record_is_not_handed_on() -> None:
    """Who may see one record and can write the database puts the key box of another into it."""
    coveted, mine = _sealed(), _sealed(binding=replace(HERE, record="mine"))

    with pytest.raises(Unopenable):
        rewrap(coveted[1], _reader(7), mine[0].boxes, replace(HERE, record="mine"))
    with pytest.raises(Unopenable):
        rewrap(coveted[1], _reader(7), coveted[0].boxes, replace(HERE, record="mine"))
    with pytest.raises(Unopenable):
        rewrap(coveted[1], _reader(7), {}, HERE)


def test_record_key_is_handed_on_though_one_box_is_damaged() -> None:
    sealed, record_key = _sealed()
    boxes = sealed.boxes | {"identity": bytes(80)}

    assert open_record_key(rewrap(record_key, _reader(7), boxes, HERE), bytes(_holder(7))) == record_key


@MANY
@given(text=st.binary(max_size=3000))
def test_envelope_opens_with_its_key_alone(text: bytes) -> None:
    envelope = seal_to(READERS[0].public, text)

    assert open_envelope(envelope, HOLDER) == text
    with pytest.raises(Unopenable):
        open_envelope(envelope, STRANGER)


def test_longest_text_is_sealed_and_a_longer_one_refused() -> None:
    sealed, record_key = _sealed({"statement": b"x" * TEXT_MAX_BYTES})

    assert len(open_part(sealed.boxes["statement"], record_key, "statement", HERE)) == TEXT_MAX_BYTES
    with pytest.raises(ValueError, match="too long"):
        seal({"statement": b"x" * (TEXT_MAX_BYTES + 1)}, READERS, HERE)


RECORD_KEY = bytes(range(32))


def _box_by_hand(padded: bytes) -> bytes:
    """An identity box as PROTOCOL §4.1 writes it, without client_sync.seal."""
    key = hashlib.blake2b(b"identity", key=RECORD_KEY, person=b"seere-seal-1", digest_size=32).digest()
    bound = f"seere-seal-1\n8:identity\n36:{HERE.record}\n36:{HERE.lineage}".encode()
    return crypto_aead_xchacha20poly1305_ietf_encrypt(padded, bound, bytes(24), key)


def _deflated(text: bytes) -> bytes:
    stream = zlib.compressobj(9, wbits=-15)
    return b"\1" + stream.compress(text) + stream.flush()


def _padded(packed: bytes, size: int = 64) -> bytes:
    return (packed + b"\x80").ljust(size, b"\0")


@pytest.mark.parametrize("packed", [b"\0Awa Exemple", _deflated(b"Awa Exemple")], ids=["as is", "deflated"])
def test_box_made_by_another_hand_opens(packed: bytes) -> None:
    assert open_part(_box_by_hand(_padded(packed)), RECORD_KEY, "identity", HERE) == b"Awa Exemple"


@pytest.mark.parametrize(
    "padded",
    [
        bytes(64),
        b"\0Awa".ljust(64, b"x"),
        _padded(b""),
        _padded(b"\2Awa"),
        _padded(b"\1\xff\xff"),
        _padded(_deflated(b"Awa Exemple")[:-2]),
        _padded(_deflated(bytes(TEXT_MAX_BYTES + 1)), 2048),
    ],
    ids=["no padding", "no end", "nothing", "unknown form", "no deflate", "cut deflate", "bomb"],
)
def test_what_no_device_would_put_in_a_box_is_unopenable(padded: bytes) -> None:
    with pytest.raises(Unopenable):
        open_part(_box_by_hand(padded), RECORD_KEY, "identity", HERE)


def test_readers_box_with_something_else_than_a_key_is_unopenable() -> None:
    with pytest.raises(Unopenable):
        open_record_key(SealedBox(_holder(0).public_key).encrypt(b"not a key"), HOLDER)
