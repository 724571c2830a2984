"""Enrolment: how a device gets its hub, with keys that never leave it (PROTOCOL §5)."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from marshmallow import EXCLUDE, Schema, ValidationError, fields
from marshmallow.validate import Length, Regexp

from client_sync.answers import ShownText
from client_sync.errors import NotAnAnswer
from client_sync.outbox import Outbox
from client_sync.protocol import keyring as keyrings
from client_sync.protocol.canonical import Unreadable, canonical, is_id
from client_sync.protocol.enrolment import normal_code, proof_digest
from client_sync.protocol.frames import from_text, to_text
from client_sync.protocol.keyring import KeyringRefused
from client_sync.stores import KEY_BYTES, Folder
from client_sync.tables import Enrolled, Keys
from client_sync.transport import HttpTransport

_NAME_MOST_CHARS: Final = 200
# It goes into a header of every request.
_TOKEN: Final = r"[!-~]{1,200}\Z"


class _AdmissionShape(Schema):
    class Meta:
        unknown = EXCLUDE

    device = fields.String(required=True)
    lineage = fields.String(required=True)
    hub = fields.String(required=True)
    epoch = fields.String(required=True, validate=Length(1, 64))
    root = fields.String(required=True)
    keyring = fields.Dict(required=True)
    sign_key = fields.String(required=True)
    box_key = fields.String(required=True)
    token = fields.String(required=True, validate=Regexp(_TOKEN))
    coalition = ShownText(_NAME_MOST_CHARS, load_default=None, allow_none=True)
    team = ShownText(_NAME_MOST_CHARS, load_default=None, allow_none=True)
    partner = ShownText(_NAME_MOST_CHARS, load_default=None, allow_none=True)
    places = ShownText(_NAME_MOST_CHARS, load_default=None, allow_none=True)


_ADMISSION: Final = _AdmissionShape()


def enrol(
    folder: Folder,
    url: str,
    code: str,
    transport: HttpTransport,
    *,
    label: str = "",
    pin: str | None = None,
    software: str | None = None,
) -> Enrolled:
    """Enrol the device of a folder at a hub; `words` of what comes back are the six words to compare.

    `code` is the one-time code as characters, in any grouping, or as words. A device that was revoked is
    enrolled again in the same way and names itself as whom it succeeds. Trying again with the same code after
    a lost answer sends the same keys. Until an operator has confirmed the words, `sync` reports
    `device_unconfirmed`. Raises ValueError for words that are on no list, LinkCut, NotAnAnswer, HubRefuses
    (`enrolment_refused`), HubBusy, AlreadyEnrolled and LineageDiffers.
    """
    code = normal_code(code)
    outbox = Outbox.open(folder)
    try:
        keys = outbox.keys_for(hashlib.sha256(code.encode()).hexdigest())
        before = outbox.enrolled
        answer = transport.enrol(_application(code, keys, software, before.device if before else None))
        outbox.keep_enrolment(_enrolled(answer, keys, url, label, pin))
        return outbox.require_enrolled()
    finally:
        outbox.close()


def _application(code: str, keys: Keys, software: str | None, succeeds: str | None) -> dict[str, str]:
    sign_key, box_key = bytes(keys.sign.verify_key), bytes(keys.box.public_key)
    application = {
        "box_key": to_text(box_key),
        "code": code,
        "proof": to_text(keys.sign.sign(proof_digest(code, sign_key, box_key)).signature),
        "sign_key": to_text(sign_key),
    }
    if software is not None:
        application["software"] = software
    if succeeds is not None:
        application["succeeds"] = succeeds
    return application


def _enrolled(answer: Mapping[str, Any], keys: Keys, url: str, label: str, pin: str | None) -> Enrolled:
    try:
        admission: dict[str, Any] = _ADMISSION.load(answer)
    except ValidationError:
        raise NotAnAnswer from None
    hub_keys = from_text(admission.pop("sign_key")), from_text(admission.pop("box_key"))
    if not all(is_id(admission[name]) for name in ("device", "lineage", "hub")):
        raise NotAnAnswer
    if any(len(key) != KEY_BYTES for key in hub_keys):
        raise NotAnAnswer
    root, keyring = _keyring(admission.pop("root"), admission.pop("keyring"))
    return Enrolled(
        **admission,
        url=url,
        label=label,
        pin=pin,
        hub_sign_key=hub_keys[0],
        hub_box_key=hub_keys[1],
        root=root,
        keyring=keyring,
        keys=keys,
    )


def _keyring(root_text: str, signed: Mapping[str, Any]) -> tuple[bytes, str]:
    """The root key to pin, which the six words cover, and the keyring that it signed. Raises NotAnAnswer."""
    root = from_text(root_text)
    try:
        document = canonical(signed)
        keyrings.read(document, root)
    except (KeyringRefused, Unreadable):
        raise NotAnAnswer from None
    return root, document.decode()
