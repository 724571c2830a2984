"""Sealing: whole under its name or not there, opened by its destination alone, never on a disk in clear."""

import hashlib
import io
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyrage
import pytest
import pyzipper

from server import durable
from server.domain.errors import PackageRefused, StorageFailed, StorageFull
from server.services.commission import sealing
from server.services.commission.bags import Bag
from server.services.commission.sealing import seal
from tests.packing import NUMBER, SEED, bag, content

ROOT = Path(__file__).resolve().parents[4]
IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())
# As printed in the specification of age, with its private key: nobody's.
KNOWN = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
# Points 0 and 1 of the curve, of which age makes nothing but a panic.
WEAK = (
    "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z",
    "age1qyqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqj7vrya",
)
PASSPHRASE = "mil sorgho riz fonio niebe"
CANARY = b"Kadidia Tounkara, +223 70 00 00 00"
WAYS = [pytest.param({"recipient": RECIPIENT}, id="age"), pytest.param({"passphrase": PASSPHRASE}, id="passphrase")]
MEMORY_SCRIPT = """
import sys
from pathlib import Path
from server.services.commission.sealing import seal
from tests.packing import bag
folder, recipient, passphrase = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def peak():
    # Not getrusage: that begins with what the parent had.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
seal(bag(200_000), folder, "small", recipient=recipient, passphrase=passphrase)
before = peak()
sealed = seal(bag(100_000_000), folder, "large", recipient=recipient, passphrase=passphrase)
assert sealed.bytes > 50_000_000
print(peak() - before)
"""


def _clear() -> bytes:
    return b"".join(bag())


def _opened(path: Path) -> bytes:
    if path.suffix == ".age":
        return pyrage.decrypt(path.read_bytes(), [IDENTITY])
    with pyzipper.AESZipFile(path) as archive:
        return archive.read(f"{NUMBER}-ouvert.zip", PASSPHRASE.encode())


@pytest.mark.parametrize("way", WAYS)
def test_sealed_file_is_the_zip_and_is_described(way: dict[str, str], tmp_path: Path) -> None:
    sealed = seal(bag(), tmp_path, NUMBER, **way)
    assert list(tmp_path.iterdir()) == [sealed.path]
    assert _opened(sealed.path) == _clear()
    data = sealed.path.read_bytes()
    assert (sealed.digest, sealed.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
    assert stat.S_IMODE(sealed.path.stat().st_mode) == 0o600


def test_name_says_what_opens_it(tmp_path: Path) -> None:
    assert seal(bag(), tmp_path, NUMBER, recipient=RECIPIENT).path.name == f"{NUMBER}.zip.age"
    # A series may have a key, and its clerk no age that day: one package is never there twice.
    assert seal(bag(), tmp_path, NUMBER, recipient=RECIPIENT, passphrase=PASSPHRASE).path.name == f"{NUMBER}.zip"
    assert [path.name for path in tmp_path.iterdir()] == [f"{NUMBER}.zip"]


@pytest.mark.parametrize("way", WAYS)
def test_what_a_kill_left_is_made_anew(way: dict[str, str], tmp_path: Path) -> None:
    name = sealing.file_name(NUMBER, by_passphrase="passphrase" in way)
    for left in (name, name + ".part", "CNDH-2026-T2-0006.zip.age.part"):
        (tmp_path / left).write_bytes(b"left")
    sealed = seal(bag(), tmp_path, NUMBER, **way)
    assert _opened(sealed.path) == _clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CNDH-2026-T2-0006.zip.age.part", name]


def test_clean_deletes_drafts_alone(tmp_path: Path) -> None:
    for name in ("A-2026-T1-0001.zip.age", "A-2026-T1-0001.zip", "packages.lock", "a.zip.age.part", "b.zip.part"):
        (tmp_path / name).write_bytes(b"")
    sealing.clean(tmp_path)
    kept = ["A-2026-T1-0001.zip", "A-2026-T1-0001.zip.age", "packages.lock"]
    assert sorted(path.name for path in tmp_path.iterdir()) == kept


def test_discard_deletes_one_package_alone(tmp_path: Path) -> None:
    seal(bag(), tmp_path, NUMBER, recipient=RECIPIENT)
    other = seal(bag(), tmp_path, "CNDH-2026-T3-0008", recipient=RECIPIENT)
    sealing.discard(tmp_path, NUMBER)
    sealing.discard(tmp_path, NUMBER)
    assert list(tmp_path.iterdir()) == [other.path]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("fault", [LookupError("a letter"), KeyboardInterrupt()], ids=["fault", "interrupt"])
def test_fault_of_the_payload_rises_as_it_is_and_leaves_nothing(
    way: dict[str, str], fault: BaseException, tmp_path: Path
) -> None:
    def broken() -> Iterator[bytes]:
        for _ in range(40):
            yield os.urandom(10_000)
        raise fault

    with pytest.raises(type(fault)) as raised:
        seal(Bag([("a.pdf", broken())], content(), SEED), tmp_path, NUMBER, **way)
    assert raised.value is fault
    assert list(tmp_path.iterdir()) == []


@contextmanager
def _room(size_bytes: int) -> Iterator[None]:
    """Files of this process may get no larger than that."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("size_bytes", [0, 100, 100_000, 1_000_000])
def test_no_room_is_said_and_leaves_nothing(way: dict[str, str], size_bytes: int, tmp_path: Path) -> None:
    with _room(size_bytes), pytest.raises(StorageFull):
        seal(bag(4_000_000), tmp_path, NUMBER, **way)
    assert list(tmp_path.iterdir()) == []
    assert _opened(seal(bag(), tmp_path, NUMBER, **way).path) == _clear()


def test_folder_that_fails_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageFailed):
        seal(bag(), tmp_path / "nowhere", NUMBER, recipient=RECIPIENT)


def test_disk_that_fails_at_the_last_step_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(draft: Path, path: Path) -> None:
        draft.replace(path)
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(durable, "settle", broken)
    with pytest.raises(StorageFailed):
        seal(bag(), tmp_path, NUMBER, recipient=RECIPIENT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_on_a_disk_in_clear_while_it_is_sealed(
    way: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work, folder = tmp_path / "tmp", tmp_path / "packages"
    work.mkdir()
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(work))
    looks: list[int] = []

    def told() -> Iterator[bytes]:
        for _ in range(20):
            yield CANARY + os.urandom(60_000)
            files = _files_at_hand(tmp_path)
            assert [name for name, data in files.items() if CANARY[:12] in data] == []
            looks.append(sum(len(data) for data in files.values()))

    made = Bag([("a.pdf", told())], content(), SEED)
    sealed = seal(made, folder, NUMBER, **way)
    # It was written meanwhile, so there was something to look at; and what was looked for is there once it is opened.
    assert looks[-1] > 500_000
    assert _opened(sealed.path).count(CANARY) == 20
    assert [name for name, data in _files_at_hand(tmp_path).items() if CANARY[:12] in data] == []


def _files_at_hand(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and whatever else this process has open, deleted or not."""
    below = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            if stat.S_ISREG(descriptor.stat().st_mode):
                below[f"{descriptor} {os.readlink(descriptor)}"] = descriptor.read_bytes()
        except FileNotFoundError:
            """It was the one that lists them."""
    return below


@pytest.mark.parametrize("way", WAYS)
def test_hundred_megabytes_take_no_memory(way: dict[str, str], tmp_path: Path) -> None:
    arguments = [str(tmp_path), way.get("recipient", ""), way.get("passphrase", "")]
    command = [sys.executable, "-c", MEMORY_SCRIPT, *arguments]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=100)
    assert int(said.stdout) < 30_000


def test_recipient_of_the_specification_is_one() -> None:
    sealing.check_recipient(KNOWN)
    sealing.check_recipient(RECIPIENT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age1",
        KNOWN[:-1],
        KNOWN[:-1] + "q",
        KNOWN.upper(),
        f" {KNOWN}",
        f"{KNOWN}\n",
        # Another one in each run, which the name of a test may not be.
        pytest.param(str(IDENTITY), id="identity"),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAB",
        "clé",
        *WEAK,
    ],
)
def test_what_is_no_recipient_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(PackageRefused) as refused:
        sealing.check_recipient(text)
    assert refused.value.values == {"fault": "key"}
    with pytest.raises(PackageRefused):
        seal(bag(), tmp_path, NUMBER, recipient=text)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ["court", "dix-neuf caractères", "x" * 19, "x" * 100, "mil sorgho riz fonio niébé", " " + "x" * 30, "x\t" * 12],
)
def test_passphrase_that_7_zip_could_not_take_or_is_guessed_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(PackageRefused) as refused:
        seal(bag(), tmp_path, NUMBER, passphrase=text)
    assert refused.value.values == {"fault": "passphrase"}
    assert list(tmp_path.iterdir()) == []


def test_fingerprint_is_what_a_shell_says() -> None:
    command = ["sh", "-c", f"printf %s {KNOWN} | sha256sum | cut -c1-24"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    told = sealing.fingerprint(KNOWN)
    assert told.replace(" ", "") == said
    assert [len(group) for group in told.split(" ")] == [4] * 6


def test_sealed_bytes_say_nothing_without_the_key(tmp_path: Path) -> None:
    sealed = seal(bag(), tmp_path, NUMBER, passphrase=PASSPHRASE)
    other = pyrage.x25519.Identity.generate()
    with (
        pytest.raises(RuntimeError, match="Bad password"),
        pyzipper.AESZipFile(io.BytesIO(sealed.path.read_bytes())) as a,
    ):
        a.read(f"{NUMBER}-ouvert.zip", b"mil sorgho riz fonio manioc")
    sealed = seal(bag(), tmp_path, NUMBER, recipient=RECIPIENT)
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed.path.read_bytes(), [other])
