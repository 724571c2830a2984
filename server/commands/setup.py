"""`seere setup`: from nothing to a hub that may enrol devices, in steps; run again, it goes on where it was left."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import click
from nacl.signing import SigningKey

from client_sync.protocol.keyring import key_id
from server import credential
from server.commands import key_files, publishing
from server.commands.init import founded, founding_secrets, say_next_steps
from server.commands.key_files import KeyFile
from server.commands.key_recovery import make_recovery_key
from server.commands.operator import Operator, pass_operator
from server.commands.people import add_person
from server.commands.places import import_list
from server.commands.spoken import Refused, SpokenCommand, refusal_in_full
from server.commands.terms import terms_of
from server.domain.errors import (
    KeyFileUnusable,
    NameRefused,
    PassphraseRefused,
    PassphraseWrong,
    PlaceListInvalid,
    SeereError,
)
from server.domain.people import Role
from server.domain.permission import OPERATOR
from server.hub import Hub
from server.services import keyrings
from server.services.accounts import people
from server.services.accounts.people import Post
from server.store import accounts

_STEPS: Final = ("centre", "administrator", "coordinator", "root", "recovery", "keyring")
_TRIES: Final = 5
_Slips = tuple[type[Refused] | type[SeereError], ...]
# What whoever sits there can put right by typing it once more.
_SLIPS: Final[_Slips] = (
    Refused,
    KeyFileUnusable,
    NameRefused,
    PassphraseRefused,
    PassphraseWrong,
    PlaceListInvalid,
)
# A name that is refused is another question than the passphrase.
_SLIPS_OF_PASSPHRASE: Final[_Slips] = (Refused, PassphraseRefused)
_SHIPPED_PLACES: Final = Path(__file__).resolve().parents[2] / "fixtures" / "places" / "mali-2026.1.csv"

Given = TypeVar("Given")


@click.command(cls=SpokenCommand)
@pass_operator
def command(operator: Operator) -> None:
    """Make a hub ready for its first device, or say that it is."""
    if not operator.has_terminal:
        raise operator.refuse("setup.no_terminal")
    operator.say("setup.begin")
    try:
        _begin(operator, "centre")
        with founded(operator, _insisted(operator, lambda: founding_secrets(operator))) as hub:
            _go_through(operator, hub)
    except (click.Abort, KeyboardInterrupt):
        raise operator.refuse("setup.stopped") from None


def _go_through(operator: Operator, hub: Hub) -> None:
    _add_places(operator, hub)
    _begin(operator, "administrator")
    _add_account(operator, hub, "administrator")
    _begin(operator, "coordinator")
    _add_account(operator, hub, "coordinator")
    _begin(operator, "root")
    root = None if _is_ready(operator, hub) else _insisted(operator, lambda: _root_seed(operator))
    if root is None:
        operator.say("setup.there")
    _begin(operator, "recovery")
    if _has_recovery(operator, hub):
        operator.say("setup.there")
    else:
        make_recovery_key(operator, hub)
    _begin(operator, "keyring")
    if root is None:
        operator.say("setup.there")
    else:
        _publish(operator, hub, root)
    operator.say("setup.others")
    operator.say("setup.done")
    say_next_steps(operator, hub)


def _begin(operator: Operator, step: str) -> None:
    """Say which step this is, and in a sentence why it is made."""
    texts = operator.texts
    title = texts.text(f"setup.{step}")
    number = _STEPS.index(step) + 1
    click.secho("\n" + texts.text("setup.step", number=number, count=len(_STEPS), title=title), bold=True)
    operator.say(f"setup.{step}_why")


def _insisted(operator: Operator, ask: Callable[[], Given], slips: _Slips = _SLIPS) -> Given:
    """What `ask` gives, asked again after a slip of the person; refuses at last."""
    for _ in range(_TRIES - 1):
        try:
            return ask()
        except slips as slip:
            said = Refused(refusal_in_full(operator.texts, slip)) if isinstance(slip, SeereError) else slip
            said.show()
    return ask()


def _add_places(operator: Operator, hub: Hub) -> None:
    if hub.gazetteer() is None:
        _insisted(operator, lambda: _import_places(operator, hub))


def _import_places(operator: Operator, hub: Hub) -> None:
    texts = operator.texts
    no = texts.text("usage.no").split()
    typed = operator.answer(texts.text("setup.ask_places", file=_SHIPPED_PLACES, no=no[0])).strip()
    if typed.lower() in no:
        operator.say("setup.places_later")
        return
    path = Path(typed).expanduser() if typed else _SHIPPED_PLACES
    if not path.exists():
        raise operator.refuse("setup.no_file", file=path)
    import_list(operator, hub, path, None)


def _add_account(operator: Operator, hub: Hub, role: Role) -> None:
    """The first account of a role, unless there is one."""
    active = [each for each in people.listed(hub.store, OPERATOR) if each.state == accounts.ACTIVE]
    if known := [each.name for each in active if each.role == role]:
        operator.say("setup.account_there", names=", ".join(known))
        return
    _insisted(operator, lambda: _ask_account(operator, hub, role))


def _ask_account(operator: Operator, hub: Hub, role: Role) -> None:
    texts = operator.texts
    name = operator.answer(texts.text("setup.ask_name")).strip()
    if not name:
        raise NameRefused(name=name)
    if role == "administrator":
        post = Post(role)
    else:
        regions = _insisted(operator, lambda: _ask_regions(operator, hub, name))
        post = Post(role, regions, is_named_reader=operator.agrees("setup.ask_strict", name=name))
    operator.say("setup.let_type", name=name)
    _insisted(operator, lambda: add_person(operator, hub, name, post), _SLIPS_OF_PASSPHRASE)


def _ask_regions(operator: Operator, hub: Hub, name: str) -> list[str]:
    """Ids of the regions that the account covers; empty for all."""
    gazetteer = hub.gazetteer()
    if gazetteer is None:
        operator.say("setup.whole_country", name=name)
        return []
    typed = operator.answer(operator.texts.text("setup.ask_regions", name=name))
    regions = []
    for each in filter(None, map(str.strip, typed.split(","))):
        region = gazetteer.region_named(each)
        if region is None:
            known = ", ".join(place.name for place in gazetteer.regions)
            raise operator.refuse("setup.no_region", text=each, known=known)
        regions.append(region.id)
    return regions


def _root_seed(operator: Operator) -> bytes:
    """The root key that lies where its keeper says, 32 bytes; made there when there is no file."""
    texts = operator.texts
    typed = operator.answer(texts.text("setup.ask_root")).strip()
    path = Path(typed).expanduser()
    if typed and path.exists():
        return key_files.open_by_asking(operator, KeyFile.read(path, "root"))
    seed = key_files.make_by_asking(operator, path, "root", texts.text("keys.root_about"))
    operator.say("setup.root_made", file=path)
    if path.stat().st_dev == operator.settings.data.stat().st_dev:
        operator.say("setup.root_beside")
    return seed


def _is_ready(operator: Operator, hub: Hub) -> bool:
    """Whether a keyring stands that says what is so, the recovery key included."""
    standing = keyrings.newest(hub.store)
    return standing is not None and not keyrings.is_behind(hub.store, terms_of(hub)) and _has_recovery(operator, hub)


def _has_recovery(operator: Operator, hub: Hub) -> bool:
    public = credential.recovery_public(operator.settings.credential)
    return public is not None and key_id(public) in keyrings.recovery_kids(hub.store)


def _publish(operator: Operator, hub: Hub, root: bytes) -> None:
    made = publishing.drawn_up(hub, bytes(SigningKey(root).verify_key))
    if not publishing.is_agreed(operator, hub, made):
        raise operator.refuse("setup.not_published")
    publishing.let_stand(operator, hub, keyrings.signed(made, root))
