"""The sections of the console, in the order of its bar, and for whom each is there."""

from dataclasses import dataclass
from typing import Final

from server.domain.permission import UNREADABLE, Action, Actor, Target, may_ever, permit


@dataclass(frozen=True)
class Section:
    """A place of the console: `page.section_<name>` is what it is called, `path` where it begins.

    `target`: what it is about, where that is one thing for all; None where some of it may be somebody's.
    """

    name: str
    path: str
    action: Action
    target: Target | None = None

    def is_for(self, actor: Actor) -> bool:
        """Whether this actor may ever use it."""
        return may_ever(actor, self.action) if self.target is None else permit(actor, self.action, self.target)


_ALL: Final = (
    Section("inbox", "/console/inbox", "handle_case"),
    Section("quarantine", "/console/quarantine", "settle_set_aside"),
    Section("duplicates", "/console/duplicates", "handle_case"),
    Section("cases", "/console/cases", "handle_case"),
    Section("follow_ups", "/console/follow-ups", "handle_case"),
    Section("referrals", "/console/referrals", "handle_case"),
    # In a package may be anybody's complaint.
    Section("packages", "/console/exports", "prepare_export", UNREADABLE),
    Section("received", "/console/received", "receive_export"),
    Section("dashboard", "/console/dashboard", "read_statistics"),
    Section("devices", "/console/devices", "manage_devices"),
    Section("people", "/console/people", "manage_people"),
)


def sections_for(actor: Actor) -> tuple[Section, ...]:
    """The sections that this actor may ever use."""
    return tuple(each for each in _ALL if each.is_for(actor))


def home_of(actor: Actor) -> str:
    """Where whoever logs in begins: the first section there is, else the account."""
    first = next(iter(sections_for(actor)), None)
    return first.path if first else "/console/account"
