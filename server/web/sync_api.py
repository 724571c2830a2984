"""The door of field devices: enrolment, sync, and parcels brought by somebody else (PROTOCOL §3, §5, §6)."""

import gzip
import json
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from flask import Response, request
from flask_smorest import Blueprint

from client_sync.protocol.canonical import Unreadable
from client_sync.protocol.coding import Inflated, inflate
from client_sync.protocol.frames import Frame, read_frames, to_text
from client_sync.protocol.limits import BODY_FRAMES_MAX
from client_sync.protocol.parts import Part
from server.domain.allowance import Refill
from server.domain.digests import frame_mark
from server.domain.errors import BodyRefused, StorageFailed, StorageFull
from server.hub import Hub, epoch_of
from server.services import devices, feed, keyrings, parcels
from server.services.devices import Application, Device
from server.services.evidence import receiving as evidence
from server.services.feed import Asked
from server.services.intake import receiving
from server.services.intake.receiving import Receipt, Rules
from server.services.intake.sealing import Sealing
from server.web.auth import for_device, guarded, this_hub
from server.web.schemas import BYTES, AdmissionShape, AnswerShape, ApplicationShape, StrictParser, body_of

FRAMES = "application/x-ndjson"
PARCEL = "application/octet-stream"
JSON = "application/json"
# What is shorter grows by it, with the header that says so.
_GZIP_FROM_BYTES = 200


class _Blueprint(Blueprint):  # type: ignore[misc]
    ARGUMENTS_PARSER = StrictParser()


blueprint = _Blueprint("sync", __name__, url_prefix="/api/v1", description="Field devices")


@blueprint.post("/enrol")
@blueprint.arguments(ApplicationShape)
@blueprint.response(201, AdmissionShape, content_type=JSON)
@guarded("enrolment")
def enrol(application: dict[str, Any]) -> dict[str, Any]:
    """Enrol a device that has a one-time code."""
    hub = this_hub()
    admitted = devices.enrol(
        hub.store,
        Application(
            code=application["code"],
            sign_key=application["sign_key"],
            box_key=application["box_key"],
            proof=application["proof"],
            software=application.get("software"),
            succeeds=str(application["succeeds"]) if "succeeds" in application else None,
        ),
        hub.clock(),
        refill(hub),
    )
    with hub.store.read() as connection:
        epoch, places = epoch_of(connection), hub.places.read(connection)
    return {
        "device": admitted.device,
        "lineage": admitted.lineage,
        "token": admitted.token,
        "team": admitted.team,
        "partner": admitted.partner,
        "root": admitted.root,
        "keyring": json.loads(admitted.keyring),
        "hub": hub.identity.id,
        "epoch": epoch,
        "sign_key": to_text(bytes(hub.identity.sign_key.verify_key)),
        "box_key": to_text(bytes(hub.identity.box_key.public_key)),
        "coalition": hub.settings.coalition,
        "places": places.version if places else None,
    }


@blueprint.post("/sync")
@blueprint.doc(requestBody=body_of(FRAMES, "One or more frames, PROTOCOL §3.2."), security=[{"device": []}])
@blueprint.alt_response(200, schema=AnswerShape, content_type=JSON, description="At least one frame was read.")
@for_device
def sync(device: Device) -> Response:
    """Take in frames and answer with verdicts, changes and orders."""
    hub = this_hub()
    frames = read_body(_inflated(request.get_data(cache=False)))
    return _json(answer(hub, device, frames))


@blueprint.post("/parcels")
@blueprint.doc(requestBody=body_of(PARCEL, "A sealed parcel, PROTOCOL §6."), security=[{"device": []}])
@blueprint.alt_response(200, schema=BYTES, content_type=PARCEL, description="The sealed reply to its author.")
@for_device
def carry(carrier: Device) -> Response:
    """Take in a parcel that another device made, and give the sealed reply to carry back."""
    hub = this_hub()
    parcel = parcels.open_parcel(hub.store, request.get_data(cache=False), hub.identity.id, hub.identity.box_key)
    frames = parcels.of_author(parcel, read_body(parcel.body))
    members = answer(hub, parcel.device, frames, carried_by=carrier.id, parts=parcels.parts_of(parcel, frames))
    missing = parcels.note(hub.store, parcel, carrier.id, hub.clock())
    if missing:
        members["missing_parcels"] = missing
    reply = parcels.seal_reply(parcel, members, hub.identity.id, hub.identity.sign_key)
    return Response(reply, mimetype=PARCEL)


def read_body(body: Inflated) -> list[Frame]:
    """The whole frames of a body, up to the first thing that is none; raises BodyRefused for no frame at all."""
    frames: list[Frame] = []
    try:
        # What was read before the fault stays in the list.
        frames.extend(islice(read_frames(body.data), BODY_FRAMES_MAX))
    except Unreadable as problem:
        if not frames:
            raise BodyRefused(problem.code) from None
    if not frames:
        raise BodyRefused("body_too_large" if body.is_capped else "body_empty")
    return frames


def answer(
    hub: Hub, device: Device, frames: Sequence[Frame], carried_by: str | None = None, parts: Iterable[Part] = ()
) -> dict[str, Any]:
    """Take the frames in, then parts of files, then say what the device is to know.

    The intake is on disk before it is said.
    """
    with hub.store.read() as connection:
        epoch, places = epoch_of(connection), hub.places.read(connection)
        sealing = Sealing(keyrings.current_in(connection), hub.secrets.pepper, places)
    rules = Rules(hub.identity.id, hub.settings.registry_prefix, refill(hub), sealing)
    receipt = receiving.receive(hub.store, device, frames, hub.clock(), rules, carried_by)
    sender = evidence.Sender(hub.store, hub.depot, device, hub.clock())
    for part in parts:
        try:
            evidence.take_part(sender, part.sha256, part.offset, part.data)
        except (StorageFull, StorageFailed):
            # The texts are in, and their answer goes back; `need` says where the files stand.
            break
    header = frames[0].header
    marks = tuple((number, frame_mark(digest, sealing.pepper)) for number, digest in header.ask)
    # Only a device that is on the line: by the time a parcel's reply is back, others have shown it newer ones.
    seen = header.anchor if carried_by is None else None
    # What a carrier hears may be days old when it arrives: nothing is advised by it.
    is_idle = carried_by is None and not any(frame.lines for frame in frames)
    asked = Asked(header.cursor, header.limit, marks, header.backed_up_to, seen, header.order, is_idle)
    members: dict[str, Any] = {"now": hub.clock().strftime("%Y-%m-%dT%H:%M:%SZ"), "epoch": epoch}
    down = feed.read(hub.store, device, epoch, asked, hub.clock())
    need = evidence.needed(sender) if header.files or not is_idle else []
    if need or header.files:
        down["need"] = need
    return members | _receipt_members(receipt, down.pop("frames", [])) | down


def refill(hub: Hub) -> Refill:
    """The bucket of a device, from the settings."""
    settings = hub.settings
    return Refill(
        settings.device_burst_records,
        settings.device_burst_bytes,
        settings.device_records_per_minute,
        settings.device_bytes_per_minute,
    )


def _receipt_members(receipt: Receipt, asked: list[dict[str, Any]]) -> dict[str, Any]:
    members = {
        "frames": [*asked, *receipt.reports] or None,
        "position": receipt.position,
        "retry_after_s": receipt.retry_after_s,
        "rolled_back": receipt.rolled_back,
    }
    return {name: value for name, value in members.items() if value is not None}


def _inflated(data: bytes) -> Inflated:
    coding = request.headers.get("Content-Encoding", "identity").strip().lower()
    try:
        return inflate(data, coding, request.headers.get("Seere-Dictionary"))
    except Unreadable as problem:
        raise BodyRefused(problem.code) from None


def _json(members: dict[str, Any]) -> Response:
    body = json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()
    if len(body) < _GZIP_FROM_BYTES or not request.accept_encodings["gzip"]:
        return Response(body, mimetype=JSON)
    # No time in it: the same answer is the same bytes.
    return Response(gzip.compress(body, mtime=0), mimetype=JSON, headers={"Content-Encoding": "gzip"})
