"""Every error of the client: raised for a fact, shown through its `code` in the message catalogues."""

from typing import ClassVar


class ClientError(Exception):
    """Something a person or an embedding program has to know of; `code` is stable and names the message."""

    code: ClassVar[str]

    def __init__(self, **details: object) -> None:
        super().__init__(self.code)
        self.details = details


class WrongPassphrase(ClientError):
    """The words don't open the vault."""

    code = "wrong_passphrase"


class PassphraseTooSoon(ClientError):
    """After wrong words the next ones have to wait `wait_s` seconds."""

    code = "passphrase_too_soon"


class PassphraseGivenAway(ClientError):
    """The passphrase was typed where words are asked for that leave the device; nothing of them was kept."""

    code = "passphrase_given_away"


class VaultLocked(ClientError):
    """The vault was closed: nothing was typed for too long."""

    code = "vault_locked"


class PassphraseTooShort(ClientError):
    """A passphrase has fewer words than `least`."""

    code = "passphrase_too_short"


class VaultExists(ClientError):
    """There is a vault in this folder already."""

    code = "vault_exists"


class VaultMissing(ClientError):
    """No vault was made in this folder yet."""

    code = "vault_missing"


class KeyMissing(ClientError):
    """An encrypted file is there and the key that opens it is not: wiped, or copied without its key."""

    code = "key_missing"


class StoreDamaged(ClientError):
    """A file is not what its key opens."""

    code = "store_damaged"


class StoreFull(ClientError):
    """The disk is full: nothing of the last step was kept, all that was kept before still is."""

    code = "store_full"


class StoreFailed(ClientError):
    """The disk refused the last step: nothing of it was kept. `reason` is the name that SQLite gives."""

    code = "store_failed"


class DraftUnknown(ClientError):
    """There is no draft with this id."""

    code = "draft_unknown"


class RecordUnknown(ClientError):
    """There is no record with this id on the device."""

    code = "record_unknown"


class TaskUnknown(ClientError):
    """There is no such task on the device, or not any more."""

    code = "task_unknown"


class NotEnrolled(ClientError):
    """The device has no hub yet."""

    code = "not_enrolled"


class KeyringMissing(ClientError):
    """The keys of the centre are not here, or are not those that its root key signed: nothing can be sealed."""

    code = "keyring_missing"


class ReaderMissing(ClientError):
    """The keyring names nobody to seal this complaint to: it would be lost."""

    code = "reader_missing"


class AlreadyEnrolled(ClientError):
    """The device belongs to another hub; a second hub needs a second folder."""

    code = "already_enrolled"


class LineageDiffers(ClientError):
    """The hub gave a lineage that would not know what this device sent: the code has to name whom it succeeds."""

    code = "lineage_differs"


class ContentRefused(ClientError):
    """Content that can't be written as an operation; `why` is a code of the wire, `field` where."""

    code = "content_refused"


class FileRefused(ClientError):
    """A file that is not taken in: `why` is a code, `file` what it is called. The complaint stays as it is."""

    code = "file_refused"


class InsecureAddress(ClientError):
    """An address that would carry complaints in the clear: `http://` off this machine, or no address at all."""

    code = "insecure_address"


class PinInvalid(ClientError):
    """A pin that is neither 64 hexadecimal digits nor a file of certificates."""

    code = "pin_invalid"


class LinkCut(ClientError):
    """No whole answer came: the device does not know what the hub read."""

    code = "link_cut"


class CertificateRefused(LinkCut):
    """Who answered could not prove to be the hub; nothing was sent."""

    code = "certificate_refused"


class NotAnAnswer(ClientError):
    """Somebody answered, not the hub: a captive portal, a proxy, half a document."""

    code = "not_an_answer"


class HubRefuses(ClientError):
    """The hub read nothing and says why: `code` is a code of the wire."""

    code = "hub_refuses"

    def __init__(self, code: str) -> None:
        super().__init__()
        self.code = code  # type: ignore[misc]


class HubBusy(ClientError):
    """The hub can't take anything now; `code` is a code of the wire, `retry_after_s` when to come back, if said."""

    code = "busy"

    def __init__(self, code: str, retry_after_s: int | None) -> None:
        super().__init__()
        self.code = code  # type: ignore[misc]
        self.retry_after_s = retry_after_s


class ParcelUnreadable(ClientError):
    """A file that is neither a parcel nor a reply, or was changed on its way."""

    code = "parcel_unreadable"


class ParcelForAnotherHub(ClientError):
    """A parcel or reply of a hub that is not ours."""

    code = "parcel_for_another_hub"


class ReplyForAnotherDevice(ClientError):
    """A reply that belongs to another device: hand it to that one."""

    code = "reply_for_another_device"


class NothingToSend(ClientError):
    """Everything is at the centre: there is nothing to put in a parcel."""

    code = "nothing_to_send"
