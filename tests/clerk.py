"""A clerk who never saw this program: opens and checks packages with programs of the system alone."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

import pyrage

from server.services.commission import minisign
from tests.packing import NUMBER, SEED

PASSPHRASE: Final = "mil sorgho riz fonio niebe"
# With no packages of its environment, of which Seere is one.
BARE_PYTHON: Final = (sys.executable, "-P", "-S")
# The last wheel of bagit asks a part of setuptools that is gone which version it is itself.
_PKG_RESOURCES: Final = """
class DistributionNotFound(Exception): pass
def get_distribution(name): raise DistributionNotFound(name)
"""
Program = Callable[[str], str]


class Clerk:
    """Somebody at the destination: programs of the system, a key of age, and the key of the hub as it was given."""

    def __init__(self, desk: Path, program: Program, number: str = NUMBER) -> None:
        self.desk, self._program, self._number = desk, program, number
        desk.mkdir()
        for file in distribution("bagit").files or ():
            if file.parts[0] != "..":
                copied = desk / "libraries" / file
                copied.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), copied)
        (desk / "libraries" / "pkg_resources.py").write_text(_PKG_RESOURCES)
        self._public = minisign.public_key(SEED)
        identity = pyrage.x25519.Identity.generate()
        self.recipient = str(identity.to_public())
        self._identity = desk / "identity.txt"
        self._identity.write_text(f"{identity}\n")

    def decrypts(self, sealed: Path) -> Path | None:
        """The ZIP in a file sealed to this clerk; None where age refuses it."""
        opened = self.desk / "opened.zip"
        command = [self._program("age"), "--decrypt", "--identity", self._identity, "--output", opened, sealed]
        return opened if self._is_well(command) else None

    def unlocks(self, sealed: Path, passphrase: str = PASSPHRASE) -> Path | None:
        """The ZIP in a file sealed by a passphrase; None where 7-Zip refuses it."""
        is_well, found = self.tries_to_unlock(sealed, passphrase)
        if not is_well:
            return None
        [opened] = found
        assert opened.name == f"{self._number}-ouvert.zip"
        return opened

    def tries_to_unlock(self, sealed: Path, passphrase: str = PASSPHRASE) -> tuple[bool, list[Path]]:
        """Whether 7-Zip finds all well, and the files that it leaves all the same."""
        folder = self.desk / "unlocked"
        shutil.rmtree(folder, ignore_errors=True)
        is_well = self._is_well([self._program("7zz"), "x", "-y", f"-p{passphrase}", f"-o{folder}", sealed])
        return is_well, [path for path in folder.rglob("*") if path.is_file()]

    def unpacks(self, opened: Path, *, by_7_zip: bool = False) -> Path:
        """The folder of the bag."""
        out = self.desk / "unpacked"
        if by_7_zip:
            assert self._is_well([self._program("7zz"), "x", f"-o{out}", opened])
        else:
            assert self._is_well([*BARE_PYTHON, "-m", "zipfile", "-e", opened, out])
        assert [each.name for each in out.iterdir()] == [self._number]
        return out / self._number

    def finds_signed(self, bag: Path, public: str | None = None) -> bool:
        command = [self._program("minisign"), "-V", "-H", "-P", public or self._public, "-m", "manifest-sha256.txt"]
        return self._is_well(command, bag)

    def finds_whole(self, bag: Path) -> bool:
        """Whether all of it is as it was sent: by the three programs, one after the other."""
        return all(is_well for _, is_well in self.checks(bag))

    def checks(self, bag: Path) -> Iterator[tuple[str, bool]]:
        """By program, whether it finds all as it was sent."""
        sums = [self._program("sha256sum"), "--check", "--strict", "--quiet"]
        manifests = ("manifest-sha256.txt", "tagmanifest-sha256.txt")
        yield "sha256sum", all(self._is_well([*sums, each], bag) for each in manifests)
        yield "minisign", self.finds_signed(bag)
        yield "bagit", self._is_well([*BARE_PYTHON, "-m", "bagit", "--validate", bag])

    def has(self, module: str) -> bool:
        return self._is_well([*BARE_PYTHON, "-c", f"import {module}"])

    def _is_well(self, command: list[object], folder: Path | None = None) -> bool:
        words = [str(word) for word in command]
        environment = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "PYTHONPATH": str(self.desk / "libraries")}
        done = subprocess.run(
            words, cwd=folder or self.desk, env=environment, capture_output=True, check=False, timeout=60
        )
        return done.returncode == 0
