"""Bags: the same bytes for the same package, each file read once, and everything said of them true to the byte."""

import hashlib
import io
import json
import os
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from datetime import timedelta, timezone
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from server.services.commission import minisign
from server.services.commission.bags import Bag
from tests.packing import NUMBER, SEED, bag, content

ROOT = Path(__file__).resolve().parents[4]
TWO_FILES = {"a.csv": b"ref;kind\nP-1;COR-BRB\n", "pieces/b.txt": b"b" * 200_000}
# Of the first of them, by sha256sum.
SHA256_OF_A = "7290b192fd7af7e7427054357c0b4a39b9ccc6c2bf3aae2b73d96e443be784ab"


def _opened(zipped: bytes) -> dict[str, bytes]:
    """What is in the ZIP, by name within the bag."""
    with ZipFile(io.BytesIO(zipped)) as archive:
        assert archive.testzip() is None
        return {name.removeprefix(f"{NUMBER}/"): archive.read(name) for name in archive.namelist()}


def _small(chunk_bytes: int = 7) -> Bag:
    def chunks(data: bytes) -> Iterator[bytes]:
        yield from (data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes))

    return Bag(((name, chunks(data)) for name, data in TWO_FILES.items()), content(), SEED)


def test_bag_has_what_the_rfc_asks_for() -> None:
    files = _opened(b"".join(_small()))
    assert list(files) == [
        "bagit.txt",
        "data/a.csv",
        "data/pieces/b.txt",
        "data/manifest.json",
        "bag-info.txt",
        "manifest-sha256.txt",
        "manifest-sha256.txt.minisig",
        "seere.pub",
        "tagmanifest-sha256.txt",
    ]
    assert files["bagit.txt"] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    facts = files["data/manifest.json"]
    assert files["bag-info.txt"].decode().splitlines() == [
        "Source-Organization: Coalition d'essai",
        "External-Identifier: CNDH-2026-T3-0007",
        "Bagging-Date: 2026-10-05",
        f"Payload-Oxum: {21 + 200_000 + len(facts)}.3",
        "Bag-Software-Agent: seere 0.1.0",
    ]


def test_payload_is_as_it_was_given_and_summed() -> None:
    files = _opened(b"".join(_small()))
    assert {name: files[f"data/{name}"] for name in TWO_FILES} == TWO_FILES
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    payload_names = ["data/a.csv", "data/manifest.json", "data/pieces/b.txt"]
    tag_names = ["bag-info.txt", "bagit.txt", "manifest-sha256.txt", "manifest-sha256.txt.minisig", "seere.pub"]
    assert files["manifest-sha256.txt"].decode() == "".join(f"{digests[name]}  {name}\n" for name in payload_names)
    assert files["tagmanifest-sha256.txt"].decode() == "".join(f"{digests[name]}  {name}\n" for name in tag_names)


def test_facts_name_the_package_before_and_every_file() -> None:
    facts = json.loads(_opened(b"".join(_small()))["data/manifest.json"])
    files = facts.pop("files")
    assert [(each["name"], each["bytes"]) for each in files] == [("data/a.csv", 21), ("data/pieces/b.txt", 200_000)]
    assert files[0]["sha256"] == SHA256_OF_A
    assert facts == {
        "package": "CNDH-2026-T3-0007",
        "to": "cndh",
        "quarter": "2026-T3",
        "previous": {"package": "CNDH-2026-T2-0006", "manifest_sha256": "ab" * 32},
        "as_of": "2026-10-05T08:30:15Z",
        "from": "Coalition d'essai",
        "program": "seere 0.1.0",
        "vocabulary": "2026.1",
        "key_id": "00112233aabbccdd",
        "least_alike": 5,
        "least_shown": 5,
        "lines": 0,
        "voids": 0,
        "corrections": 0,
    }


def test_first_package_has_none_before() -> None:
    assert json.loads(_opened(b"".join(bag(previous=None)))["data/manifest.json"])["previous"] is None


def test_digests_are_known_when_all_is_read() -> None:
    made = _small()
    assert (made.manifest, made.zip) == ("", "")
    zipped = b"".join(made)
    assert made.zip == hashlib.sha256(zipped).hexdigest()
    assert made.manifest == hashlib.sha256(_opened(zipped)["manifest-sha256.txt"]).hexdigest()


def test_same_package_is_the_same_bytes_whatever_pieces_it_comes_in() -> None:
    assert b"".join(_small(3)) == b"".join(_small(100_000))


def test_same_moment_is_the_same_bytes_on_any_clock() -> None:
    here = content().as_of
    there = here.astimezone(timezone(timedelta(hours=14)))
    assert b"".join(bag(as_of=here)) == b"".join(bag(as_of=there))


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/St_Johns"])
def test_another_process_elsewhere_makes_the_same_bytes(zone: str) -> None:
    script = "from tests.packing import bag\nmade = bag()\nfor _ in made: pass\nprint(made.zip)"
    environment = {**os.environ, "TZ": zone, "PYTHONHASHSEED": "5", "LC_ALL": "C"}
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    here = bag()
    for _ in here:
        """Read to the end."""
    assert said.stdout.strip() == here.zip


def test_another_fact_or_another_file_is_another_manifest() -> None:
    def manifest(made: Bag) -> str:
        for _ in made:
            """Read to the end."""
        return made.manifest

    others = [
        bag(),
        bag(as_of=content().as_of + timedelta(seconds=1)),
        bag(50_002),
        bag(key_id="0" * 16),
        bag(previous=None),
    ]
    assert len({manifest(each) for each in others}) == len(others)


def test_members_say_nothing_of_the_machine() -> None:
    with ZipFile(io.BytesIO(b"".join(bag()))) as archive:
        members = archive.infolist()
    assert {each.date_time for each in members} == {(2026, 10, 5, 8, 30, 14)}
    assert {(each.create_system, each.external_attr) for each in members} == {(3, 0o100644 << 16)}
    assert {each.compress_type for each in members if each.filename.endswith(".jpg")} == {ZIP_STORED}
    assert {each.compress_type for each in members if not each.filename.endswith(".jpg")} == {ZIP_DEFLATED}


def test_nothing_is_read_before_it_is_wanted_and_each_file_once() -> None:
    read: list[str] = []

    def files() -> Iterator[tuple[str, Iterator[bytes]]]:
        for name in ("a.pdf", "b.pdf"):
            yield name, pieces(name)

    def pieces(name: str) -> Iterator[bytes]:
        for _ in range(3):
            read.append(name)
            yield bytes(70_000)

    chunks = iter(Bag(files(), content(), SEED))
    assert read == []
    next(chunks)
    assert read == ["a.pdf"]
    for _ in chunks:
        """Read to the end."""
    assert read == ["a.pdf"] * 3 + ["b.pdf"] * 3


@pytest.mark.parametrize(
    "name", ["", "manifest.json", "../a", "/a", "a//b", "a b", "a%41", "é.csv", "a\nb", "a/", ".hidden", "a\\b"]
)
def test_name_that_is_none_for_a_file_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        b"".join(Bag([(name, [b""])], content(), SEED))


def test_name_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="no name"):
        b"".join(Bag([("a", [b"1"]), ("a", [b"2"])], content(), SEED))


def test_coalition_is_one_line() -> None:
    made = _opened(b"".join(bag(coalition="Une\ncoalition: x")))
    assert made["bag-info.txt"].decode().splitlines()[0] == "Source-Organization: Une coalition: x"
    assert b"Source-Organization" not in _opened(b"".join(bag(coalition="")))["bag-info.txt"]


def test_fault_of_the_payload_rises() -> None:
    def broken() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("a letter is missing")

    with pytest.raises(LookupError, match="a letter is missing"):
        b"".join(Bag([("a.csv", broken())], content(), SEED))


def test_signature_is_of_the_manifest_and_of_the_comment() -> None:
    files = _opened(b"".join(bag()))
    _, signature, comment, whole = files["manifest-sha256.txt.minisig"].decode().splitlines()
    _, public = files["seere.pub"].decode().splitlines()
    signed = b64decode(signature)
    key = VerifyKey(b64decode(public)[10:])
    assert comment == "trusted comment: CNDH-2026-T3-0007 2026-10-05T08:30:15Z"
    assert (signed[:2], b64decode(public)[:2], signed[2:10]) == (b"ED", b"Ed", b64decode(public)[2:10])
    key.verify(hashlib.blake2b(files["manifest-sha256.txt"]).digest(), signed[10:])
    key.verify(signed[10:] + comment.removeprefix("trusted comment: ").encode(), b64decode(whole))
    assert public == minisign.public_key(SEED)


def test_key_of_packages_is_not_the_one_of_devices() -> None:
    secret = bytes(range(32))
    signature = b64decode(minisign.signature(minisign.seed_of(secret), b"data", "").splitlines()[1])[10:]
    with pytest.raises(BadSignatureError):
        SigningKey(secret).verify_key.verify(hashlib.blake2b(b"data").digest(), signature)
