"""Builders: contents, lines and frames as a device makes them, and enrolled devices on a hub of either engine."""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from flask import Flask
from nacl.public import PrivateKey
from nacl.signing import SigningKey
from werkzeug.test import TestResponse

from client_sync.protocol.canonical import canonical
from client_sync.protocol.coding import DICTIONARY_ID, Coding, deflater
from client_sync.protocol.enrolment import proof_digest
from client_sync.protocol.frames import Header, encode_frame, to_text
from client_sync.protocol.keyring import Keyring, key_id
from client_sync.sealing import Sealer, scope_of
from server import credential
from server.app import create_app
from server.commands.terms import terms_of
from server.config import Settings
from server.credential import Secrets
from server.domain.allowance import Refill
from server.domain.people import HeldKeys, Role, login_name
from server.domain.permission import Actor
from server.hub import Hub, open_hub, utc_now
from server.services import devices, keyrings
from server.services.devices import Admission, Application
from server.services.keyrings import Administrators
from server.slots import Hardness
from server.store import accounts, recipients
from server.store.accounts import Account
from server.store.recipients import KnownKey
from tests.laid_tables import Kept, keep, lay_tables, new_beside, server_of
from tests.memory import ram

NOW = datetime(2026, 11, 21, 10, 4, 5, tzinfo=UTC)
NOW_TEXT = "2026-11-21T10:04:05Z"
SYNC = "/api/v1/sync"
# Covers everything, and may read what is strictly confidential.
COORDINATOR = Actor("5b4ad5c8-6f1c-4f0c-9b5c-0d5c2f6a7e11", "coordinator", is_named_reader=True)
PASSPHRASE = "mil sorgho riz fonio"
# What makes guessing slow is tried where it is the point.
SOFT = Hardness(passes=1, memory_bytes=8192)

_FACTS: dict[str, Any] = {
    "kinds": ["COR-RACKET", "HR-THR"],
    "channel": "in_person",
    "relation": "victim",
    "sector": "customs",
    "language": "bam",
    "incident": {"from": "2026-10-03", "to": "2026-10-05", "precision": "day"},
    "place": {"id": "ml-c-gao", "list": "2026.1"},
    "persons": [
        {"no": 1, "roles": ["complainant", "victim"], "sex": "f", "age": "25-59"},
        {"no": 2, "roles": ["alleged_perpetrator"], "category": "police", "count": 3},
    ],
    "money": {"asked_xof": 15000, "paid_xof": 5000, "paid": "partial", "receipt_given": False},
    "urgency": {"danger": "no"},
    "consent": {"level": "C2", "given_by": "self", "form": "oral_witness", "read_aloud": True},
    "confidentiality": "confidential",
    "contact_ok": "in_person",
    "collected_at": "2026-10-06T09:12:00Z",
    "entered_at": "2026-10-06T18:40:12Z",
    "receipt": "7K4M-2QG",
}


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        """Let time pass, as the arguments of timedelta."""
        self.now += timedelta(**time)


def an_id(name: object) -> str:
    """The same id for the same name."""
    return str(uuid5(NAMESPACE_URL, f"seere:{name}"))


def facts(**changes: Any) -> dict[str, Any]:
    """Sound facts; a change of None leaves a member out."""
    changed = copy.deepcopy(_FACTS) | changes
    return {name: value for name, value in changed.items() if value is not None}


def content(**changes: Any) -> dict[str, Any]:
    """The sound content of a complaint as a device sends it, with facts changed."""
    boxes = {"traces": sealed(), "identity": sealed(), "seal": sealed_keys()}
    if changes.get("confidentiality") == "strict":
        boxes["statement"] = sealed()
    return clear_content(**changes) | boxes


def clear_content(**changes: Any) -> dict[str, Any]:
    """The sound content of a complaint that nobody sealed yet, with facts changed."""
    return {
        "form": "complaint/1",
        "vocabulary": "2026.1",
        "facts": {"clear": facts(**changes)},
        "statement": {"clear": {"narrative": "On m'a demandé de l'argent sans reçu.", "lang": "fra"}},
        "traces": {"clear": {"said": "près du puits", "gps": {"lat": "16.2710", "lon": "-0.0447"}}},
        "identity": {"clear": {"persons": [{"no": 1, "name": "Awa Exemple", "phone": "+223 00 00 12 34"}]}},
    }


def sealed(text: str = "c2NlbGzDqQ") -> dict[str, Any]:
    """A sealed compartment; its content needs `sealed_keys()` as member `seal`."""
    return {"box": text}


def sealed_keys() -> dict[str, Any]:
    """What is said to open the sealed compartments of a content."""
    return {"v": 1, "keys": {"0123456789abcdef": "A" * 107}}


def operation(op: str, name: object, content: Mapping[str, Any], seq: int = 1) -> bytes:
    """The canonical line of an operation; its id follows from `name`."""
    return canonical({"op": op, "id": an_id(name), "seq": seq, "content": content})


def complaint(name: object, **changes: Any) -> bytes:
    """The line of a sound complaint, with facts changed."""
    return operation("complaint", name, content(**changes))


def revision(name: object, of: object, base: int, *, lineage: str | None = None, **compartments: Any) -> bytes:
    """The line of a revision of the complaint called `of`."""
    about = {"complaint": an_id(of), "base_revision": base} | ({"lineage": lineage} if lineage else {})
    return operation("revision", name, about | compartments)


def anchor_seen(size: int = 4096, root: str = "0" * 64) -> dict[str, Any]:
    """What a device says to have seen of the log: an anchor that no hub signed."""
    anchor = {"day": "2026-11-21", "epoch": "9f2c11aa", "hub": an_id("hub"), "root": root, "size": size}
    return {"anchor": anchor, "sig": "A" * 86}


def said(text: str) -> dict[str, Any]:
    """A statement compartment that says this."""
    return {"clear": {"narrative": text, "lang": "fra"}}


def compressed(frames: Iterable[bytes], coding: Coding) -> bytes:
    """A body of frames, each flushed."""
    stream = deflater(coding)
    return b"".join([*(stream.add(frame) for frame in frames), stream.finish()])


def passphrase_file(folder: Path) -> Path:
    """The file beside a hub's folder that gives the passphrase to its processes."""
    path = folder.with_name(folder.name + ".passphrase")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(PASSPHRASE)
    return path


def secrets_of(settings: Settings, hardness: Hardness = SOFT) -> Secrets:
    """The secrets of the hub of the settings; new ones, with their credential, where there are none."""
    if not settings.credential.exists():
        credential.create(settings.credential, PASSPHRASE, Secrets.new(), hardness)
    return credential.unlock(settings.credential, PASSPHRASE)

ADMINISTRATOR = SigningKey(b"a" * 32)
# The root key of every invented organisation.
ROOT = SigningKey(b"r" * 32)


def founded(folder: Path, database: str = "", **settings: Any) -> tuple[Settings, Secrets]:
    """What a hub in `folder` is opened with; its processes unlock themselves."""
    made = Settings(data=folder, database=database, passphrase_file=passphrase_file(folder), **settings)
    return made, secrets_of(made)


@dataclass(frozen=True)
class ReadyHub:
    """A founded hub, as copies are made of it."""

    secrets: Secrets
    credential: bytes
    database: Kept
    founded_at: datetime


_ready: dict[object, ReadyHub] = {}


def open_test_hub(url: str, folder: Path, clock: Callable[[], datetime], **settings: Any) -> Hub:
    """A new hub with a keyring; what was behind `url`, which may be SQLite's or PostgreSQL's, is gone.

    It is a copy of one that was founded before: with the same settings two have the same id, secrets and keys.
    Where they must differ, take `founded` and `open_new_hub`.
    """
    return _open_copy(url, folder, clock, settings, is_bare=False)


def open_bare_hub(url: str, folder: Path, clock: Callable[[], datetime], **settings: Any) -> Hub:
    """A hub as `open_test_hub` gives it, without keys and keyring."""
    return _open_copy(url, folder, clock, settings, is_bare=True)


def _open_copy(
    url: str, folder: Path, clock: Callable[[], datetime], settings: Mapping[str, Any], *, is_bare: bool
) -> Hub:
    database = "" if url.startswith("sqlite") else url
    made = Settings(data=folder, database=database, passphrase_file=passphrase_file(folder), **settings)
    ready = _ready_hub(made, clock, is_bare=is_bare)
    made.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    made.credential.touch(mode=0o600)
    made.credential.write_bytes(ready.credential)
    ready.database.lay(made.database_url, ready.secrets.database)
    return open_hub(made, ready.secrets, clock)


def _ready_hub(like: Settings, clock: Callable[[], datetime], *, is_bare: bool) -> ReadyHub:
    """A hub of these settings, founded within the hour before this clock's time."""
    now = clock()
    # What is left out here changes nothing that is founded.
    known = replace(like, data=Path(), passphrase_file=None, backup_recipient="")
    kind = replace(known, database=server_of(like.database_url)), now.date(), is_bare
    ready = _ready.get(kind)
    if ready is None or not timedelta(0) <= now - ready.founded_at <= timedelta(hours=1):
        _ready[kind] = ready = _found_ready_hub(like, clock, is_bare=is_bare)
    return ready


def _found_ready_hub(like: Settings, clock: Callable[[], datetime], *, is_bare: bool) -> ReadyHub:
    with TemporaryDirectory(dir=ram()) as folder:
        database = like.database and new_beside(like.database)
        made = replace(like, data=Path(folder) / "hub", database=database, passphrase_file=None)
        secrets, founded_at = secrets_of(made), clock()
        hub = open_new_hub(made, secrets, clock)
        if not is_bare:
            found_keyring(hub)
        hub.close()
        key = None if database else secrets.database
        return ReadyHub(secrets, made.credential.read_bytes(), keep(made.database_url, key), founded_at)


def open_new_hub(settings: Settings, secrets: Secrets, clock: Callable[[], datetime] = utc_now) -> Hub:
    """The hub of the settings, as `open_hub` gives it; its tables are laid sooner where there are none."""
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    lay_tables(settings.database_url, None if settings.database else secrets.database)
    return open_hub(settings, secrets, clock)


def with_keyring(hub: Hub) -> Hub:
    """The hub, which gets a keyring if it had none: without one it enrols nobody."""
    with hub.store.read() as connection:
        is_new = recipients.newest(connection) is None
    if is_new:
        found_keyring(hub)
    return hub


@dataclass(frozen=True)
class Person:
    """Somebody with an account, and the private keys that a login would put in hand."""

    actor: Actor
    keys: HeldKeys

    @property
    def kid(self) -> str:
        """The id of the one key."""
        [kid] = self.keys.private
        return kid


@dataclass(frozen=True)
class FoundedKeys:
    """The private keys behind a keyring: the seed of the root key, the recovery key, and those of people by name."""

    root: bytes
    recovery: bytes
    people: dict[str, Person]

    @property
    def recovery_keys(self) -> HeldKeys:
        """The recovery key in hand."""
        return HeldKeys({key_id(bytes(PrivateKey(self.recovery).public_key)): self.recovery})


def found_keyring(hub: Hub, *people: Person) -> FoundedKeys:
    """Give a hub a recovery key, a national coordinator who reads all, and a published keyring; cheap."""
    recovery = PrivateKey.generate()
    keyrings.set_recovery(hub.store, bytes(recovery.public_key), hub.clock())
    known = people or (add_person(hub, "nationale", is_named_reader=True),)
    publish_keyring(hub, bytes(ROOT))
    named = {person.actor.id: person for person in known}
    with hub.store.read() as connection:
        by_name = {each.name: named[each.id] for each in accounts.listed(connection) if each.id in named}
    return FoundedKeys(bytes(ROOT), bytes(recovery), by_name)


def publish_keyring(hub: Hub, root: bytes) -> Keyring:
    """Publish the keyring of a hub's recipients and of ADMINISTRATOR; `root` is the seed of the root key."""
    public = bytes(SigningKey(root).verify_key)
    administrators = Administrators(gained=frozenset([bytes(ADMINISTRATOR.verify_key)]))
    made = keyrings.draft(hub.store, terms_of(hub), hub.clock(), root=public, administrators=administrators)
    document = keyrings.signed(made, root)
    keyrings.publish(hub.store, document, terms_of(hub), hub.identity.sign_key, hub.clock())
    return made


def add_person(
    hub: Hub,
    name: str,
    role: Role = "coordinator",
    *,
    regions: Iterable[str] = (),
    teams: Iterable[str] = (),
    partners: Iterable[str] = (),
    is_named_reader: bool = False,
) -> Person:
    """An account with a key that the hub holds, and without the cost of a passphrase: nobody logs in by it."""
    private, now = PrivateKey.generate(), hub.clock()
    public = bytes(private.public_key)
    account = Account(
        id=an_id(f"account:{hub.identity.id}:{name}"),
        login=login_name(name),
        name=name,
        role=role,
        state=accounts.ACTIVE,
        language="fr",
        passphrase="",
        totp=None,
        totp_step=0,
        regions=list(regions),
        teams=list(teams),
        partners=list(partners),
        is_named_reader=is_named_reader,
        made_at=now,
    )
    made = KnownKey(key_id(public), account.id, "hub", to_text(public), b"", recipients.CURRENT, now)
    with hub.store.write() as connection:
        accounts.add(connection, account)
        recipients.add(connection, made)
    return Person(account.actor, HeldKeys({made.kid: bytes(private)}))


@dataclass(frozen=True)
class Verdict:
    """What an answer says of one line."""

    verdict: str
    code: str = ""
    field: str = ""


STORED = Verdict("stored")
ALREADY_HELD = Verdict("already_held")


def verdicts(answer: Mapping[str, Any]) -> list[Verdict]:
    """The verdict on each line of each frame that an answer reports, in order."""
    found: list[Verdict] = []
    for report in answer.get("frames", []):
        if "unread" in report:
            continue
        lines = [STORED] * report["n"]
        for first, last in report.get("already_held", []):
            lines[first : last + 1] = [ALREADY_HELD] * (last + 1 - first)
        for named in report.get("named", []):
            lines[named["at"]] = Verdict(named["verdict"], named["code"], named.get("field", ""))
        found.extend(lines)
    return found


@dataclass
class Sender:
    """A device as the hub sees it: keys, token and a counter of frames. It keeps nothing."""

    hub: Hub
    device: str
    lineage: str
    token: str
    key: SigningKey
    box: PrivateKey
    admission: Admission
    next_frame: int = 1
    cursor: str | None = field(default=None)

    @property
    def app(self) -> Flask:
        """What answers for the hub."""
        return app_of(self.hub)

    def frame(self, lines: Iterable[bytes] = (), **header: Any) -> bytes:
        """The next frame, signed; `header` are members of its header line."""
        number = header.pop("frame", None)
        if number is None:
            number, self.next_frame = self.next_frame, self.next_frame + 1
        known = {"device": self.device, "hub": self.hub.identity.id, "epoch": self.hub.epoch(), "at": NOW_TEXT}
        return encode_frame(Header(**known | {"frame": number} | header), lines, self.sign)

    def seal(self, name: object, content: Mapping[str, Any]) -> dict[str, Any]:
        """The content of the operation called `name`, sealed to the keyring that stands.

        One without facts is for the readers of an ordinary complaint.
        """
        scope = scope_of(content) or scope_of(clear_content())
        assert scope is not None
        device = self.admission
        sealer = Sealer(keyrings.current(self.hub.store), device.lineage, device.team, device.partner)
        return sealer.seal(an_id(name), content, scope)

    def sign(self, digest: bytes) -> bytes:
        """64 bytes for 32."""
        return self.key.sign(digest).signature

    def post(self, body: bytes, path: str = SYNC, **headers: str) -> TestResponse:
        """Post a body as this device."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.app.test_client().post(
            path, data=body, headers={"Authorization": f"Bearer {self.token}"} | named
        )

    def send(self, *lines: bytes, **header: Any) -> dict[str, Any]:
        """Send one frame of lines; gives the answer."""
        return self.send_body(self.frame(lines, **header))

    def send_body(self, *frames: bytes, coding: Coding = "identity") -> dict[str, Any]:
        """Send frames as one body; gives the answer."""
        headers = {} if coding == "identity" else {"Content-Encoding": coding}
        if coding == "zstd":
            headers["Seere-Dictionary"] = DICTIONARY_ID
        response = self.post(compressed(frames, coding), **headers)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json
        return answer

    def changes(self) -> list[dict[str, Any]]:
        """Every change after the cursor, page by page."""
        found: list[dict[str, Any]] = []
        is_more = True
        while is_more:
            answer = self.send(cursor=self.cursor)
            found.extend(answer.get("changes", []))
            self.cursor = answer.get("cursor", self.cursor)
            is_more = answer.get("more", False)
        return found


def application(code: str, key: SigningKey, box: PrivateKey, **members: Any) -> dict[str, Any]:
    """What a device posts to be enrolled."""
    keys = bytes(key.verify_key), bytes(box.public_key)
    proof = key.sign(proof_digest(code, *keys)).signature
    sign_key, box_key = (to_text(each) for each in keys)
    return {"code": code, "sign_key": sign_key, "box_key": box_key, "proof": to_text(proof)} | members


_APPS_MOST = 4
_apps: dict[object, Flask] = {}
_apps_lock = Lock()


def app_of(hub: Hub) -> Flask:
    """The application of a hub. Hubs of the same secrets and settings take turns with one: to make one takes long."""
    kind = hub.secrets, replace(hub.settings, data=Path(), database="", passphrase_file=None)
    # Several threads may ask first, and Python 3.11 compiles the rules of two applications at once into nothing.
    with _apps_lock:
        if kind not in _apps:
            if len(_apps) == _APPS_MOST:
                _apps.clear()
            _apps[kind] = create_app(hub)
        _apps[kind].extensions["seere"] = hub
        return _apps[kind]


def enrolled(
    hub: Hub, label: str, *, team: str | None = None, succeeds: Sender | None = None, is_confirmed: bool = True
) -> Sender:
    """A device that went through enrolment."""
    predecessor = succeeds and succeeds.device
    invitation = devices.invite(
        hub.store, hub.clock(), label=label, valid_hours=72, team=team, succeeds=predecessor
    )
    key, box = SigningKey.generate(), PrivateKey.generate()
    sent = application(invitation.code, key, box)
    refill = Refill(
        hub.settings.device_burst_records,
        hub.settings.device_burst_bytes,
        hub.settings.device_records_per_minute,
        hub.settings.device_bytes_per_minute,
    )
    admitted = devices.enrol(
        hub.store, Application(**sent, software=None, succeeds=None), hub.clock(), refill
    )
    if is_confirmed:
        devices.confirm(hub.store, admitted.device, hub.clock())
    return Sender(hub, admitted.device, admitted.lineage, admitted.token, key, box, admitted)


def twin(sender: Sender) -> Sender:
    """The same device as an old copy of it would be, put back."""
    return replace(sender)
