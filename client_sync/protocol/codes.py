"""Verdicts and error codes of the wire: the one table that hub, client and documents share."""

from dataclasses import dataclass
from typing import Final, Literal

STORED: Final = "stored"
ALREADY_HELD: Final = "already_held"
CONFLICT: Final = "conflict"
HELD: Final = "held"
QUARANTINED: Final = "quarantined"
REJECTED: Final = "rejected"

VERDICTS: Final = (STORED, ALREADY_HELD, CONFLICT, HELD, QUARANTINED, REJECTED)
AT_THE_CENTRE: Final = frozenset({STORED, ALREADY_HELD})

Where = Literal["record", "frame", "request"]


@dataclass(frozen=True)
class Code:
    """One stable code: what it speaks of, and the HTTP status when nothing was read."""

    name: str
    where: Where
    status: int | None = None


_RECORD_CODES: Final = (
    # The line itself.
    "json_invalid",
    "json_duplicate_member",
    "json_number",
    "json_depth",
    "text_surrogate",
    "text_nul",
    "line_too_long",
    "id_unreadable",
    "id_invalid",
    "op_unknown",
    # The content.
    "member_missing",
    "member_invalid",
    "text_too_long",
    "code_unknown",
    "form_unknown",
    "vocabulary_unknown",
    "date_impossible",
    "date_out_of_range",
    "clock_ahead",
    "receipt_invalid",
    "compartment_invalid",
    "compartment_sealed_facts",
    "place_unknown",
    "place_vintage",
    "complaint_missing",
    "revision_missing",
    "task_missing",
    "content_differs",
    "field_changed_twice",
    "readers_differ",
    # The frame that carried it.
    "frame_signature",
    "frame_length",
    "frame_hub",
    "frame_device",
    "device_revoked",
    "internal",
)

_FRAME_CODES: Final = ("over_limit", "not_here")

_REQUEST_CODES: Final = (
    ("body_empty", 400),
    ("body_unreadable", 400),
    ("frame_version", 400),
    ("body_too_large", 413),
    ("coding_unknown", 415),
    ("dictionary_unknown", 415),
    ("device_unknown", 403),
    ("device_unconfirmed", 403),
    ("enrolment_refused", 403),
    ("parcel_unreadable", 400),
    ("file_unwanted", 404),
    ("offset_differs", 409),
    ("checksum_differs", 460),
    ("file_busy", 423),
    ("file_differs", 460),
    ("file_too_large", 413),
    ("files_too_many", 429),
    ("upload_invalid", 400),
    ("upload_version", 412),
    ("not_found", 404),
    ("method_not_allowed", 405),
    ("storage_full", 507),
    ("storage_failed", 503),
    ("busy", 503),
    ("locked", 503),
    ("server_error", 500),
)

CODES: Final[dict[str, Code]] = (
    {name: Code(name, "record") for name in _RECORD_CODES}
    | {name: Code(name, "frame") for name in _FRAME_CODES}
    | {name: Code(name, "request", status) for name, status in _REQUEST_CODES}
)
