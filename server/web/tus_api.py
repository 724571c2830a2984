"""The door of files: tus 1.0.0, with creation, creation-with-upload, checksum, expiration and termination
(PROTOCOL §9.3)."""

import hashlib
import re
from base64 import b64decode
from binascii import Error
from email.utils import format_datetime
from typing import Final

from flask import Response, request
from flask_smorest import Blueprint

from client_sync.protocol.uploads import CHUNK_TYPE, FILES_PATH, TUS_VERSION
from server.domain.errors import ChecksumDiffers, UploadInvalid, UploadVersion
from server.hub import Hub
from server.services.devices import Device
from server.services.evidence import receiving
from server.services.evidence.receiving import Sender, Standing
from server.web.auth import for_device, guarded, this_hub
from server.web.schemas import body_of

_EXTENSIONS: Final = "creation,creation-with-upload,checksum,expiration,termination"
_CHECKSUM: Final = "sha256"
_OTHER_VERSION: Final = 412
_SHA256: Final = re.compile("[0-9a-f]{64}")
_SIZE: Final = re.compile("[0-9]{1,15}")

blueprint = Blueprint("files", __name__, url_prefix=FILES_PATH, description="Files of field devices")


@blueprint.after_request
def add_version(response: Response) -> Response:
    """What speaks tus says so in every answer."""
    response.headers["Tus-Resumable"] = TUS_VERSION
    if response.status_code == _OTHER_VERSION:
        response.headers["Tus-Version"] = TUS_VERSION
    return response


@blueprint.route("", methods=["OPTIONS"], provide_automatic_options=False)
@guarded("public")
def tell() -> Response:
    """What the hub can do."""
    headers = {
        "Tus-Version": TUS_VERSION,
        "Tus-Extension": _EXTENSIONS,
        "Tus-Max-Size": str(this_hub().depot.limits.file),
        "Tus-Checksum-Algorithm": _CHECKSUM,
    }
    return Response(status=204, headers=headers)


@blueprint.post("")
@blueprint.doc(requestBody=body_of(CHUNK_TYPE, "The first bytes of the file, or none."), security=[{"device": []}])
@for_device
def begin(device: Device) -> Response:
    """Begin the upload of a file that a complaint of the device declares, or find it begun."""
    sender = _sender(device)
    sha256, size = _named(request.headers.get("Upload-Metadata", "")), _number("Upload-Length")
    data = _chunk() if request.content_type == CHUNK_TYPE else b""
    stands = receiving.begin(sender, sha256, size)
    if len(data) > stands.offset:
        stands = receiving.add(sender, stands.upload, stands.offset, data[stands.offset :])
    return _answered(201, stands, Location=f"{FILES_PATH}/{stands.upload}")


@blueprint.route("/<upload>", methods=["HEAD"], provide_automatic_options=False)
@blueprint.doc(security=[{"device": []}])
@for_device
def stand(device: Device, upload: str) -> Response:
    """How much of a file is here."""
    stands = receiving.standing(_sender(device), upload)
    return _answered(200, stands, **{"Upload-Length": str(stands.size)})


@blueprint.patch("/<upload>")
@blueprint.doc(requestBody=body_of(CHUNK_TYPE, "The next bytes of the file."), security=[{"device": []}])
@for_device
def go_on(device: Device, upload: str) -> Response:
    """Add to a file."""
    sender = _sender(device)
    if request.content_type != CHUNK_TYPE:
        raise UploadInvalid(field="Content-Type")
    return _answered(204, receiving.add(sender, upload, _number("Upload-Offset"), _chunk()))


@blueprint.delete("/<upload>")
@blueprint.doc(security=[{"device": []}])
@for_device
def drop(device: Device, upload: str) -> Response:
    """Forget what arrived of a file."""
    receiving.drop(_sender(device), upload)
    return Response(status=204)


def _sender(device: Device) -> Sender:
    """Raises UploadVersion."""
    if request.headers.get("Tus-Resumable") != TUS_VERSION:
        raise UploadVersion
    hub: Hub = this_hub()
    return Sender(hub.store, hub.depot, device, hub.clock())


def _answered(status: int, stands: Standing, **headers: str) -> Response:
    headers["Upload-Offset"] = str(stands.offset)
    if stands.expires_at is not None:
        headers["Upload-Expires"] = format_datetime(stands.expires_at, usegmt=True)
    return Response(status=status, headers=headers)


def _chunk() -> bytes:
    """The bytes of the request. Raises ChecksumDiffers, UploadInvalid."""
    data = request.get_data(cache=False)
    told = request.headers.get("Upload-Checksum")
    if told is None:
        return data
    algorithm, _, digest = told.partition(" ")
    if algorithm != _CHECKSUM:
        raise UploadInvalid(field="Upload-Checksum")
    if _decoded(digest) != hashlib.sha256(data).digest():
        raise ChecksumDiffers
    return data


def _named(metadata: str) -> str:
    """The hash in `Upload-Metadata`; what else a client says there is passed over. Raises UploadInvalid."""
    for pair in metadata.split(","):
        name, _, value = pair.strip().partition(" ")
        sha256 = _decoded(value).decode("latin-1") if name == "sha256" else ""
        if _SHA256.fullmatch(sha256):
            return sha256
    raise UploadInvalid(field="Upload-Metadata")


def _number(header: str) -> int:
    text = request.headers.get(header, "")
    if not _SIZE.fullmatch(text):
        raise UploadInvalid(field=header)
    return int(text)


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Error, ValueError):
        return b""
