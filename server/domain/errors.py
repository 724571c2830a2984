"""Every refusal of the hub, by the fact it states; front doors turn them into words."""

import traceback


def trace_of(fault: BaseException) -> str:
    """Type and frames of a fault for the log, without its words: those may quote what a person wrote."""
    return "".join((*traceback.format_tb(fault.__traceback__), type(fault).__name__))


class SeereError(Exception):
    """A refusal with a stable code, and the values its message needs."""

    code = "server_error"

    def __init__(self, **values: object) -> None:
        super().__init__(self.code)
        self.values = values


class StorageFull(SeereError):
    """The disk has no room: nothing was written."""

    code = "storage_full"


class StorageFailed(SeereError):
    """The disk failed: nothing was written."""

    code = "storage_failed"


class Busy(SeereError):
    """Others are at work on the same rows, or the database can't be reached now: nothing was written."""

    code = "busy"


class DeviceUnknown(SeereError):
    """No device has this token or id."""

    code = "device_unknown"


class DeviceUnconfirmed(SeereError):
    """The six words were not confirmed yet."""

    code = "device_unconfirmed"


class EnrolmentRefused(SeereError):
    """The code is wrong, used or too old, or the proof is wrong; which of them is not said."""

    code = "enrolment_refused"


class BodyRefused(SeereError):
    """Nothing of the body could be read."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__()


class ParcelUnreadable(SeereError):
    """The file is no parcel for this hub, or is damaged."""

    code = "parcel_unreadable"


class NotFound(SeereError):
    """There is no such object, or it is not for this reader."""

    code = "not_found"


class NotAdmissible(SeereError):
    """A quarantined record still can't be stored."""

    code = "not_admissible"


class PlaceListInvalid(SeereError):
    """A place file lacks a column or holds a row that can't be read."""

    code = "place_list_invalid"


class BackupUnusable(SeereError):
    """A backup could not be made, or could not be opened again."""

    code = "backup_unusable"
