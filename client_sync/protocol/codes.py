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
Retry = Literal["never", "later", "after_fix"]


@dataclass(frozen=True)
class Code:
    """One stable code: what it speaks of, the HTTP status when nothing was read, and whether sending again can help."""

    name: str
    where: Where
    retry: Retry
    status: int | None = None


_RECORD_CODES: Final = (
    # The line itself.
    ("json_invalid", "never"),
    ("json_duplicate_member", "never"),
    ("json_number", "never"),
    ("json_depth", "never"),
    ("text_surrogate", "never"),
    ("text_nul", "never"),
    ("line_too_long", "never"),
    ("id_unreadable", "never"),
    ("id_invalid", "never"),
    ("op_unknown", "later"),
    # The content.
    ("member_missing", "never"),
    ("member_invalid", "never"),
    ("text_too_long", "never"),
    ("code_unknown", "later"),
    ("form_unknown", "later"),
    ("vocabulary_unknown", "later"),
    ("date_impossible", "never"),
    ("date_out_of_range", "never"),
    ("clock_ahead", "never"),
    ("receipt_invalid", "never"),
    ("compartment_invalid", "never"),
    ("compartment_sealed_facts", "never"),
    ("place_unknown", "later"),
    ("place_vintage", "later"),
    ("complaint_missing", "later"),
    ("revision_missing", "later"),
    ("content_differs", "never"),
    ("field_changed_twice", "never"),
    # The frame that carried it.
    ("frame_signature", "never"),
    ("frame_length", "never"),
    ("frame_hub", "never"),
    ("frame_device", "never"),
    ("device_revoked", "never"),
    ("internal", "later"),
)

_FRAME_CODES: Final = (("over_limit", "later"), ("not_here", "later"))

_REQUEST_CODES: Final = (
    ("body_empty", "later", 400),
    ("body_unreadable", "later", 400),
    ("frame_version", "after_fix", 400),
    ("body_too_large", "after_fix", 413),
    ("coding_unknown", "after_fix", 415),
    ("dictionary_unknown", "after_fix", 415),
    ("device_unknown", "never", 403),
    ("device_unconfirmed", "later", 403),
    ("enrolment_refused", "never", 403),
    ("parcel_unreadable", "never", 400),
    ("not_found", "never", 404),
    ("method_not_allowed", "never", 405),
    ("storage_full", "later", 507),
    ("storage_failed", "later", 503),
    ("busy", "later", 503),
    ("server_error", "later", 500),
)

CODES: Final[dict[str, Code]] = (
    {name: Code(name, "record", retry) for name, retry in _RECORD_CODES}  # type: ignore[arg-type]
    | {name: Code(name, "frame", retry) for name, retry in _FRAME_CODES}  # type: ignore[arg-type]
    | {name: Code(name, "request", retry, status) for name, retry, status in _REQUEST_CODES}  # type: ignore[arg-type]
)
