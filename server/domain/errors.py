"""Every refusal of the hub, by the fact it states; front doors turn them into words."""

import traceback


def trace_of(fault: BaseException) -> dict[str, object]:
    """Type and frames of a fault, as keys of the log, without its words: those may quote what a person wrote."""
    walked = traceback.walk_tb(fault.__traceback__)
    frames = [f"{each.f_globals.get('__name__', '')}:{line}:{each.f_code.co_name}" for each, line in walked]
    return {"fault": type(fault).__name__, "frames": frames}


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


class TooMany(SeereError):
    """More were chosen at once than the `most` that somebody can look through: nothing was done."""

    code = "too_many"


class CredentialMissing(SeereError):
    """The file that holds the hub's secrets is not there."""

    code = "credential_missing"


class CredentialThere(SeereError):
    """There is a credential already; nothing overwrites one."""

    code = "credential_there"


class CredentialDamaged(SeereError):
    """The file is no credential, or a part of it was lost."""

    code = "credential_damaged"


class CredentialForeign(SeereError):
    """The credential is of another hub than the database."""

    code = "credential_foreign"


class PassphraseRefused(SeereError):
    """A new passphrase is too short, or too long."""

    code = "passphrase_refused"


class PassphraseWrong(SeereError):
    """The passphrase does not open what it was given for."""

    code = "passphrase_wrong"


class LockUnreachable(SeereError):
    """The folder takes no socket through which a locked hub could be given its passphrase."""

    code = "lock_unreachable"


class RecoveryKeyWrong(SeereError):
    """The recovery key does not open the credential, or none is meant to."""

    code = "recovery_key_wrong"


class LoginRefused(SeereError):
    """Name, passphrase or code is wrong, or there is no such account; which of them is not said."""

    code = "login_refused"


class LoginTooSoon(SeereError):
    """Wrong guesses make the next one wait, for `seconds`."""

    code = "login_too_soon"


class SessionOver(SeereError):
    """There is no such session, or it ended."""

    code = "session_over"


class NameRefused(SeereError):
    """No account can be made under this name: another has it, or it is no name."""

    code = "name_refused"


class AccountRefused(SeereError):
    """That can't be done to this account: one's own, that of the last administrator, or in another state."""

    code = "account_refused"


class DeviceUnknown(SeereError):
    """No device has this token or id."""

    code = "device_unknown"


class DeviceUnconfirmed(SeereError):
    """The six words were not confirmed yet."""

    code = "device_unconfirmed"


class KeyringMissing(SeereError):
    """No keyring was published yet: nothing can be sealed to anybody."""

    code = "keyring_missing"


class KeyringUnfit(SeereError):
    """The keyring can't be published: its `fault` says why."""

    code = "keyring_unfit"


class KeyUnknown(SeereError):
    """No recipient that is still in use has this key."""

    code = "key_unknown"


class KeyInUse(SeereError):
    """A recipient has this key already."""

    code = "key_in_use"


class RecoveryMissing(SeereError):
    """There is no recovery key: a reader who is lost would take cases along."""

    code = "recovery_missing"


class NotSealed(SeereError):
    """There is nothing sealed here: neither to hand over, nor in this file."""

    code = "not_sealed"


class ReasonMissing(SeereError):
    """Who opens this has to say why, in `least` to `most` characters."""

    code = "reason_missing"


class ContactNotAllowed(SeereError):
    """The complaint does not allow this `way` of reaching the person; `fault` is why."""

    code = "contact_not_allowed"


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


class FileUnwanted(SeereError):
    """No complaint of this device declares the file, or it is not wanted now."""

    code = "file_unwanted"


class OffsetDiffers(SeereError):
    """Bytes of a file that would leave a gap, or overlap with what arrived."""

    code = "offset_differs"


class ChecksumDiffers(SeereError):
    """A chunk of a file that was damaged on its way: nothing of it was kept."""

    code = "checksum_differs"


class FileBusy(SeereError):
    """Another request adds to the same file."""

    code = "file_busy"


class FileDiffers(SeereError):
    """A file that arrived whole and has another hash than was declared: nothing of it was kept."""

    code = "file_differs"


class FileTooLarge(SeereError):
    """A file over a limit of the hub, or not of the size declared."""

    code = "file_too_large"


class FilesTooMany(SeereError):
    """A device has as much under way as it may."""

    code = "files_too_many"


class UploadInvalid(SeereError):
    """A request of an upload that lacks a header, or has one that can't be read."""

    code = "upload_invalid"


class UploadVersion(SeereError):
    """A version of tus that the hub does not speak."""

    code = "upload_version"


class BlobsUnusable(SeereError):
    """The setting of where files are kept can't be followed; `fault` says why."""

    code = "blobs_unusable"


class PieceRefused(SeereError):
    """What can't be done with a piece of evidence; `fault` says why."""

    code = "piece_refused"


class AdministratorUnknown(SeereError):
    """No administrator whom devices know has this key; `kid` is its id."""

    code = "administrator_unknown"


class KeyFileUnusable(SeereError):
    """A file that is no administrator's key, or that is there already where one was to be made."""

    code = "key_file_unusable"


class NotFound(SeereError):
    """There is no such object, or it is not for this reader."""

    code = "not_found"


class NotAdmissible(SeereError):
    """A quarantined record still can't be stored."""

    code = "not_admissible"


class ErasureHeld(SeereError):
    """Two people said that nothing of this complaint may be erased."""

    code = "erasure_held"


class ErasureListUnreadable(SeereError):
    """The erasure list is of another hub, or damaged."""

    code = "erasure_list_unreadable"


class HoldRefused(SeereError):
    """The legal hold can't take this step now: there is none, one stands already, or the second person is the first."""

    code = "hold_refused"


class LiftRefused(SeereError):
    """A complaint stays as confidential as it is: it is not strict, or its own facts make it so."""

    code = "lift_refused"


class PlaceListInvalid(SeereError):
    """A place file lacks a column or holds a row that can't be read."""

    code = "place_list_invalid"


class BackupUnusable(SeereError):
    """A backup could not be made, or could not be opened again."""

    code = "backup_unusable"


class ModelInvalid(SeereError):
    """What should be a model of duplicate search can't be read as one."""

    code = "model_invalid"


class FitFailed(SeereError):
    """No model can be fitted to these pairs; `fault` says why."""

    code = "fit_failed"


class RelinkingRefused(SeereError):
    """Complaints can't be linked once more; `fault` says why."""

    code = "relinking_refused"


class TableInvalid(SeereError):
    """A file of records or pairs, or the map of its columns, can't be used; `fault` says why."""

    code = "table_invalid"


class DecisionStale(SeereError):
    """Somebody decided since this person looked: `verdict` by `name` stands, or nothing any more; `last` is its id."""

    code = "decision_stale"


class DecisionRefused(SeereError):
    """This can't be decided, or taken back, as it stands; `fault` says why."""

    code = "decision_refused"


class PeriodInvalid(SeereError):
    """`text` names no months that figures can be of."""

    code = "period_invalid"


class DeadlineRefused(SeereError):
    """A deadline can't be paused, resumed or put off as it stands; `fault` says why."""

    code = "deadline_refused"


class DeputyRefused(SeereError):
    """Nobody can stand in so for that person; `fault` says why."""

    code = "deputy_refused"


class FindingRefused(SeereError):
    """A finding can't stand; `faults` are all that is against it, `fault` the first."""

    code = "finding_refused"


class PackageRefused(SeereError):
    """A package, its series or an answer to it can't be like that: its `fault` says why."""

    code = "package_refused"


class ReferralRefused(SeereError):
    """A referral can't be sent, or take this step now; `fault` says why."""

    code = "referral_refused"


class TimelineBroken(SeereError):
    """The entries of a case lead to no status: `no` is the one that can't follow; `fault` says why."""

    code = "timeline_broken"


class TransitionRefused(SeereError):
    """A case can't go from `status` to `to` now; `faults` are all that is against it, `fault` the first."""

    code = "transition_refused"


class StaleRevision(SeereError):
    """Somebody changed this since it was `seen`: what was `wanted` and what `stands`, of which `revision`, go along."""

    code = "stale_revision"


class RegroupingRefused(SeereError):
    """Complaints can't go from one case to another so; `fault` says why."""

    code = "regrouping_refused"


class UrgencyRefused(SeereError):
    """A case is not made as urgent as that by this person; `faults` are all that is missing, `fault` the first."""

    code = "urgency_refused"


class JudgementRefused(SeereError):
    """A court's decision can't be noted of this person; `fault` says why."""

    code = "judgement_refused"


class TaskRefused(SeereError):
    """A task can't be set, or recalled, so; `faults` are all that is against it, `fault` the first."""

    code = "task_refused"


class DemoRefused(SeereError):
    """This is no demonstration, or can't be made one; `fault` says why."""

    code = "demo_refused"


class ClockDoubted(SeereError):
    """What can't be undone is not done by a clock that is doubted."""

    code = "clock_doubted"


class ClockNotDoubted(SeereError):
    """Nobody doubts the clock of this machine."""

    code = "clock_not_doubted"


class JobRuns(SeereError):
    """The job called `name` runs now, here or in another process."""

    code = "job_runs"


class NoteRefused(SeereError):
    """A note can't be kept; `fault` says why."""

    code = "note_refused"
