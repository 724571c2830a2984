"""Approving: a second person seals what was prepared; names are opened for it alone, and no clear byte meets a disk."""

import fcntl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import sqlalchemy as sa

from server.domain import packages as rules
from server.domain.desk import Desk
from server.domain.errors import Busy, NotFound, PackageRefused
from server.domain.packages import Item
from server.domain.release import Candidate, Line, Named
from server.domain.statistics import Release
from server.services.commission import bags, minisign, papers, preparing, sealing, serials
from server.services.commission.choosing import MEDIA, Choice, Keyed
from server.services.commission.content import Content
from server.services.commission.copying import Copies, OpenPieces
from server.services.commission.preparing import Prepared, find, note
from server.store import audit, packages, pieces
from server.store.engine import Store
from server.store.packages import Package, Told

_LOCK: Final = "packages.lock"
# Intake waits while so many openings are noted.
_PAGE: Final = 100


class Opened(Protocol):
    """An identity as the vault gives it."""

    @property
    def clear(self) -> Mapping[str, Any] | None:
        """What is in it; None where there is none, or it does not open."""

    @property
    def is_unopenable(self) -> bool:
        """Whether no key at hand opens it."""

    @property
    def is_withheld(self) -> bool:
        """Whether it shows no contacts, for nobody may use them."""


# Opens identities of complaints for a package, by the number of that, and logs it.
OpenNames = Callable[[Sequence[int], str], Mapping[int, Opened]]


@dataclass(frozen=True)
class Press:
    """What seals packages at this hub. `pepper`: of it come the keys of references; `signer`: a seed of 32 bytes;
    `folder`: where sealed files are kept; `version`: of this program."""

    pepper: bytes = field(repr=False)
    signer: bytes = field(repr=False)
    folder: Path
    coalition: str
    version: str


def check(prepared: Prepared, desk: Desk) -> None:
    """Whether this person may seal that now.

    Raises NotFound for whoever approves no packages, and PackageRefused: `same_person`, and by what is in the way.
    """
    if not serials.may_approve(desk.actor):
        raise NotFound(object="packages")
    rules.check_second(prepared.package.prepared_by, desk.actor.signature)
    if prepared.blockers:
        raise PackageRefused(fault=prepared.blockers[0])


def without_key(prepared: Prepared) -> Prepared:
    """As it stands where a passphrase takes the place of a key."""
    left = tuple(each for each in prepared.blockers if each not in ("key_missing", "key_unconfirmed"))
    return replace(prepared, blockers=left)


def approve(
    store: Store,
    desk: Desk,
    press: Press,
    number: str,
    seen: str,
    open_names: OpenNames,
    tables: Sequence[Release],
    *,
    open_pieces: OpenPieces,
    passphrase: str = "",
) -> Package:
    """Seal a prepared package; `seen`: the digest of the choice that this person looked at.

    It is sealed to the key of its destination, or by a passphrase, which goes another way. A piece of evidence of which
    no copy can be made is left out, as the counts of the package say then. The file is whole under its name before the
    package is said to be sealed; interrupted anywhere, it is prepared still. Raises as `check`, Busy while another is
    being sealed, or more copies are made than a hub can bear, StorageFull, and PackageRefused: `changed`, `unopenable`.
    """
    with _alone(press.folder):
        prepared = preparing.look(store, desk, press.pepper, number)
        check(without_key(prepared) if passphrase else prepared, desk)
        # As it is written, however it was typed.
        number = prepared.package.number.text
        if seen != prepared.choice.digest():
            raise PackageRefused(fault="changed")
        names = _names(store, prepared.choice.named, number, open_names)
        copies = _copies(prepared.choice, number, open_pieces)
        lines = list(prepared.choice.lines(names))
        before = _before(store, prepared.package.destination)
        content = _content(prepared, lines, before, desk, press, tables)
        bag = bags.Bag(papers.payload(content, copies), content, press.signer)
        sealed = sealing.seal(bag, press.folder, number, recipient=prepared.series.key, passphrase=passphrase)
        values: dict[str, Any] = {
            "state": "sealed",
            "sealed_at": desk.now,
            "sealed_by": desk.actor.signature,
            "key": "" if passphrase else prepared.series.key,
            "manifest": bag.manifest,
            "previous": None if before is None else before[1],
            "zip": bag.zip,
            "file": sealed.digest,
            "bytes": sealed.bytes,
            "counts": {**prepared.package.counts, **copies.counts()},
        }
        try:
            return _keep(store, desk, press, prepared, lines, copies.made, values)
        except BaseException:
            sealed.path.unlink(missing_ok=True)
            raise


def _keep(
    store: Store,
    desk: Desk,
    press: Press,
    prepared: Prepared,
    lines: Sequence[Line],
    copied: Mapping[int, Sequence[int]],
    values: Mapping[str, Any],
) -> Package:
    """Say that it is sealed, unless a consent, or anything else that it goes by, changed meanwhile."""
    with store.write() as connection:
        if not preparing.stands_still(connection, desk, press.pepper, prepared):
            raise PackageRefused(fault="changed")
        package = find(connection, prepared.package.number.text, is_locked=True)
        rules.check_move(package.state, "sealed")
        packages.set_items(connection, package.id, _told(prepared.choice, lines, press))
        _note_exported(connection, desk, package, copied)
        packages.change(connection, package.id, **values)
        packages.drop_names_key(connection, package.number)
        note(connection, desk, "package_seal", package, {name: values[name] for name in ("file", "manifest", "zip")})
    return replace(package, **values)


def _note_exported(
    connection: sa.Connection, desk: Desk, package: Package, copied: Mapping[int, Sequence[int]]
) -> None:
    """Let the custody of pieces, and the log of each complaint, say that copies of them are in a package."""
    by, number = desk.actor.signature, package.number.text
    pieces.note_each(connection, [id for ids in copied.values() for id in ids], "exported", by, desk.now, number)
    for complaint, ids in copied.items():
        audit.record(
            connection,
            at=desk.now,
            actor=by,
            action="piece_exported",
            object=f"complaint:{complaint}",
            reason=number,
            details={"pieces": len(ids)},
        )


def _told(choice: Choice, lines: Sequence[Line], press: Press) -> Iterator[Told]:
    keyed = Keyed.of(press.pepper, choice.destination.code)
    candidates = {each.complaint: each for each in choice.candidates}
    for line in lines:
        of = candidates[line.complaint]
        parts = sorted([*of.parts, *([MEDIA] if of.pieces else [])])
        yield Told(Item(line.ref, line.shape), line.complaint, keyed.hashes(line) | keyed.pieces_of(of), parts)
    for void in choice.voids:
        yield Told(Item(void.told.item.ref, "void"), void.told.complaint, {}, ())
    for each in choice.corrections:
        hashes = {name: keyed.hash(name, text) for name, text in each.now.items()}
        yield Told(Item(each.told.item.ref, "correction"), each.told.complaint, hashes, each.told.parts)


def _copies(choice: Choice, number: str, open_pieces: OpenPieces) -> Copies:
    """The copies that go with lines, to be made as they are written."""
    enclosing = choice.enclosing
    return Copies(enclosing, open_pieces([each.complaint for each in enclosing], number))


def _names(store: Store, candidates: Sequence[Candidate], number: str, open_names: OpenNames) -> dict[int, Named]:
    """Whom named lines are about, opened a page at a time. Raises PackageRefused (`unopenable`)."""
    found = {}
    for start in range(0, len(candidates), _PAGE):
        page = candidates[start : start + _PAGE]
        ids = [each.complaint for each in page]
        with store.read() as connection:
            people = packages.people_named(connection, ids)
        opened = open_names(ids, number)
        for each in page:
            if opened[each.complaint].is_unopenable:
                raise PackageRefused(fault="unopenable", ref=each.ref)
            found[each.complaint] = _named(opened[each.complaint], people.get(each.complaint, frozenset()))
    return found


def _named(opened: Opened, numbers: frozenset[int]) -> Named:
    """Those of an identity who complain or suffered, by their numbers in the facts; whatever else a device sealed there
    names nobody."""
    persons = (opened.clear or {}).get("persons")
    told = persons if isinstance(persons, list) else []
    known = [
        each for each in told if isinstance(each, dict) and isinstance(each.get("no"), int) and each["no"] in numbers
    ]
    names = "; ".join(_line(each["name"]) for each in known if each.get("name"))
    phones = "; ".join(_line(each["phone"]) for each in known if each.get("phone"))
    return Named(names, "" if opened.is_withheld else phones)


def _line(text: object) -> str:
    """What somebody wrote, on one line."""
    return "".join(char if char.isprintable() else " " for char in str(text))


def _content(
    prepared: Prepared,
    lines: Sequence[Line],
    before: tuple[str, str] | None,
    desk: Desk,
    press: Press,
    tables: Sequence[Release],
) -> Content:
    return Content(
        number=prepared.package.number,
        destination=prepared.choice.destination,
        coalition=press.coalition,
        as_of=prepared.package.as_of,
        lines=lines,
        voids=prepared.choice.voids,
        corrections=prepared.choice.corrections,
        against=prepared.choice.counts_told(),
        tables=tables,
        key_id=Keyed.of(press.pepper, prepared.choice.destination.code).id,
        previous=before,
        public_key=minisign.public_file(press.signer),
        version=press.version,
        places=desk.places,
    )


def _before(store: Store, destination: str) -> tuple[str, str] | None:
    """Number and manifest of the package sealed before."""
    with store.read() as connection:
        last = packages.last_sealed(connection, destination)
    return None if last is None or last.manifest is None else (last.number.text, last.manifest)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One package is sealed at a time; what an interrupted sealing left is removed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / _LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        sealing.clean(folder)
        yield
