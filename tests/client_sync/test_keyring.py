"""The keyring: whom a complaint is sealed to, and what is refused."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import to_text
from client_sync.protocol.keyring import (
    Keyring,
    KeyringRefused,
    Policy,
    Recipient,
    draft,
    key_id,
    read,
    read_draft,
    sign,
)

ROOT, OTHER_ROOT = SigningKey(b"r" * 32), SigningKey(b"o" * 32)
GAO, MOPTI, NATIONAL, PARTNER = (
    Recipient(b"gao".ljust(32), "hub", regions=("ml-r-gao",)),
    Recipient(b"mopti".ljust(32), "hub", regions=("ml-r-mopti",), teams=("mopti-1",)),
    Recipient(b"national".ljust(32), "hub"),
    Recipient(b"partner".ljust(32), "offline", partners=("femmes",)),
)
NAMED, OFFLINE_NAMED, RECOVERY = (
    Recipient(b"named".ljust(32), "hub", regions=("ml-r-gao",), is_named_reader=True),
    Recipient(b"offline".ljust(32), "offline", is_named_reader=True),
    Recipient(b"recovery".ljust(32), "offline", is_recovery=True),
)
KEYRING = Keyring(
    version=3,
    issued_at=datetime(2026, 11, 21, 10, 4, 5, tzinfo=UTC),
    root=bytes(ROOT.verify_key),
    linkage=b"linkage".ljust(32),
    policy=Policy(),
    recipients=(GAO, MOPTI, NATIONAL, PARTNER, NAMED, OFFLINE_NAMED, RECOVERY),
    administrators=(b"administrator".ljust(32),),
)
SIGNED = sign(KEYRING, bytes(ROOT))


def _readers(keyring: Keyring = KEYRING, *, is_strict: bool = False, **of: str) -> set[str]:
    found = keyring.readers_for(of.get("region"), of.get("team"), of.get("partner"), is_strict=is_strict)
    return {each.public.decode().strip() for each in found}


def _refused(data: bytes, root: SigningKey = ROOT, at_least: int = 1) -> str:
    with pytest.raises(KeyringRefused) as refusal:
        read(data, bytes(root.verify_key), at_least)
    return refusal.value.reason


def _resigned(document: Any) -> bytes:
    """Any document, signed as PROTOCOL §4.2 says, without client_sync.protocol.keyring."""
    sig = ROOT.sign(_digest(document)).signature
    return canonical({"keyring": document, "sig": to_text(sig)})


def _digest(document: Any) -> bytes:
    return hashlib.sha256(b"seere-keyring-1\n" + canonical(document)).digest()


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SIGNED)["keyring"]
    return document


def test_keyring_is_read_as_it_was_signed() -> None:
    assert read(SIGNED, bytes(ROOT.verify_key)) == KEYRING
    assert read_draft(draft(KEYRING)) == KEYRING
    assert canonical(json.loads(SIGNED)) == SIGNED
    assert _resigned(_document()) == SIGNED


def test_id_of_a_key_is_the_start_of_its_digest() -> None:
    # printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' | sha256sum
    assert key_id(b"a" * 32) == "3ba3f5f43b926026"


@settings(max_examples=150, deadline=None, derandomize=True)
@given(at=st.integers(0, len(SIGNED) * 8 - 1))
def test_flipped_bit_is_refused(at: int) -> None:
    changed = bytes(byte ^ (1 << at % 8 if place == at // 8 else 0) for place, byte in enumerate(SIGNED))
    assert _refused(changed) in ("unreadable", "signature")


def test_another_root_key_is_refused() -> None:
    theirs = sign(replace(KEYRING, root=bytes(OTHER_ROOT.verify_key)), bytes(OTHER_ROOT))

    assert _refused(theirs) == "signature"
    assert _refused(SIGNED, OTHER_ROOT) == "signature"
    assert _refused(_resigned(_document() | {"root": to_text(bytes(OTHER_ROOT.verify_key))})) == "signature"


def test_root_key_signs_no_keyring_of_another() -> None:
    with pytest.raises(KeyringRefused):
        sign(KEYRING, bytes(OTHER_ROOT))


def test_keyring_never_goes_back() -> None:
    assert _refused(SIGNED, at_least=4) == "version"
    assert read(SIGNED, bytes(ROOT.verify_key), at_least=3).version == 3


def test_members_of_a_later_protocol_are_signed_and_let_by() -> None:
    extended = _document() | {"novelty": [1]}

    assert read(_resigned(extended), bytes(ROOT.verify_key)) == KEYRING
    assert _refused(canonical({"keyring": extended, "sig": json.loads(SIGNED)["sig"]})) == "signature"


def _with_recipient(**changes: Any) -> dict[str, Any]:
    document = _document()
    document["recipients"][0] |= changes
    return document


@pytest.mark.parametrize(
    "document",
    [
        _document() | {"version": 0},
        _document() | {"version": True},
        _document() | {"issued_at": "hier"},
        _document() | {"linkage": "c2hvcnQ"},
        _document() | {"linkage": None},
        _document() | {"recipients": []},
        _document() | {"recipients": {}},
        _document() | {"administrators": ["x"]},
        _document() | {"policy": {"seal_statement": "none", "strict_offline": False}},
        _document() | {"policy": {"seal_statement": "all"}},
        {name: value for name, value in _document().items() if name != "administrators"},
        _with_recipient(kid=NATIONAL.kid),
        _with_recipient(public=to_text(NATIONAL.public)),
        _with_recipient(held="cloud"),
        _with_recipient(regions="ml-r-gao"),
        _with_recipient(regions=[7]),
        _with_recipient(is_recovery="yes"),
    ],
)
def test_signed_document_that_is_no_keyring_is_unreadable(document: dict[str, Any]) -> None:
    assert _refused(_resigned(document)) == "unreadable"
    with pytest.raises(KeyringRefused):
        read_draft(canonical(document))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"keyring":[],"sig":""}', b" " * 2**19])
def test_what_is_no_keyring_at_all_is_unreadable(data: bytes) -> None:
    assert _refused(data) == "unreadable"


@pytest.mark.parametrize("sig", [None, "", "x", 5, to_text(b"\0" * 64)])
def test_keyring_without_a_sound_signature_is_refused(sig: object) -> None:
    assert _refused(canonical({"keyring": _document(), "sig": sig})) == "signature"


def test_signature_has_one_writing() -> None:
    sig = json.loads(SIGNED)["sig"]
    # The last character carries two bits of the 64 bytes and four of none.
    for other in (sig[:-1] + chr(ord(sig[-1]) + 1), sig + "==", sig + "\n"):
        assert _refused(canonical({"keyring": _document(), "sig": other})) == "signature"


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        ({"region": "ml-r-gao"}, {"gao", "named", "offline", "national", "recovery"}),
        ({"region": "ml-r-mopti"}, {"offline", "national", "recovery"}),
        ({"region": "ml-r-mopti", "team": "mopti-1"}, {"mopti", "offline", "national", "recovery"}),
        ({"team": "mopti-1"}, {"offline", "national", "recovery"}),
        ({"partner": "femmes"}, {"partner", "offline", "national", "recovery"}),
        ({}, {"offline", "national", "recovery"}),
    ],
)
def test_readers_are_those_whose_scopes_cover_it(of: dict[str, str], expected: set[str]) -> None:
    assert _readers(**of) == expected


def test_strict_complaint_is_for_named_readers_and_recovery() -> None:
    assert _readers(region="ml-r-gao", is_strict=True) == {"named", "offline", "recovery"}
    assert _readers(region="ml-r-mopti", is_strict=True) == {"offline", "recovery"}


def test_strict_complaint_is_kept_off_the_hub_where_the_policy_says_so() -> None:
    offline = replace(KEYRING, policy=Policy(strict_offline=True))

    assert _readers(offline, region="ml-r-gao", is_strict=True) == {"offline", "recovery"}
    assert "named" in _readers(offline, region="ml-r-gao")


def test_complaint_that_nobody_covers_is_for_recovery_alone() -> None:
    few = replace(KEYRING, recipients=(GAO, RECOVERY))

    assert _readers(few, region="ml-r-mopti") == {"recovery"}
    assert _readers(few, region="ml-r-gao", is_strict=True) == {"recovery"}


def test_statement_is_sealed_when_strict_or_when_the_policy_says_all() -> None:
    everything = replace(KEYRING, policy=Policy(seal_statement="all"))

    assert KEYRING.sealed_compartments(is_strict=False) == {"identity", "traces"}
    assert KEYRING.sealed_compartments(is_strict=True) == {"identity", "traces", "statement"}
    assert everything.sealed_compartments(is_strict=False) == {"identity", "traces", "statement"}
