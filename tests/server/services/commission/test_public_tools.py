"""What a clerk has: age, 7-Zip, minisign, sha256sum and bagit open and check a package, and refuse a changed one."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from server.services.commission import minisign
from server.services.commission.sealing import Sealed, seal
from tests.clerk import PASSPHRASE, Clerk, Program
from tests.packing import NUMBER, SEED, bag

pytestmark = [pytest.mark.prove, pytest.mark.ci, pytest.mark.timeout(600)]

CHANGES = 100


@pytest.fixture
def clerk(tmp_path: Path, program: Program) -> Clerk:
    return Clerk(tmp_path / "clerk", program)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "packages"
    folder.mkdir()
    return folder


@pytest.fixture
def sealed(clerk: Clerk, folder: Path) -> Sealed:
    return seal(bag(300_000), folder, NUMBER, recipient=clerk.recipient)


@pytest.fixture
def locked(folder: Path) -> Sealed:
    return seal(bag(100_000), folder, NUMBER, passphrase=PASSPHRASE)


def _changes(data: bytes, places: range, seed: int) -> Iterator[bytes]:
    """The data with one byte changed, in so many ways."""
    chances = Random(seed)
    for _ in range(CHANGES):
        changed = bytearray(data)
        changed[chances.choice(places)] ^= chances.randint(1, 255)
        yield bytes(changed)


def test_clerk_has_no_seere(clerk: Clerk) -> None:
    assert clerk.has("bagit")
    assert not clerk.has("server")
    assert not clerk.has("nacl")


def test_package_by_age_is_opened_and_found_whole(clerk: Clerk, sealed: Sealed) -> None:
    opened = clerk.decrypts(sealed.path)
    assert opened is not None
    assert opened.read_bytes() == b"".join(bag(300_000))
    assert clerk.finds_whole(clerk.unpacks(opened))


def test_package_by_passphrase_is_opened_and_found_whole(clerk: Clerk, locked: Sealed) -> None:
    assert clerk.unlocks(locked.path, "mil sorgho riz fonio manioc") is None
    opened = clerk.unlocks(locked.path)
    assert opened is not None
    assert opened.read_bytes() == b"".join(bag(100_000))
    assert clerk.finds_whole(clerk.unpacks(opened, by_7_zip=True))


def test_longest_passphrase_is_not_too_long_for_7_zip(clerk: Clerk, folder: Path) -> None:
    passphrase = "".join(chr(33 + at % 94) for at in range(99)).replace('"', "_")
    assert clerk.unlocks(seal(bag(), folder, NUMBER, passphrase=passphrase).path, passphrase) is not None


def test_another_key_has_signed_nothing(clerk: Clerk, tmp_path: Path) -> None:
    zipped = tmp_path / "a.zip"
    zipped.write_bytes(b"".join(bag()))
    opened = clerk.unpacks(zipped)
    assert clerk.finds_signed(opened)
    assert not clerk.finds_signed(opened, minisign.public_key(minisign.seed_of(bytes(32))))


def test_minisign_names_the_package_and_the_key(clerk: Clerk, tmp_path: Path, program: Program) -> None:
    zipped = tmp_path / "a.zip"
    zipped.write_bytes(b"".join(bag()))
    opened = clerk.unpacks(zipped)
    command = [program("minisign"), "-V", "-p", "seere.pub", "-m", "manifest-sha256.txt"]
    said = subprocess.run(command, cwd=opened, check=True, capture_output=True, text=True).stdout
    assert f"Trusted comment: {NUMBER} 2026-10-05T08:30:15Z" in said
    assert f"minisign public key {minisign.key_id(SEED)}" in (opened / "seere.pub").read_text()
    # Another key has another id, by which minisign says which one is missing.
    other = minisign.public_key(minisign.seed_of(bytes(32)))
    refused = subprocess.run(
        [program("minisign"), "-V", "-P", other, "-m", "manifest-sha256.txt"],
        cwd=opened,
        check=False,
        capture_output=True,
        text=True,
    )
    assert minisign.key_id(SEED) in refused.stderr


def test_hundred_changed_bytes_of_the_bag_are_hundred_refusals(clerk: Clerk, tmp_path: Path) -> None:
    zipped = tmp_path / "a.zip"
    zipped.write_bytes(b"".join(bag(3_000)))
    opened = clerk.unpacks(zipped)
    files = sorted(path for path in opened.rglob("*") if path.is_file())
    chances = Random(19)
    believed = []
    for _ in range(CHANGES):
        path = chances.choice(files)
        data = path.read_bytes()
        changed = bytearray(data)
        at, by = chances.randrange(len(data)), chances.randint(1, 255)
        changed[at] ^= by
        path.write_bytes(changed)
        if clerk.finds_whole(opened):
            believed.append((path.name, at, by))
        path.write_bytes(data)
    assert believed == []
    assert clerk.finds_whole(opened)


def test_file_that_was_added_or_taken_away_is_noticed(clerk: Clerk, tmp_path: Path) -> None:
    zipped = tmp_path / "a.zip"
    zipped.write_bytes(b"".join(bag(3_000)))
    opened = clerk.unpacks(zipped)
    added = opened / "data" / "autre.csv"
    added.write_bytes(b"x")
    assert not clerk.finds_whole(opened)
    added.unlink()
    (opened / "data" / "pieces" / "note.txt").unlink()
    assert not clerk.finds_whole(opened)


def test_hundred_changed_bytes_of_the_sealed_file_are_hundred_refusals(
    clerk: Clerk, sealed: Sealed, tmp_path: Path
) -> None:
    data, changed = sealed.path.read_bytes(), tmp_path / "changed.age"
    believed = 0
    for each in _changes(data, range(len(data)), 23):
        changed.write_bytes(each)
        believed += clerk.decrypts(changed) is not None
    assert believed == 0


def test_hundred_changed_bytes_of_what_a_passphrase_seals_are_hundred_refusals(
    clerk: Clerk, locked: Sealed, tmp_path: Path
) -> None:
    data, changed = locked.path.read_bytes(), tmp_path / "changed.zip"
    clear = b"".join(bag(100_000))
    start = data.index(f"{NUMBER}-ouvert.zip".encode()) + len(f"{NUMBER}-ouvert.zip") + 11
    # Salt, two bytes by which a wrong passphrase is told, the ZIP, and what it is authenticated by.
    end = start + 16 + 2 + len(clear) + 10
    believed = 0
    for each in _changes(data, range(start, end), 29):
        changed.write_bytes(each)
        believed += clerk.unlocks(changed) is not None
    assert believed == 0
    # Nothing vouches for what is around it, dates and names: what is opened all the same is what was sealed.
    for each in _changes(data, range(end, len(data)), 31):
        changed.write_bytes(each)
        is_well, found = clerk.tries_to_unlock(changed)
        assert not is_well or [path.read_bytes() for path in found] == [clear]
