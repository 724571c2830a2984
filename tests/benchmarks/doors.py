"""Doors: canaries said to a hub in every way there is, and the images of its disk and of a device's that are left."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import pyotp
import requests
from nacl.public import PrivateKey
from nacl.signing import SigningKey

from client_sync.client import SyncClient
from client_sync.outbox import Finished, Outbox
from client_sync.protocol.coding import Coding
from client_sync.stores import FOLDER_VARIABLE, Folder
from client_sync.transport import Answer, HttpTransport
from client_sync.vault import Vault
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services import backups, search_texts
from server.services.accounts import people
from server.services.accounts.people import Post
from server.services.intake import admission
from tests.benchmarks.binding import bind
from tests.benchmarks.canaries import Canary, plant
from tests.benchmarks.harness import SEERE, SYNC, HubProcess, Sender, Void, enrol, opened, wait_until_matched
from tests.benchmarks.load import Caller
from tests.builders import PASSPHRASE, an_id, application, clear_content, operation
from tests.client_sync.builders import SOFT, WORDS

_FIELD: Final = Path(sys.executable).with_name("seere-field")
_SEED: Final = 1960
_PATIENCE_S: Final = 60
_PERSON: Final = "Coordination"
_TOKEN: Final = re.compile(r'name="csrf_token" value="([^"]+)"')
_CLEAR_STATEMENTS: Final = 10
_COLUMNS: Final = ("no", "name", "phone", "village", "told")
_MAP: Final = """
map = 1
source = "figures"
key = ["no"]
[facts]
kinds = ["COR-RACKET"]
channel = "paper"
entered_at = "2026-11-21T10:00:00Z"
confidentiality = "strict"
[statement]
narrative = { column = "told" }
[traces]
said = { column = "village" }
[identity]
persons.1.name = { column = "name" }
persons.1.phone = { column = "phone" }
"""


@dataclass(frozen=True)
class Person:
    """Three canaries that make one complainant."""

    name: Canary
    phone: Canary
    village: Canary

    @property
    def canaries(self) -> tuple[Canary, ...]:
        """The three."""
        return self.name, self.phone, self.village

    @property
    def told(self) -> str:
        """A narrative that gives the person away."""
        return f"{self.name.text} ({self.phone.text}) habite {self.village.text}, près du marché."

    def content(self, **facts: Any) -> dict[str, Any]:
        """The clear content of a complaint of this person, told with all that gives away who it is."""
        persons = [{"no": 1, "name": self.name.text, "phone": self.phone.text}]
        return clear_content(**facts) | {
            "identity": {"clear": {"persons": persons}},
            "traces": {"clear": {"said": f"vers {self.village.text}"}},
            "statement": {"clear": {"narrative": self.told, "lang": "fra"}},
        }

    def quiet_content(self) -> dict[str, Any]:
        """The clear content of a complaint that is not strict, told without giving away who it is."""
        return self.content(confidentiality="confidential") | {"statement": clear_content()["statement"]}


@dataclass(frozen=True)
class Images:
    """What was planted, and where what is left lies.

    `hub`: the data folder as a power cut and as an orderly end leave it, its log, backups, temporary files and
    configuration. `requests`: bodies that real devices sent. `told`: canaries of statements that may be clear.
    """

    hub: Path
    device: Folder
    requests: Path
    planted: tuple[Canary, ...]
    told: tuple[Canary, ...]


def walk_through(folder: Path, count: int) -> Images:
    """Say about `count` canaries through every door of a shipped hub, end it, and give the images.

    Raises Void when a door did not do what makes it one.
    """
    walkers, told = persons(count, Random(_SEED)), persons(3 * _CLEAR_STATEMENTS, Random(_SEED + 1))
    site = _Site(folder)
    with opened(site.data) as hub:
        site.found(hub)
    with HubProcess(site.data, site.environment) as process:
        site.process = process
        site.walk(walkers, told)
        # What people leave at a hub is looked for as it lies there for years, not in its first minute.
        wait_until_matched(site.data)
        with opened(site.data) as hub:
            search_texts.read_pending(hub.store)
        site.seere("backup")
        shutil.copytree(site.data, site.image / "cut", ignore=_left_out)
    shutil.copytree(site.data, site.image / "ended", ignore=_left_out)
    planted, clear = (tuple(each for one in some for each in one.canaries) for some in (walkers, told))
    return Images(site.image, site.device, site.requests, planted, clear)


def persons(count: int, rng: Random) -> list[Person]:
    """Persons of at least `count` canaries, all different."""
    # Names, phones and villages come in turn.
    canaries = plant(-(-count // 3) * 3, rng)
    return [Person(*canaries[at : at + 3]) for at in range(0, len(canaries), 3)]


# The passphrase is what the person who opens the hub brings along.
_left_out: Final = shutil.ignore_patterns("passphrase", "*.socket")


class _Tap(HttpTransport):
    """The road of a field client, which keeps each body that leaves."""

    def __init__(self, url: str, into: Path) -> None:
        super().__init__(url)
        self._into = into

    def sync(self, body: bytes, coding: Coding, token: str) -> Answer:
        number = len(list(self._into.iterdir()))
        (self._into / f"{number}.{coding}").write_bytes(body)
        return super().sync(body, coding, token)


@dataclass
class _Site:
    """A hub with its surroundings, and the doors."""

    folder: Path
    process: HubProcess = field(init=False)
    sender: Sender = field(init=False)
    handset: Sender = field(init=False)
    totp: pyotp.TOTP = field(init=False)

    def __post_init__(self) -> None:
        self.data, self.image, self.requests = (self.folder / name for name in ("hub", "image", "requests"))
        self.device = Folder(self.folder / "device")
        temporary = self.data / "tmp"
        for each in (temporary, self.image, self.requests):
            each.mkdir(parents=True)
        self.environment = {
            "TMPDIR": str(temporary),
            "SEERE_PASSPHRASE_FILE": str(self.data / "passphrase"),
            "SEERE_BACKUP_RECIPIENT": backups.new_identity(self.folder / "identity"),
            "SEERE_COALITION": "Coalition d'essai",
        }
        (self.data / "configuration").write_text("".join(f"{k}={v}\n" for k, v in self.environment.items()))

    @property
    def url(self) -> str:
        return "http://{}:{}".format(*self.process.address)

    def found(self, hub: Hub) -> None:
        """A device, and an account that may repair what was set aside."""
        self.sender, self.handset = enrol(hub), enrol(hub)
        post = Post("coordinator", is_named_reader=True)
        made = people.make(hub.store, hub.secrets.totp, OPERATOR, _PERSON, post, PASSPHRASE, hub.clock())
        assert made.secret is not None
        self.totp = pyotp.TOTP(made.secret)

    def walk(self, persons: Sequence[Person], told: Sequence[Person]) -> None:
        """Each person through one door, in turn; those who are `told` in statements that stay clear."""
        doors = [
            self.by_client,
            self.by_import,
            self.in_clear,
            self.old_form,
            self.bad_code,
            self.malformed,
            self.login,
            self.wrong_token,
            self.failed_enrolment,
            self.made_up_path,
        ]
        first, *rest = persons
        for number, door in enumerate(doors):
            door(rest[number :: len(doors)])
        self.repaired(first)
        self._send([operation("complaint", each.told, _saying(each)) for each in told])

    def by_client(self, persons: Sequence[Person]) -> None:
        """Finalised and sent by the field client, strict or not; the first stays as a draft as well."""
        with opened(self.data) as hub:
            bind(self.device.path, hub, self.handset, self.process.address)
        vault = Vault.create(self.device, WORDS, SOFT)
        vault.save_draft("1", persons[0].content())
        vault.close()
        strict = [each.content(confidentiality="strict") for each in persons[::2]]
        usual = [each.quiet_content() for each in persons[1::2]]
        with self._outbox() as outbox:
            outbox.finalise_all([Finished("complaint", content) for content in strict + usual])
        self._sync(len(persons))

    def by_import(self, persons: Sequence[Person]) -> None:
        """Imported by the field client from a file of a colleague."""
        file, map_file = self.folder / "register.csv", self.folder / "register.toml"
        with file.open("w", encoding="utf-8", newline="") as rows:
            writer = csv.writer(rows)
            writer.writerow(_COLUMNS)
            for number, each in enumerate(persons):
                writer.writerow([number, each.name.text, each.phone.text, each.village.text, each.told])
        map_file.write_text(_MAP)
        environment = os.environ | {FOLDER_VARIABLE: str(self.device.path)}
        _run([_FIELD, "import", file, "--map", map_file], environment)
        self._sync(len(persons))

    def in_clear(self, persons: Sequence[Person]) -> None:
        """Sent in clear to the API by somebody who reads the protocol and has no keyring."""
        self._send([operation("complaint", each.told, each.content(confidentiality="strict")) for each in persons])

    def old_form(self, persons: Sequence[Person]) -> None:
        """In a form of 2024, which nobody here reads."""
        self._set_aside([operation("complaint", each.told, each.content() | {"form": "2024"}) for each in persons])

    def bad_code(self, persons: Sequence[Person]) -> None:
        """With a name where a code belongs."""
        lines = [operation("complaint", each.told, each.content(kinds=[each.name.text])) for each in persons]
        self._set_aside(lines)

    def malformed(self, persons: Sequence[Person]) -> None:
        """As JSON that ends too soon, in a frame that is signed and as a body that is none."""
        lines = [operation("complaint", each.told, each.content()) for each in persons]
        self._set_aside([line[:-2] for line in lines])
        for line in lines:
            self._post(SYNC, line[:-2], self.sender.token, 400)

    def login(self, persons: Sequence[Person]) -> None:
        """As the name and the passphrase of somebody who has no account."""
        for each in persons:
            visitor = requests.Session()
            found = _TOKEN.search(visitor.get(f"{self.url}/login", timeout=_PATIENCE_S).text)
            assert found is not None
            form = {"csrf_token": found[1], "name": each.name.text, "passphrase": each.told}
            status = visitor.post(f"{self.url}/login", data=form, timeout=_PATIENCE_S).status_code
            _require(status in (403, 429), f"a stranger's login got {status}")

    def wrong_token(self, persons: Sequence[Person]) -> None:
        """As a token of a device."""
        for each in persons:
            token = f"{each.name.text} {each.phone.text} {each.village.text}".encode().decode("latin-1")
            self._post(SYNC, b"x", token, 403)

    def failed_enrolment(self, persons: Sequence[Person]) -> None:
        """As a code, a software and a device that somebody makes up."""
        for each in persons:
            # A code is ASCII: a number is tried as one, a name is refused before that.
            for code, status in ((each.phone.text, 403), (f"{each.name.text}, ɛ, {each.village.text}", 422)):
                sent = application(code, SigningKey.generate(), PrivateKey.generate())
                self._post("/api/v1/enrol", json.dumps(sent).encode(), "", status)

    def made_up_path(self, persons: Sequence[Person]) -> None:
        """In a path, a query and a header."""
        for each in persons:
            path, agent = f"{self.url}/plaintes/{each.name.text}", each.village.text.encode()
            query, headers = {"q": each.phone.text}, {"User-Agent": agent}
            status = requests.get(path, params=query, headers=headers, timeout=_PATIENCE_S).status_code
            _require(status == 404, f"a path that is none got {status}")

    def repaired(self, person: Person) -> None:
        """Set aside, and repaired by hand from a file."""
        self._set_aside([operation("complaint", "repaired", person.content(kinds=[person.name.text]))])
        corrected = self.folder / "corrected.json"
        corrected.write_bytes(operation("complaint", "repaired", person.content(confidentiality="strict")))
        with opened(self.data) as hub:
            waiting = admission.list_waiting(hub.store, None, 10_000)
        [kept] = [each.id for each in waiting if each.client_id == _REPAIRED]
        typed = f"{PASSPHRASE}\n{self.totp.now()}\n"
        self.seere("quarantine", "repair", str(kept), str(corrected), "--as", _PERSON, typed=typed)

    def seere(self, *arguments: str, typed: str = "") -> None:
        """A command of the hub, which must not be refused."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("SEERE_")}
        _run([SEERE, *arguments], ours | self.environment | {"SEERE_DATA": str(self.data)}, typed)

    def _send(self, lines: Sequence[bytes]) -> None:
        _require(not self._named(lines), "a sound complaint was not stored")

    def _set_aside(self, lines: Sequence[bytes]) -> None:
        named = self._named(lines)
        _require(len(named) == len(lines), f"{len(lines)} operations to set aside got {named}")

    def _named(self, lines: Sequence[bytes]) -> list[dict[str, Any]]:
        """What the hub says of those lines that it did not store."""
        with Caller(self.process.address, self.sender) as caller:
            status, answer = caller.send(self.sender.body(list(lines)))
        _require(status == 200, f"a frame got {status}")
        [report] = json.loads(answer)["frames"]
        named: list[dict[str, Any]] = report.get("named", [])
        return named

    def _post(self, path: str, body: bytes, token: str, expected: int) -> None:
        headers: dict[str, str | bytes] = {"Content-Type": "application/json"}
        headers["Authorization"] = f"Bearer {token}".encode("latin-1")
        status = requests.post(self.url + path, body, headers=headers, timeout=_PATIENCE_S).status_code
        _require(status == expected, f"{path} said {status}, not {expected}")

    @contextmanager
    def _outbox(self) -> Iterator[Outbox]:
        outbox = Outbox.open(self.device)
        try:
            yield outbox
        finally:
            outbox.close()

    def _sync(self, records: int) -> None:
        tap = _Tap(self.url, self.requests)
        with self._outbox() as outbox:
            report = SyncClient(outbox, tap, rng=Random(_SEED), version="figures").sync()
            at_centre = sum(each.state == "at_centre" for each in outbox.records())
        tap.close()
        _require(report.is_whole and at_centre >= records, f"a session did not bring everything: {report}")


_REPAIRED: Final = an_id("repaired")


def _saying(person: Person) -> dict[str, Any]:
    """A complaint that is not strict, whose statement may stay clear and gives away who it is."""
    content = clear_content(confidentiality="confidential")
    return content | {"statement": {"clear": {"narrative": person.told, "lang": "fra"}}}


def _run(command: Sequence[str | Path], environment: dict[str, str], typed: str = "") -> None:
    ended = subprocess.run(command, env=environment, input=typed, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise Void(f"{command} ended with {ended.returncode}: {ended.stdout}{ended.stderr}")


def _require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise Void(otherwise)
