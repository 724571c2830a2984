"""Delivering: whole, once and to nobody else, whatever a stick, a link or a receiver does meanwhile."""

import hashlib
import resource
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from threading import Thread
from typing import Any, BinaryIO

import pytest

from server.domain.errors import PackageRefused
from server.services.commission import delivering
from server.services.commission.delivering import Outgoing, to_address, to_folder
from server.services.commission.road import Patience
from server.store.packages import Series
from tests.builders import NOW
from tests.commission_receiver import LOOPBACK, LOOPBACK_PIN, Commission, commission, plain

NUMBER = "CNDH-2026-T4-0001"
REFS = ["P-AAAAAAAAAA", "P-BBBBBBBBBB"]


@pytest.fixture
def file(tmp_path: Path) -> Outgoing:
    return kept(tmp_path, plain("0" * 64, REFS))


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    folder = tmp_path / "stick"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def cndh() -> Iterator[Commission]:
    with commission() as running:
        yield running


@pytest.fixture(scope="module")
def tls() -> Iterator[Commission]:
    """A commission that shows a certificate that nobody signed."""
    with commission(LOOPBACK) as running:
        yield running


def kept(folder: Path, data: bytes, number: str = NUMBER) -> Outgoing:
    path = folder / f"{number}.zip.age"
    path.write_bytes(data)
    return Outgoing(path, hashlib.sha256(data).hexdigest(), number)


def series(address: str, pin: str = "") -> Series:
    return Series("cndh", "CNDH", date(2026, 1, 1), "https", address, pin, "", None, None, NOW, "account:x")


def patient(waited: list[float] | None = None, tries: int = 6) -> Patience:
    """Waits for nothing, and says what it would have waited."""
    return Patience(piece_s=0.2, waits_s=tuple(2.0**n for n in range(tries - 1)), wait=(waited or []).append)


def fault(refused: "pytest.ExceptionInfo[PackageRefused]") -> object:
    return refused.value.values["fault"]


@contextmanager
def refusing(name: str) -> Iterator[None]:
    with pytest.raises(PackageRefused) as refused:
        yield
    assert fault(refused) == name


@contextmanager
def files_of_at_most(count_bytes: int) -> Iterator[None]:
    """What a disk says that has no more room for a file, by a limit of this process."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count_bytes, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@contextmanager
def hanging_up() -> Iterator[int]:
    """Somebody who takes each call, hears the first words of it, and hangs up; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    call, _ = listening.accept()
                    call.recv(2**16)
                    call.close()

        Thread(target=hang_up, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


class TestFolders:
    def test_file_is_there_whole_under_its_own_name_and_known_again(self, file: Outgoing, stick: Path) -> None:
        (stick / f"{file.path.name}.part").write_bytes(b"what an interrupted copy left")
        assert to_folder(file, stick) is False
        assert to_folder(file, stick) is True
        assert {each.name: each.read_bytes() for each in stick.iterdir()} == {file.path.name: file.path.read_bytes()}

    def test_another_file_of_that_name_stays_what_it_is(self, file: Outgoing, stick: Path) -> None:
        other = stick / file.path.name
        other.write_bytes(b"another")
        with refusing("name_taken"):
            to_folder(file, stick)
        assert other.read_bytes() == b"another"
        other.unlink()
        other.mkdir()
        with refusing("name_taken"):
            to_folder(file, stick)

    def test_folder_that_is_not_there_is_not_made(self, file: Outgoing, tmp_path: Path) -> None:
        with refusing("folder_not_there"):
            to_folder(file, tmp_path / "unplugged")
        with refusing("folder_not_there"):
            to_folder(file, file.path)
        assert not (tmp_path / "unplugged").exists()

    def test_full_stick_keeps_nothing(self, file: Outgoing, stick: Path) -> None:
        with files_of_at_most(10), refusing("folder_full"):
            to_folder(file, stick)
        assert list(stick.iterdir()) == []

    def test_folder_that_takes_nothing_is_named(self, file: Outgoing) -> None:
        with pytest.raises(PackageRefused) as refused:
            to_folder(file, Path("/proc/self"))
        assert fault(refused) in ("folder_closed", "folder_not_there")
        assert refused.value.values["folder"] == "/proc/self"

    def test_stick_that_keeps_something_else_keeps_nothing(
        self, file: Outgoing, stick: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def worn_out(read: BinaryIO, written: BinaryIO, _: int) -> None:
            data = read.read()
            written.write(bytes([data[0] ^ 1]) + data[1:])

        monkeypatch.setattr(shutil, "copyfileobj", worn_out)
        with refusing("folder_failed"):
            to_folder(file, stick)
        assert list(stick.iterdir()) == []

    def test_what_is_not_what_was_sealed_goes_nowhere(self, file: Outgoing, stick: Path, cndh: Commission) -> None:
        cndh.play()
        file.path.write_bytes(file.path.read_bytes() + b" ")
        for send in (lambda: to_folder(file, stick), lambda: to_address(file, series(cndh.url))):
            with refusing("file_differs"):
                send()
        file.path.unlink()
        with refusing("file_missing"):
            to_folder(file, stick)
        assert (list(stick.iterdir()), cndh.books["heard"]) == ([], 0)


class TestAddresses:
    @pytest.mark.parametrize(
        "trouble",
        ["cut", "half", "busy", "many", "gateway", "late", "cut_after", "slow_after", "gateway_after"],
    )
    def test_package_is_taken_down_once_whatever_happens_on_the_way(
        self, tmp_path: Path, cndh: Commission, trouble: str
    ) -> None:
        number = f"CNDH-2025-T4-{len(cndh.books['keys']) + 1:04}"
        file = kept(tmp_path, plain("0" * 64, [f"P-{trouble}"]), number)
        cndh.play(trouble, trouble)
        to_address(file, series(cndh.url), patient())
        books = cndh.books
        assert books["heard"] == 3
        assert books["items"].count([number, f"P-{trouble}"]) == 1
        assert books["keys"][f"{number}-{file.digest[:16]}"] == file.digest

    @pytest.mark.parametrize(("answer", "name"), [("unwanted", "receiver_refuses"), ("elsewhere", "receiver_refuses")])
    def test_what_it_does_not_take_is_not_sent_again(
        self, file: Outgoing, cndh: Commission, answer: str, name: str
    ) -> None:
        cndh.play(answer)
        with refusing(name):
            to_address(file, series(cndh.url), patient())
        assert cndh.books["heard"] == 1

    @pytest.mark.parametrize("answer", ["differs", "unclear"])
    def test_receiver_has_to_say_what_it_has(self, file: Outgoing, cndh: Commission, answer: str) -> None:
        cndh.play(answer)
        with refusing("receiver_differs"):
            to_address(file, series(cndh.url), patient())

    def test_waits_grow_and_a_receiver_may_ask_for_longer_ones(self, file: Outgoing, cndh: Commission) -> None:
        waited: list[float] = [0]
        cndh.play("busy", "many", "busy", "cut")
        to_address(file, series(cndh.url), patient(waited))
        assert waited == [0, 1, 3, 4, 8]

    def test_receiver_that_stays_away_is_given_up(self, file: Outgoing, cndh: Commission) -> None:
        cndh.play("busy", "cut", "late")
        with refusing("receiver_away"):
            to_address(file, series(cndh.url), patient(tries=3))
        assert cndh.books["heard"] == 3
        with refusing("receiver_away"):
            to_address(file, series("http://127.0.0.1:9"), patient(tries=2))

    @pytest.mark.parametrize(
        "address",
        ["http://cndh.example/packages", "ftp://127.0.0.1/x", "https://x@127.0.0.1/x", "https://127.0.0.1/x?t=1", ""],
    )
    def test_nothing_goes_to_an_address_that_nobody_proves(self, file: Outgoing, address: str) -> None:
        with refusing("address"):
            to_address(file, series(address), patient())


class TestPins:
    @pytest.fixture
    def another(self, tmp_path: Path, program: Callable[[str], str]) -> Iterator[Commission]:
        """A commission with a certificate of the same name that somebody else made."""
        pem = tmp_path / "other.pem"
        name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2"]
        made = [program("openssl"), "req", "-x509", *key, *name, "-keyout", str(pem), "-out", f"{pem}.crt"]
        subprocess.run(made, check=True, capture_output=True)
        with pem.open("a") as both:
            both.write(Path(f"{pem}.crt").read_text())
        with commission(pem) as running:
            yield running

    def test_pinned_certificate_is_trusted_whoever_signed_it(self, file: Outgoing, tls: Commission) -> None:
        tls.play("cut", "half", "cut_after", "gateway")
        to_address(file, series(tls.url, LOOPBACK_PIN), patient())
        assert [each for each in tls.books["items"] if each[0] == NUMBER] == [[NUMBER, ref] for ref in REFS]

    def test_link_that_is_cut_before_a_certificate_comes_is_no_other_certificate(self, file: Outgoing) -> None:
        with hanging_up() as port, refusing("receiver_away"):
            to_address(file, series(f"https://127.0.0.1:{port}/packages", LOOPBACK_PIN), patient(tries=3))

    def test_another_certificate_gets_nothing_of_ours(self, file: Outgoing, another: Commission) -> None:
        waited: list[float] = [0]
        another.play()
        with refusing("receiver_unproven"):
            to_address(file, series(another.url, LOOPBACK_PIN), patient(waited))
        assert (another.books["heard"], waited) == (0, [0])

    def test_without_a_pin_its_chain_has_to_be_valid(self, file: Outgoing, tls: Commission) -> None:
        tls.play()
        with refusing("receiver_unproven"):
            to_address(file, series(tls.url), patient())
        assert tls.books["heard"] == 0


def test_nothing_of_what_is_sent_goes_to_the_log(
    file: Outgoing, cndh: Commission, caplog: pytest.LogCaptureFixture
) -> None:
    cndh.play("cut", "cut_after")
    to_address(file, series(cndh.url), patient())
    told: list[dict[str, Any]] = [vars(each) for each in caplog.records if each.name.startswith("server.")]
    assert [each["msg"] for each in told] == ["package_road_cut", "package_road_cut"]
    assert not any(word in str(told) for word in (file.number, file.digest, *REFS, delivering.__doc__ or "-"))
