"""`bundle`: what waits, as a sealed file that somebody else carries, and the answer that comes back."""

from pathlib import Path
from typing import Final

import click

from client_sync import preferences
from client_sync.bundle import (
    AppliedReply,
    CarriedParcel,
    read_parcel_file,
    replies_to_hand_back,
    write_file_parcels,
    write_parcel,
)
from client_sync.commands.counts import shown_bytes
from client_sync.commands.localized import LocalizedCommand, LocalizedGroup, option
from client_sync.commands.session import VERSION, Session, in_session
from client_sync.commands.sync import order_words
from client_sync.obedience import ERASED
from client_sync.protocol.limits import JSON_INTEGER_MAX
from client_sync.stores import write_durably

_MEGABYTE: Final = 10**6
_MEDIUM_MB: Final = 100


@click.group("bundle", cls=LocalizedGroup)
def bundle() -> None:
    """Carry complaints as files."""


@bundle.command("write", cls=LocalizedCommand)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@in_session
def write(session: Session, file: Path) -> None:
    """Write what waits into FILE; only the centre can open it."""
    with session.outbox() as outbox:
        waiting = outbox.unsent()
        write_durably(file, write_parcel(outbox, now=session.now(), version=VERSION))
    session.say_count("bundle.written", waiting, file=file)


@bundle.command("pack", cls=LocalizedCommand)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@option("--most", type=click.IntRange(1), default=_MEDIUM_MB)
@option("--again", is_flag=True)
@in_session
def pack(session: Session, folder: Path, most: int, again: bool) -> None:
    """Write parts of the photos and recordings that wait into FOLDER; the next medium goes on from there."""
    with session.outbox() as outbox:
        parcels = write_file_parcels(
            outbox, now=session.now(), version=VERSION, most_bytes=most * _MEGABYTE, again=again
        )
        count = 0
        for parcel in parcels:
            write_durably(folder / f"{parcel.number:06}.pieces", parcel.data)
            outbox.files.note_packed(parcel.packed)
            count += 1
        left = sum(each.size for each in outbox.files.to_pack(_MEGABYTE, JSON_INTEGER_MAX, again=False))
    session.say_count("bundle.packed", count, folder=folder)
    session.say("bundle.pack_rest" if left else "bundle.pack_whole", size=shown_bytes(session, left))


@bundle.command("read", cls=LocalizedCommand)
@click.argument("file", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@in_session
def read(session: Session, file: tuple[Path, ...]) -> None:
    """Take in each FILE: a colleague's parcel to carry, or the answer to one of ours."""
    # The reply may bring the order to wipe the vault.
    session.close()
    for each in file:
        with session.outbox() as outbox:
            came = read_parcel_file(outbox, each.read_bytes(), now=session.now())
        _tell(session, came)


def _tell(session: Session, came: CarriedParcel | AppliedReply) -> None:
    if not isinstance(came, AppliedReply):
        session.say("bundle.carried", device=came.device[:8], parcel=came.parcel)
        return
    session.say_count("bundle.answered", came.applied.stored, parcel=came.parcel)
    if came.missing:
        session.say("bundle.missing", numbers=", ".join(map(str, came.missing)))
    for words in order_words(session.texts, came.orders):
        session.write(words)
    if ERASED in came.orders:
        preferences.forget(session.folder)


@bundle.command("back", cls=LocalizedCommand)
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@in_session
def back(session: Session, folder: Path) -> None:
    """Write the answers to the parcels of colleagues into FOLDER, to hand them back."""
    with session.outbox() as outbox:
        replies = replies_to_hand_back(outbox)
        for carried in replies:
            assert carried.reply is not None
            name = f"{carried.device[:8]}-{carried.parcel}-{carried.digest[:8]}.retour"
            write_durably(folder / name, carried.reply)
            outbox.carrying.drop(carried)
    if replies:
        session.say_count("bundle.back", len(replies))
    else:
        session.say("bundle.back_none")
