"""What the routes take and give, for the parser and for the OpenAPI document."""

from typing import Any, Final

from flask import Request
from marshmallow import EXCLUDE, Schema, fields
from marshmallow.validate import Regexp
from webargs.flaskparser import FlaskParser

from client_sync.protocol.canonical import Unreadable, parse
from server.domain.errors import BodyRefused

PROBLEM: Final = "application/problem+json"
BYTES: Final = {"type": "string", "format": "binary"}

# Python's `$` also stands before a last newline, and readers of the OpenAPI document have no `\Z`.
_END: Final = r"$(?!\n)"


class StrictParser(FlaskParser):
    """Reads JSON under the limits of the wire: no duplicate member, no depth that breaks a parser."""

    def load_json(self, req: Request, schema: Schema) -> Any:  # noqa: ARG002 - its signature
        """The value in the body; raises BodyRefused."""
        try:
            return parse(req.get_data(cache=True))
        except Unreadable:
            raise BodyRefused("body_unreadable") from None


class _Shape(Schema):
    class Meta:
        unknown = EXCLUDE


class ApplicationShape(_Shape):
    """A device asks to be enrolled."""

    code = fields.String(required=True, validate=Regexp("^[ -~]{1,400}" + _END))
    sign_key = fields.String(required=True, validate=Regexp("^[A-Za-z0-9_-]{43}" + _END))
    box_key = fields.String(required=True, validate=Regexp("^[A-Za-z0-9_-]{43}" + _END))
    proof = fields.String(required=True, validate=Regexp("^[A-Za-z0-9_-]{86}" + _END))
    software = fields.String(validate=Regexp("^[ -~]{0,80}" + _END))
    succeeds = fields.UUID()


class AdmissionShape(_Shape):
    """A device is enrolled, and waits until its six words are confirmed."""

    device = fields.UUID(required=True)
    lineage = fields.UUID(required=True)
    token = fields.String(required=True)
    hub = fields.UUID(required=True)
    epoch = fields.String(required=True)
    sign_key = fields.String(required=True)
    box_key = fields.String(required=True)
    coalition = fields.String(required=True)
    team = fields.String(allow_none=True)
    partner = fields.String(allow_none=True)
    root = fields.String(required=True)
    keyring = fields.Dict(required=True)
    places = fields.String(allow_none=True)


class NamedShape(_Shape):
    """A record that is not simply stored."""

    at = fields.Integer(required=True)
    verdict = fields.String(required=True)
    code = fields.String(required=True)
    field = fields.String()


class FrameReportShape(_Shape):
    """What the hub says of a frame."""

    frame = fields.Integer(required=True)
    n = fields.Integer()
    already_held = fields.List(fields.List(fields.Integer()))
    named = fields.List(fields.Nested(NamedShape))
    unread = fields.String()


class ChangeShape(Schema):
    """One thing that the device is to learn."""

    class Meta:
        unknown = "include"

    n = fields.Integer(required=True)
    kind = fields.String(required=True)
    id = fields.String()


class OrderShape(_Shape):
    """A signed order."""

    order = fields.Dict(required=True)
    sig = fields.String(required=True)


class AnchorShape(_Shape):
    """A signed head of the hub's log, with the proof that it grew out of what the device saw."""

    anchor = fields.Dict(required=True)
    proof = fields.String(required=True)
    sig = fields.String(required=True)


class AnswerShape(_Shape):
    """The answer to a sync; a member that says nothing is left out."""

    now = fields.String(required=True)
    epoch = fields.String(required=True)
    position = fields.Integer()
    frames = fields.List(fields.Nested(FrameReportShape))
    changes = fields.List(fields.Nested(ChangeShape))
    cursor = fields.String()
    more = fields.Boolean()
    reset = fields.String()
    backed_up_to = fields.Integer()
    need = fields.List(fields.Dict())
    orders = fields.List(fields.Nested(OrderShape))
    keyring = fields.Dict()
    anchor = fields.Nested(AnchorShape)
    sync_after = fields.Integer()
    retry_after_s = fields.Integer()
    min_version = fields.String()
    rolled_back = fields.Integer()
    missing_parcels = fields.List(fields.Integer())


class CellShape(_Shape):
    """One number of a table; null where it is hidden."""

    row = fields.List(fields.String(), required=True)
    column = fields.List(fields.String(), required=True)
    n = fields.Integer(required=True, allow_none=True)


class ChangedShape(_Shape):
    """What came late, by column; null where it is too small to be told."""

    column = fields.List(fields.String(), required=True)
    n = fields.Integer(required=True, allow_none=True)


class FigureShape(_Shape):
    """A table of figures; cells that are not there are 0."""

    table = fields.String(required=True)
    title = fields.String(required=True)
    unit = fields.String(required=True)
    start = fields.String(required=True, data_key="from")
    to = fields.String(required=True)
    at = fields.String(required=True)
    final = fields.Boolean(required=True)
    rows_by = fields.List(fields.String(), required=True)
    columns_by = fields.List(fields.String(), required=True)
    rows = fields.List(fields.List(fields.String()), required=True)
    columns = fields.List(fields.List(fields.String()), required=True)
    cells = fields.List(fields.Nested(CellShape), required=True)
    late = fields.List(fields.Nested(ChangedShape), required=True)
    notes = fields.List(fields.String(), required=True)


class ProblemShape(_Shape):
    """RFC 9457: why nothing was read."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(required=True)
    retry_after_s = fields.Integer()
    misfits = fields.List(fields.String(), data_key="fields")


def body_of(media_type: str, meaning: str) -> dict[str, Any]:
    """A request body of bytes, for the OpenAPI document."""
    return {"required": True, "description": meaning, "content": {media_type: {"schema": BYTES}}}
