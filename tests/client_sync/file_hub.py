"""A hub as small as PROTOCOL §9 allows, in a process of its own: it files what it hears and takes in files.

All it knows lies in its folder, so that it can be killed and started again: `complaints.json`, parts under `parts`,
whole files under `blobs`, and one line a request in `requests`.
"""

import hashlib
import json
import os
import sys
import time
from base64 import b64decode
from pathlib import Path
from threading import Lock
from typing import Any, Final

from flask import Flask, Response, request
from waitress import create_server
from waitress.channel import HTTPChannel
from waitress.task import WSGITask

from client_sync.protocol.coding import inflate
from client_sync.protocol.frames import Frame, read_frames
from client_sync.protocol.uploads import FILES_PATH, turn, upload_id
from tests.client_sync.builders import DEVICE, EPOCH

_SLOW_S: Final = 0.2


class FileHub:
    """What it knows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = Lock()
        for name in ("parts", "blobs"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """What was declared, by hash."""
        path = self.folder / "complaints.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def in_mood(self, mood: str) -> bool:
        """Whether the test wants this once more."""
        path = self.folder / mood
        left = int(path.read_text()) if path.exists() else 0
        if left:
            path.write_text(str(left - 1))
        return left > 0

    def file(self, frames: list[Frame]) -> None:
        """Note what the complaints in the frames declare."""
        known = self.files
        for line in (line for frame in frames for line in frame.lines):
            operation = json.loads(line)
            for each in operation["content"].get("facts", {}).get("clear", {}).get("files", ()):
                known.setdefault(each["sha256"], each | {"complaint": operation["id"], "n": 0})
        _keep(self.folder / "complaints.json", json.dumps(known).encode())

    def need(self) -> list[dict[str, Any]]:
        """What is not here, in the order in which it is wanted."""
        wanted = [each for sha256, each in self.files.items() if not self.blob(sha256).exists() and not each["n"]]
        wanted.sort(key=lambda each: turn(each["kind"], each["size"]))
        return [{"sha256": each["sha256"], "offset": self.offset(each["sha256"])} for each in wanted]

    def changes(self) -> list[dict[str, Any]]:
        """What came in, as the device hears it."""
        told = [each for each in self.files.values() if each["n"]]
        return [
            {"n": each["n"], "id": each["complaint"][:8], "kind": "file", "sha256": each["sha256"], "state": "here"}
            for each in sorted(told, key=lambda each: int(each["n"]))
        ]

    def blob(self, sha256: str) -> Path:
        """Where a whole file lies."""
        return self.folder / "blobs" / sha256

    def part(self, sha256: str) -> Path:
        """Where what arrived of it lies."""
        return self.folder / "parts" / sha256

    def offset(self, sha256: str) -> int:
        """How much of it is here."""
        found = [path for path in (self.blob(sha256), self.part(sha256)) if path.exists()]
        return found[0].stat().st_size if found else 0

    def append(self, sha256: str, data: bytes) -> bool:
        """Add bytes, on disk; False when the whole is not what was declared."""
        with self.part(sha256).open("ab") as part:
            part.write(data)
            part.flush()
            os.fsync(part.fileno())
        if self.offset(sha256) < self.files[sha256]["size"]:
            return True
        if hashlib.sha256(self.part(sha256).read_bytes()).hexdigest() != sha256:
            self.part(sha256).unlink()
            return False
        self.part(sha256).replace(self.blob(sha256))
        known = self.files
        known[sha256]["n"] = 1 + max(each["n"] for each in known.values())
        _keep(self.folder / "complaints.json", json.dumps(known).encode())
        return True


def _keep(path: Path, data: bytes) -> None:
    path.with_suffix(".new").write_bytes(data)
    path.with_suffix(".new").replace(path)


class Doors:
    """What the hub answers; every request is heard whole before anything is done with it."""

    def __init__(self, hub: FileHub) -> None:
        self.hub = hub

    def app(self) -> Flask:
        """The doors as an application."""
        app = Flask(__name__)
        app.before_request(self.note)
        app.post("/api/v1/sync")(self.sync)
        app.post(FILES_PATH)(self.begin)
        app.route(f"{FILES_PATH}/<upload>", methods=["HEAD", "PATCH"])(self.go_on)
        return app

    def note(self) -> Response | None:
        """Write down each request, and refuse it where the test wants so."""
        size = len(request.get_data())
        with self.hub.lock, (self.hub.folder / "requests").open("a") as requests:
            requests.write(f"{request.method} {request.path} {request.headers.get('Upload-Offset', '-')} {size}\n")
            for mood, status in (("storage_full", 507), ("files_too_many", 429), ("device_revoked", 403)):
                if request.path.startswith(FILES_PATH) and self.hub.in_mood(mood):
                    return _problem(status, mood, retry_after_s=None if status == 403 else 300)
            is_slow = request.path.startswith(FILES_PATH) and self.hub.in_mood("slow")
        if is_slow:
            time.sleep(_SLOW_S)
        return None

    def sync(self) -> Response:
        """File what came, and say what is wanted."""
        body = inflate(request.get_data(), request.headers["Content-Encoding"], request.headers["Seere-Dictionary"])
        frames = list(read_frames(body.data))
        with self.hub.lock:
            self.hub.file(frames)
            members: dict[str, Any] = {"now": "2026-11-21T10:00:00Z", "epoch": EPOCH, "position": len(frames)}
            members["frames"] = [{"frame": f.header.frame, "n": len(f.lines)} for f in frames if f.lines]
            seen = int(frames[0].header.cursor or 0)
            changes = [change for change in self.hub.changes() if change["n"] > seen]
            if changes:
                members |= {"changes": changes, "cursor": str(changes[-1]["n"])}
            if frames[0].header.files or any(frame.lines for frame in frames):
                members["need"] = self.hub.need()
        return Response(json.dumps(members), mimetype="application/json")

    def begin(self) -> Response:
        """Begin an upload, or find it begun."""
        name, _, value = request.headers["Upload-Metadata"].partition(" ")
        sha256 = b64decode(value).decode()
        with self.hub.lock:
            declared = self.hub.files.get(sha256)
            if name != "sha256" or declared is None or self.hub.in_mood("file_unwanted"):
                return _problem(404, "file_unwanted")
            if int(request.headers["Upload-Length"]) != declared["size"] or self.hub.in_mood("file_too_large"):
                return _problem(413, "file_too_large")
            if not self.hub.blob(sha256).exists():
                self.hub.part(sha256).touch()
            if not self.hub.offset(sha256) and not self.hub.append(sha256, request.get_data()):
                return _problem(460, "file_differs")
            return self._standing(201, sha256, Location=f"{FILES_PATH}/{upload_id(DEVICE, sha256)}")

    def go_on(self, upload: str) -> Response:
        """Say how much is here, or take more."""
        with self.hub.lock:
            sha256 = next((each for each in self.hub.files if upload_id(DEVICE, each) == upload), None)
            if sha256 is None or not self._is_begun(sha256):
                return _problem(404, "file_unwanted")
            if request.method == "HEAD":
                return self._standing(200, sha256)
            refusal = self._refused(sha256) or self._taken(sha256)
            return self._standing(204, sha256) if refusal is None else refusal

    def _is_begun(self, sha256: str) -> bool:
        if self.hub.in_mood("expired"):
            self.hub.part(sha256).unlink(missing_ok=True)
        return self.hub.part(sha256).exists() or self.hub.blob(sha256).exists()

    def _refused(self, sha256: str) -> Response | None:
        if int(request.headers["Upload-Offset"]) != self.hub.offset(sha256):
            return _problem(409, "offset_differs")
        if self.hub.in_mood("file_busy"):
            return _problem(423, "file_busy")
        _, _, digest = request.headers["Upload-Checksum"].partition(" ")
        is_sound = b64decode(digest) == hashlib.sha256(request.get_data()).digest()
        return None if is_sound and not self.hub.in_mood("checksum_differs") else _problem(460, "checksum_differs")

    def _taken(self, sha256: str) -> Response | None:
        is_sound = self.hub.append(sha256, request.get_data()) and not self.hub.in_mood("file_differs")
        return None if is_sound else _problem(460, "file_differs")

    def _standing(self, status: int, sha256: str, **headers: str) -> Response:
        headers["Upload-Offset"] = str(self.hub.offset(sha256))
        return Response(status=status, headers=headers)


def _problem(status: int, code: str, **members: Any) -> Response:
    return Response(json.dumps({"code": code} | members), status, mimetype="application/problem+json")


class _Task(WSGITask):  # type: ignore[misc]
    """Waitress closes the connection after every 204, and each chunk would need a new one: RFC 9112 §9.3 wants none."""

    def set_close_on_finish(self) -> None:
        if self.has_body or self.request.headers.get("CONNECTION", "").lower() == "close":
            super().set_close_on_finish()


class _Channel(HTTPChannel):  # type: ignore[misc]
    task_class = _Task


if __name__ == "__main__":
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    server = create_server(Doors(FileHub(folder)).app(), host="127.0.0.1", port=port, threads=8)
    server.channel_class = _Channel
    sys.stdout.write(f"listens on {server.effective_port}\n")
    sys.stdout.flush()
    server.run()
