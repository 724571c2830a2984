"""`enrol`: bind this device to its centre, compare six words, choose a passphrase."""

import json
from dataclasses import replace
from typing import Final

import click

from client_sync.commands.asking import Asker
from client_sync.commands.localized import command, option
from client_sync.commands.session import VERSION, Session, in_session
from client_sync.enrolment import enrol as enrol_device
from client_sync.errors import ClientError, LinkCut, PassphraseTooShort
from client_sync.protocol.vocabulary import LANGUAGES
from client_sync.protocol.words import WORDS
from client_sync.tables import Enrolled
from client_sync.transport import HttpTransport
from client_sync.vault import Vault

# 40 bits, each guess at the price of argon2id: years on a seized phone, and still said in one breath.
OFFERED_WORDS: Final = 5


class CodeUnreadable(ClientError):
    """What was typed is no enrolment code."""

    code = "enrolment_unreadable"


class HubSilent(ClientError):
    """Nobody answers at the address of the centre."""

    code = "hub_silent"


@command("enrol")
@click.argument("url", required=False)
@click.argument("code", nargs=-1)
@option("--language", type=click.Choice(LANGUAGES))
@option("--label", default="")
@option("--pin")
@in_session
def enrol(
    session: Session, url: str | None, code: tuple[str, ...], language: str | None, label: str, pin: str | None
) -> None:
    """Enrol with the address of the centre and its one-time code, or with what its QR says."""
    _choose_language(session, language)
    enrolled = _begun(session) or _admitted(session, *_read_invitation(session, url, " ".join(code)), label, pin)
    if _words_agree(session, enrolled):
        _make_vault(session)
        session.say("enrol.done")


def _begun(session: Session) -> Enrolled | None:
    """The enrolment that stopped before there was a passphrase: its code is spent, and nothing else is missing."""
    if Vault.exists(session.folder):
        return None
    with session.outbox() as outbox:
        return None if outbox.link.is_revoked or outbox.link.is_wiped else outbox.enrolled


def _admitted(session: Session, address: str, typed: str, label: str, pin: str | None) -> Enrolled:
    transport = HttpTransport(address, pin)
    try:
        return enrol_device(
            session.folder, address, typed, transport, label=label, pin=pin, software=f"carnet {VERSION}"
        )
    except ValueError:
        raise CodeUnreadable from None
    except LinkCut as error:
        if error.code != LinkCut.code:
            raise
        raise HubSilent(url=address) from error
    finally:
        transport.close()


def _choose_language(session: Session, language: str | None) -> None:
    if language is None and session.is_interactive:
        asker = Asker(session)
        asker.title("enrol.language")
        language = asker.choose([(code, session.texts.text(f"language.{code}")) for code in LANGUAGES])
    if language is not None:
        replace(session.preferences, language=language).save(session.folder)


def _read_invitation(session: Session, url: str | None, code: str) -> tuple[str, str]:
    """Address and code, from the arguments, from the JSON of a QR, or asked for."""
    first = url or session.ask("enrol.ask_url")
    if first.lstrip().startswith("{"):
        try:
            invitation = json.loads(f"{first} {code}".strip())
            return str(invitation["url"]), str(invitation["code"])
        except (ValueError, KeyError):
            raise CodeUnreadable from None
    return first, code or session.ask("enrol.ask_code")


def _words_agree(session: Session, enrolled: Enrolled) -> bool:
    """Whether the centre reads the same six words; a device whose words differ forgets its enrolment."""
    session.say("enrol.words", words=" ".join(enrolled.words))
    if Asker(session).agrees("enrol.same", may_skip=False):
        return True
    with session.outbox() as outbox:
        is_new = not outbox.records()
    if is_new and not Vault.exists(session.folder):
        session.folder.wipe()
    session.say("enrol.differ")
    return False


def _make_vault(session: Session) -> None:
    if Vault.exists(session.folder):
        return
    offered = " ".join(session.rng.sample(WORDS, OFFERED_WORDS))
    session.say("passphrase.offer", words=offered)
    while True:
        chosen = session.ask_secret("passphrase.choose", default=offered)
        again = session.ask_secret("passphrase.again")
        if chosen.split() != again.split():
            session.say("passphrase.differ")
            continue
        try:
            Vault.create(session.folder, chosen).close()
        except PassphraseTooShort as error:
            session.say("error.passphrase_too_short", **error.details)
            continue
        return
