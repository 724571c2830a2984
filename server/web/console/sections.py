"""The sections of the console, in the order of its bar, and for whom each is there."""

from dataclasses import dataclass
from typing import Final

from server.domain.permission import Action, Actor, may_ever


@dataclass(frozen=True)
class Section:
    """A place of the console: `page.section_<name>` is what it is called, `path` where it begins."""

    name: str
    path: str
    action: Action


_ALL: Final = (
    Section("inbox", "/console/inbox", "handle_case"),
    Section("quarantine", "/console/quarantine", "settle_set_aside"),
    Section("duplicates", "/console/duplicates", "handle_case"),
    Section("cases", "/console/cases", "handle_case"),
    Section("follow_ups", "/console/follow-ups", "handle_case"),
    Section("referrals", "/console/referrals", "handle_case"),
    Section("packages", "/console/exports", "prepare_export"),
    Section("dashboard", "/console/dashboard", "read_statistics"),
    Section("devices", "/console/devices", "manage_devices"),
    Section("people", "/console/people", "manage_people"),
)


def sections_for(actor: Actor) -> tuple[Section, ...]:
    """The sections that the role of this actor may ever use."""
    return tuple(each for each in _ALL if may_ever(actor, each.action))


def home_of(actor: Actor) -> str:
    """Where whoever logs in begins: the first section there is, else the account."""
    first = next(iter(sections_for(actor)), None)
    return first.path if first else "/console/account"
