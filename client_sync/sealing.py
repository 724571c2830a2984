"""Sealing at finalise: from then on a complaint opens for its readers, and not on this device (PROTOCOL §4.1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from marshmallow import Schema, fields

from client_sync.errors import ContentRefused, KeyringMissing, ReaderMissing, WrongPassphrase
from client_sync.places import PLACES
from client_sync.protocol import keyring as keyrings
from client_sync.protocol.boxes import write_boxes
from client_sync.protocol.canonical import canonical, parse
from client_sync.protocol.frames import to_text
from client_sync.protocol.keyring import Keyring, KeyringRefused
from client_sync.protocol.linkage import SCHEME, linkage_keys
from client_sync.protocol.records import COMPARTMENTS, REPORT, SHAPES, check_compartments, clear_shape
from client_sync.protocol.vocabulary import VOCABULARY
from client_sync.seal import Binding, seal, seal_to
from client_sync.stores import Folder
from client_sync.tables import Enrolled
from client_sync.vault import Vault, seal_for_vault

# Operations that carry compartments; the others say nothing of a person.
SEALED_OPERATIONS: Final = frozenset({"complaint", "revision", "answer", "task_done"})
LINKAGE: Final = "linkage"
# What operations with compartments hold beside them: names of versions, ids, numbers and codes.
_BESIDE: Final = frozenset(
    {"form", "vocabulary", "complaint", "lineage", "base_revision", "question", *SHAPES["task_done"].fields}
)
_SEALABLE: Final = (*COMPARTMENTS, REPORT)
# Operations that change nothing of what is compared.
_UNLINKED: Final = ("answer", "task_done")
_ABOUT: Final = ("complaint", "lineage")


@dataclass(frozen=True)
class Scope:
    """What decides who reads a complaint: its region, None where none is known, and whether it is strict.

    `elsewhere`: team and partner organisation of a complaint that is not this device's.
    """

    region: str | None
    is_strict: bool
    elsewhere: tuple[str | None, str | None] | None = None


# Of a complaint that nothing is known of here: its revision opens for named readers alone.
UNKNOWN_SCOPE: Final = Scope(None, is_strict=True)


@dataclass(frozen=True)
class Sealer:
    """Seals what an enrolled device finalises to the readers that its keyring names."""

    keyring: Keyring
    lineage: str
    team: str | None
    partner: str | None

    @classmethod
    def of(cls, enrolled: Enrolled) -> Self:
        """The sealer of a device. Raises KeyringMissing when its keyring is not one that the root key signed."""
        try:
            keyring = keyrings.read(enrolled.keyring.encode(), enrolled.root)
        except KeyringRefused:
            raise KeyringMissing from None
        return cls(keyring, enrolled.lineage, enrolled.team, enrolled.partner)

    def seal(self, id: str, content: Mapping[str, Any], scope: Scope) -> dict[str, Any]:
        """The content of an operation with the compartments sealed that the keyring says.

        `id` is that of the operation: its boxes open nowhere else. Raises ReaderMissing, and ContentRefused for a
        compartment that no reader could make sense of, or a member that no form has: it would leave in clear.
        """
        _refuse_strays(content)
        names = self.keyring.sealed_compartments(is_strict=scope.is_strict) | {REPORT}
        parts: dict[str, Any] = {name: content[name] for name in _SEALABLE if name in names & content.keys()}
        if not parts:
            return dict(content)
        _refuse_unsound(parts)
        team, partner = scope.elsewhere or (self.team, self.partner)
        readers = self.keyring.readers_for(scope.region, team, partner, is_strict=scope.is_strict)
        if not readers:
            raise ReaderMissing
        texts = {name: canonical(part["clear"]) for name, part in parts.items()}
        sealed = seal(texts, readers, Binding(id, self.lineage))
        return write_boxes(content, sealed.boxes, sealed.keys)

    def link(self, op: str, id: str, content: Mapping[str, Any]) -> dict[str, Any] | None:
        """The content of the `linkage` that goes along with an operation, made from its clear content.

        None for an operation that changes nothing of what is compared.
        """
        keys = {} if op in _UNLINKED else linkage_keys(content)
        if not keys:
            return None
        about = {"complaint": id} if op == "complaint" else {k: content[k] for k in _ABOUT if k in content}
        bound = {"complaint": about["complaint"], "lineage": self.lineage}
        box = seal_to(self.keyring.linkage, canonical(keys | bound))
        return about | {"v": SCHEME, "box": to_text(box)}


def scope_of(content: Mapping[str, Any]) -> Scope | None:
    """The scope that the facts of a content give, by the device's list of places; None where there are none.

    Raises ContentRefused for facts that are none: they would leave in clear, whatever they are.
    """
    if "facts" not in content:
        return None
    facts = content["facts"].get("clear") if isinstance(content["facts"], dict) else None
    if not isinstance(facts, dict):
        raise ContentRefused(why="compartment_invalid", field="facts")
    place = facts.get("place")
    id = place.get("id") if isinstance(place, dict) else None
    is_strict = "confidentiality" not in facts or VOCABULARY.is_strict(facts)
    return Scope(PLACES.region_of(str(id)), is_strict)


def hide_scope(scope: Scope, folder: Folder) -> bytes | None:
    """The scope as only the open vault of the folder tells it; None when there is no vault."""
    return seal_for_vault(folder, canonical(vars(scope)))


def read_scope(hidden: bytes, vault: Vault) -> Scope:
    """What `hide_scope` hid; the unknown scope when that was for another vault."""
    try:
        return Scope(**parse(vault.unseal(hidden)))
    except WrongPassphrase:
        return UNKNOWN_SCOPE


def _refuse_strays(content: Mapping[str, Any]) -> None:
    for name in content:
        if name not in _BESIDE and name not in _SEALABLE:
            raise ContentRefused(why="member_invalid", field=name)
    facts = content.get("facts", {}).get("clear", {})
    if (stray := _stray(clear_shape("facts"), facts, "facts")) is not None:
        raise ContentRefused(why="member_invalid", field=stray)


def _stray(shape: Schema, value: Any, path: str) -> str | None:
    """The first member in a value that its shape does not have; of another type it is for the hub to say so."""
    if not isinstance(value, dict):
        return None
    known = {field.data_key or name: field for name, field in shape.fields.items()}
    for name, member in value.items():
        if name not in known:
            return f"{path}.{name}"
        field = known[name]
        nested = field.inner if isinstance(field, fields.List) else field
        if isinstance(nested, fields.Nested):
            entries = member if isinstance(member, list) else [member]
            found = (_stray(nested.schema, entry, f"{path}.{name}") for entry in entries)
            if (stray := next(filter(None, found), None)) is not None:
                return stray
    return None


def _refuse_unsound(parts: Mapping[str, Any]) -> None:
    """The hub can't look into a box: what is wrong inside would never be noticed again."""
    found = check_compartments(parts, _SEALABLE)
    if found is not None:
        raise ContentRefused(why=found.code, field=found.field)
    for name, part in parts.items():
        if "clear" not in part:
            raise ContentRefused(why="compartment_invalid", field=name)
