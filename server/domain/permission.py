"""Who may do what: one table of roles and actions, and everything that it does not name is refused."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, Protocol, get_args

from server.domain.people import Role
from server.domain.places import Gazetteer

Action = Literal[
    "record_complaint",
    "see_own_status",
    "find_complaint",
    "read_statement",
    "read_traces",
    "read_identity",
    "handle_case",
    "lower_urgency",
    "verify_act",
    "manage_destinations",
    "erase_complaint",
    "hold_complaint",
    "settle_set_aside",
    "lift_strictness",
    "prepare_export",
    "approve_export",
    "receive_export",
    "manage_devices",
    "manage_hub",
    "manage_people",
    "read_log",
    "read_statistics",
    "name_deputy",
    "use_account",
]

ACTIONS: Final[tuple[Action, ...]] = get_args(Action)


def signature_of(account: str) -> str:
    """How the log names a person: by the id of the account, never by name."""
    return f"account:{account}"


@dataclass(frozen=True)
class Actor:
    """Who acts: an account with its role and scopes (empty: all of that kind), or the operator at the terminal.

    `id` is that of the account. An operator runs the hub and has no role. `stands_for`: whose deputy it is today.
    `destination`: the code of that for which somebody of the commission speaks, None where nobody said for which.
    """

    id: str
    role: Role | None
    regions: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    partners: frozenset[str] = frozenset()
    is_named_reader: bool = False
    is_operator: bool = False
    stands_for: tuple["Actor", ...] = ()
    destination: str | None = None

    @property
    def persons(self) -> tuple["Actor", ...]:
        """The actor, and those for whom the actor stands in."""
        return (self, *self.stands_for)

    @property
    def signature(self) -> str:
        """How the log names the actor: by id, never by name."""
        return self.id if self.id in _NO_ACCOUNTS else signature_of(self.id)


@dataclass(frozen=True)
class Target:
    """What is acted on, as far as permission goes by it.

    `region`, `team` and `partner` are None where they are not known: only who covers all of a kind covers that.
    `assigned`: ids of the accounts that have the case. `is_own`: made by the actor, or addressed to the actor.
    """

    region: str | None = None
    team: str | None = None
    partner: str | None = None
    is_strict: bool = False
    assigned: frozenset[str] = frozenset()
    is_own: bool = False


class Scoped(Protocol):
    """What of a complaint `case_target` goes by, and a device can revise."""

    @property
    def place_id(self) -> str | None:
        """Where it happened."""

    @property
    def team(self) -> str | None:
        """The team it names."""

    @property
    def partner(self) -> str | None:
        """The partner organisation it names."""

    @property
    def confidentiality(self) -> str:
        """Its code."""


OPERATOR: Final = Actor("operator", None, is_operator=True)
# What the hub puts right by itself, whoever's it is, without showing it to anybody.
JOB: Final = Actor("job", "coordinator", is_named_reader=True)
_NO_ACCOUNTS: Final = frozenset({OPERATOR.id, JOB.id})
# For what concerns no case and nobody's own things.
NOTHING: Final = Target()
# The confidentiality of a complaint that named readers alone may see.
STRICT: Final = "strict"
_SCOPE_FIELDS: Final = {"facts.place": "place_id", "facts.team": "team", "facts.partner": "partner"}
# What nobody can read may be anything: whoever handles it covers all and is a named reader.
UNREADABLE: Final = Target(is_strict=True)

_Rule = Callable[[Actor, Target], bool]


def case_target(
    places: Gazetteer | None,
    place_id: str | None,
    team: str | None,
    partner: str | None,
    confidentiality: str,
    assigned: frozenset[str] | None = None,
) -> Target:
    """A complaint as permission sees it: by the region around its place, and whether it is strictly confidential."""
    region = places.region_around(place_id) if places is not None and place_id is not None else None
    region_id = None if region is None else region.id
    return Target(region_id, team, partner, confidentiality == STRICT, assigned or frozenset())


def reader_fields(before: Scoped, after: Scoped) -> tuple[str, ...]:
    """Paths of the facts by which others might come to read a complaint than before.

    Also a place in the same region: lists move cercles between regions. Making it strict gives nobody more to read.
    """
    moved = [path for path, name in _SCOPE_FIELDS.items() if getattr(before, name) != getattr(after, name)]
    is_opened = before.confidentiality == STRICT and after.confidentiality != STRICT
    return (*moved, "facts.confidentiality") if is_opened else tuple(moved)


def permit(actor: Actor, action: Action, target: Target = NOTHING) -> bool:
    """Whether the actor may do that to the target.

    Something across scopes, such as a pair of complaints, is permitted to whom each of its parts is. A deputy may do to
    a complaint what those may for whom the deputy stands in.
    """
    if actor.is_operator:
        return action in _OPERATORS
    rule = _TABLE[action].get(actor.role) if actor.role is not None else None
    if rule is not None and rule(actor, target):
        return True
    return action in _DEPUTED and any(permit(each, action, target) for each in actor.stands_for)


def stood_for(actor: Actor, action: Action, targets: Collection[Target], owner: str | None = None) -> str | None:
    """The id of the account in whose place the actor does that to all of these; None for one's own.

    What is the `owner`'s is done in the owner's place, whatever the deputy could do alone.
    """
    by_id = {each.id: each for each in actor.stands_for} if action in _DEPUTED else {}
    if owner in by_id and all(permit(by_id[owner], action, target) for target in targets):
        return owner
    alone = replace(actor, stands_for=())
    if all(permit(alone, action, target) for target in targets):
        return None
    return next((id for id, each in by_id.items() if any(permit(each, action, target) for target in targets)), None)


def may_ever(actor: Actor, action: Action) -> bool:
    """Whether there can be a target on which the actor may do that: what else is not even shown."""
    return action in _OPERATORS if actor.is_operator else actor.role in _TABLE[action]


def must_be_assigned(actor: Actor, action: Action) -> bool:
    """Whether the actor may do that to nothing but what is assigned to the actor."""
    return _TABLE[action].get(actor.role) is _assigned if actor.role is not None else False


def _always(_: Actor, __: Target) -> bool:
    return True


def _own(_: Actor, target: Target) -> bool:
    return target.is_own


def _covered(actor: Actor, target: Target) -> bool:
    """In the actor's scopes; what is strictly confidential, for named readers alone."""
    pairs = ((actor.regions, target.region), (actor.teams, target.team), (actor.partners, target.partner))
    is_in_scope = all(not scope or value in scope for scope, value in pairs)
    return is_in_scope and (actor.is_named_reader or not target.is_strict)


def _assigned(actor: Actor, target: Target) -> bool:
    return actor.id in target.assigned and _covered(actor, target)


def _anothers(actor: Actor, target: Target) -> bool:
    return not target.is_own and _covered(actor, target)


# What a deputy takes over: the work on complaints and reading them. Whom somebody trusts with erasing is not handed on.
_DEPUTED: Final[frozenset[Action]] = frozenset(
    {"find_complaint", "read_statement", "read_traces", "read_identity", "handle_case", "lower_urgency", "verify_act"}
)
_OPERATORS: Final[frozenset[Action]] = frozenset({"manage_devices", "manage_hub", "manage_people"})
_MANAGEMENT: Final[Mapping[Role, _Rule]] = {"administrator": _always}

_TABLE: Final[Mapping[Action, Mapping[Role, _Rule]]] = {
    "record_complaint": {"monitor": _always, "verifier": _always, "coordinator": _always},
    "see_own_status": {"monitor": _own, "verifier": _own, "coordinator": _own},
    "find_complaint": {"verifier": _assigned, "coordinator": _covered},
    "read_statement": {"verifier": _assigned, "coordinator": _covered},
    "read_traces": {"verifier": _assigned, "coordinator": _covered},
    "read_identity": {"verifier": _assigned, "coordinator": _assigned},
    "handle_case": {"coordinator": _covered},
    "lower_urgency": {"coordinator": _covered},
    "verify_act": {"verifier": _assigned, "coordinator": _covered},
    # Where there is no coordinator yet, an administrator lays the list down.
    "manage_destinations": {"coordinator": _always, "administrator": _always},
    "erase_complaint": {"coordinator": _covered},
    # Whoever holds reads nothing: where there is one coordinator, an administrator is the second person.
    "hold_complaint": {"coordinator": _covered, "administrator": _always},
    "settle_set_aside": {"coordinator": _covered},
    "lift_strictness": {"coordinator": _covered},
    "prepare_export": {"coordinator": _covered},
    "approve_export": {"coordinator": _anothers},
    "receive_export": {"commission": _own},
    "manage_devices": _MANAGEMENT,
    "manage_hub": _MANAGEMENT,
    "manage_people": _MANAGEMENT,
    "read_log": {"coordinator": _own, "administrator": _own, "auditor": _always},
    # Numbers of the whole network, the small ones hidden, whatever the scope.
    "read_statistics": {"coordinator": _always, "administrator": _always, "auditor": _always},
    # One's own deputy, or, of somebody who fell ill, any.
    "name_deputy": {"verifier": _own, "coordinator": _own, "administrator": _always},
    "use_account": {
        "monitor": _own,
        "verifier": _own,
        "coordinator": _own,
        "administrator": _own,
        "commission": _own,
        "auditor": _own,
    },
}
