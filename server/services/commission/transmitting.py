"""Transmitting: a person lets a sealed package leave, and it is noted when and by whom."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from server.domain import packages as rules
from server.domain.desk import Desk
from server.domain.errors import NotFound, PackageRefused
from server.services.commission import answering, choosing, delivering, preparing, sealing, serials
from server.services.commission.delivering import Outgoing
from server.services.commission.preparing import find, note
from server.store import destinations, packages
from server.store.engine import Store
from server.store.packages import Package, Series


def send_to_folder(store: Store, desk: Desk, press_folder: Path, number: str, folder: Path) -> Package:
    """Copy a sealed package to a folder or a stick, and note that it left. Raises as `note_left` and `to_folder`."""
    return _send(store, desk, number, lambda file, _: delivering.to_folder(file, folder), press_folder)


def copy_again(store: Store, desk: Desk, press_folder: Path, number: str, folder: Path) -> None:
    """Copy what left before to a folder or a stick once more. Raises as `kept_file` and `to_folder`."""
    delivering.to_folder(kept_file(store, desk, press_folder, number), folder)


def send_to_address(store: Store, desk: Desk, press_folder: Path, number: str) -> Package:
    """Send a sealed package to the address of its destination, and note that it left, once that said so.

    Raises as `note_left` and `to_address`.
    """
    return _send(store, desk, number, delivering.to_address, press_folder)


def note_left(store: Store, desk: Desk, number: str) -> Package:
    """Note that a sealed package left by hand.

    What the hub prepared by itself is let go by another person than who sealed it: two have seen each package. Raises
    NotFound, and PackageRefused: `state`, `same_sender`, `suspended` or `not_valid` where nothing goes there now,
    `key_replaced`, and `lapsed` where less may be told by now.
    """
    _may_leave(store, desk, number)
    return _note_left(store, desk, number)


def kept_file(store: Store, desk: Desk, press_folder: Path, number: str) -> Outgoing:
    """The file of a sealed package, for whoever carries it; the log notes who took it.

    Raises NotFound, and PackageRefused as `note_left`; of one that left, `suspended` or `not_valid` alone.
    """
    serials.require(desk)
    with store.write() as connection:
        package = find(connection, number)
        held = packages.series_of(connection, package.destination)
        [to] = destinations.find(connection, [package.destination]).values()
        serials.check_open(to, desk.now.date())
        if package.state in ("prepared", "cancelled"):
            raise PackageRefused(fault="state", state=package.state, to="transmitted")
        if package.state == "sealed" and held is not None:
            preparing.check_sender(package, desk)
            _check_stands(connection, desk, package, held)
        note(connection, desk, "package_take", package, {"file": package.file})
    return _outgoing(package, press_folder)


def _send(
    store: Store, desk: Desk, number: str, deliver: Callable[[Outgoing, Series], object], press_folder: Path
) -> Package:
    """Deliver, then note it: what was delivered and not noted is delivered again, and known as the same."""
    package, held = _may_leave(store, desk, number)
    deliver(_outgoing(package, press_folder), held)
    return _note_left(store, desk, number)


def _may_leave(store: Store, desk: Desk, number: str) -> tuple[Package, Series]:
    """A sealed package, and how it goes. Raises as `note_left`."""
    serials.require(desk)
    with store.read() as connection:
        package = find(connection, number)
        held = packages.series_of(connection, package.destination)
        [to] = destinations.find(connection, [package.destination]).values()
        if held is None:
            raise NotFound(object=number)
        _check(package, desk)
        serials.check_open(to, desk.now.date())
        _check_stands(connection, desk, package, held)
    return package, held


def _check_stands(connection: sa.Connection, desk: Desk, package: Package, held: Series) -> None:
    """Whether what was sealed may leave still. Raises PackageRefused: `key_replaced` where its destination has another
    key now, and `lapsed` where a complaint was erased since, or less of it may be told."""
    if package.key and package.key != held.key:
        raise PackageRefused(fault="key_replaced")
    if choosing.is_lapsed(connection, package, desk.places, desk.now.date()):
        raise PackageRefused(fault="lapsed")


def _note_left(store: Store, desk: Desk, number: str) -> Package:
    """Note that a package left, whatever was decided of its destination meanwhile: it is there."""
    with store.write() as connection:
        package = find(connection, number, is_locked=True)
        _check(package, desk)
        values: dict[str, Any] = {
            "state": "transmitted",
            "transmitted_at": desk.now,
            "transmitted_by": desk.actor.signature,
        }
        packages.change(connection, package.id, **values)
        left = replace(package, **values)
        answering.note_sent(connection, desk, left)
        note(connection, desk, "package_send", package, {"file": package.file})
    return left


def _check(package: Package, desk: Desk) -> None:
    rules.check_move(package.state, "transmitted")
    preparing.check_sender(package, desk)


def _outgoing(package: Package, folder: Path) -> Outgoing:
    if package.file is None:
        raise PackageRefused(fault="state", state=package.state, to="transmitted")
    return Outgoing(folder / package_file(package), package.file, package.number.text)


def package_file(package: Package) -> str:
    """What the file of a sealed package is called."""
    return sealing.file_name(package.number.text, by_passphrase=not package.key)
