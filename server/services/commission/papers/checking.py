"""Checking: a page that tells a clerk who never saw this program how to check a package with public ones alone."""

from dataclasses import dataclass
from typing import Final

from server.figure_words import Words
from server.services.commission import minisign
from server.services.commission.bags import MANIFEST, PUBLIC_KEY
from server.services.commission.content import Content
from server.services.commission.papers.bordereau import sender
from server.services.commission.papers.pages import render
from server.services.commission.sealing import file_name, opened_name

_TEMPLATE: Final = "verifier.html"
# Where the body keeps the secret part of its age key.
_OWN: Final = "cle.txt"
# What can go wrong, in the order of the steps.
_FAILURES: Final = ("key", "age", "password", "signature", "comment", "file", "missing", "foreign", "chain")


@dataclass(frozen=True)
class System:
    """What is typed under one operating system, step by step, after age or after 7-Zip; nothing where it is done with
    the mouse."""

    name: str
    title: str
    key: tuple[str, ...]
    age: tuple[str, ...]
    seven: tuple[str, ...]
    unfold: tuple[str, ...]
    unfold_seven: tuple[str, ...]
    enter: tuple[str, ...]
    signature: tuple[str, ...]
    files: tuple[str, ...]
    print: tuple[str, ...]


def html(content: Content, words: Words) -> str:
    """The page."""
    number = content.number.text
    return render(
        _TEMPLATE,
        words,
        number=number,
        inner=opened_name(number),
        sender=sender(content, words),
        previous=content.previous,
        systems=(_windows(number), _unix(number, "linux", "Linux"), _unix(number, "macos", "macOS")),
        failures=_FAILURES,
        key=PUBLIC_KEY,
        key_print=minisign.fingerprint(content.public_key),
        own=_OWN,
    )


def _unix(number: str, name: str, title: str) -> System:
    digest = "sha256sum" if name == "linux" else "shasum -a 256"
    return System(
        name=name,
        title=title,
        key=(f"{digest} {PUBLIC_KEY}",),
        age=(f"age -d -i {_OWN} -o {number}.zip {file_name(number, by_passphrase=False)}",),
        seven=(f"7zz x {file_name(number, by_passphrase=True)}",),
        unfold=(f"unzip {number}.zip",),
        unfold_seven=(f"7zz x {opened_name(number)}",),
        enter=(f"cd {number}",),
        signature=(f"minisign -Vm {MANIFEST} -p ../{PUBLIC_KEY}",),
        files=(f"{digest} -c {MANIFEST}",),
        print=(f"{digest} {MANIFEST}",),
    )


def _windows(number: str) -> System:
    return System(
        name="windows",
        title="Windows",
        key=(_windows_sum(PUBLIC_KEY),),
        age=(f".\\age.exe -d -i {_OWN} -o {number}.zip {file_name(number, by_passphrase=False)}",),
        seven=(),
        unfold=(),
        unfold_seven=(),
        enter=(f"cd {number}",),
        signature=(f"..\\minisign.exe -Vm {MANIFEST} -p ..\\{PUBLIC_KEY}",),
        files=(
            f"Get-Content {MANIFEST} | ForEach-Object {{",
            "  $attendu, $fichier = $_ -split '\\s+', 2",
            "  $trouve = (Get-FileHash -Algorithm SHA256 $fichier).Hash",
            '  if ($trouve -eq $attendu) { "$fichier : OK" } else { "$fichier : FAILED" }',
            "}",
        ),
        print=(_windows_sum(MANIFEST),),
    )


def _windows_sum(file: str) -> str:
    return f"(Get-FileHash -Algorithm SHA256 {file}).Hash.ToLower()"
