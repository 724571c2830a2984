"""A hub as small as PROTOCOL §9 allows, in a process of its own: it files what it hears and takes in files.

All it knows lies in its folder, so that it can be killed and started again: `complaints.json`, parts under `parts`,
whole files under `blobs`, and one line a request in `requests`.
"""

import hashlib
import json
import os
import sys
from base64 import b64decode
from pathlib import Path
from threading import Lock
from typing import Any

from flask import Flask, Response, request
from waitress import create_server

from client_sync.protocol.coding import inflate
from client_sync.protocol.frames import Frame, read_frames
from client_sync.protocol.uploads import FILES_PATH, turn, upload_id
from tests.client_sync.builders import DEVICE, EPOCH


class FileHub:
    """What it knows, and what it says.."""

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


def made(hub: FileHub) -> Flask:
    """Its doors."""
    app = Flask(__name__)

    @app.before_request
    def note() -> Response | None:
        request.get_data()
        with hub.lock, (hub.folder / "requests").open("a") as requests:
            size = len(request.get_data())
            requests.write(f"{request.method} {request.path} {request.headers.get('Upload-Offset', '-')} {size}\n")
        for mood, status in (("storage_full", 507), ("device_revoked", 403), ("file_busy", 423)):
            if request.path.startswith(FILES_PATH) and hub.in_mood(mood):
                return problem(status, mood, **({"retry_after_s": 300} if status == 507 else {}))
        return None

    @app.post("/api/v1/sync")
    def sync() -> Response:
        body = inflate(request.get_data(), request.headers["Content-Encoding"], request.headers["Seere-Dictionary"])
        frames = list(read_frames(body.data))
        with hub.lock:
            hub.file(frames)
            members: dict[str, Any] = {"now": "2026-11-21T10:00:00Z", "epoch": EPOCH, "position": len(frames)}
            members["frames"] = [{"frame": f.header.frame, "n": len(f.lines)} for f in frames if f.lines]
            seen = int(frames[0].header.cursor or 0)
            changes = [change for change in hub.changes() if change["n"] > seen]
            if changes:
                members |= {"changes": changes, "cursor": str(changes[-1]["n"])}
            if frames[0].header.files or any(frame.lines for frame in frames):
                members["need"] = hub.need()
        return Response(json.dumps(members), mimetype="application/json")

    @app.post(FILES_PATH)
    def begin() -> Response:
        name, _, value = request.headers["Upload-Metadata"].partition(" ")
        sha256 = b64decode(value).decode()
        with hub.lock:
            declared = hub.files.get(sha256)
            if name != "sha256" or declared is None or hub.in_mood("file_unwanted"):
                return problem(404, "file_unwanted")
            if int(request.headers["Upload-Length"]) != declared["size"] or hub.in_mood("file_too_large"):
                return problem(413, "file_too_large")
            hub.part(sha256).touch()
            if not hub.offset(sha256) and not hub.append(sha256, request.get_data()):
                return problem(460, "file_differs")
            headers = {"Location": f"{FILES_PATH}/{upload_id(DEVICE, sha256)}"}
            return standing(201, sha256, headers)

    @app.route(f"{FILES_PATH}/<upload>", methods=["HEAD", "PATCH"])
    def go_on(upload: str) -> Response:
        with hub.lock:
            sha256 = next((each for each in hub.files if upload_id(DEVICE, each) == upload), "")
            begun = sha256 and (hub.part(sha256).exists() or hub.blob(sha256).exists())
            if not begun or hub.in_mood("expired"):
                if sha256:
                    hub.part(sha256).unlink(missing_ok=True)
                return problem(404, "file_unwanted")
            if request.method == "HEAD":
                return standing(200, sha256, {"Upload-Length": str(hub.files[sha256]["size"])})
            if int(request.headers["Upload-Offset"]) != hub.offset(sha256):
                return problem(409, "offset_differs")
            data = request.get_data()
            sums = request.headers["Upload-Checksum"].split(" ")
            if b64decode(sums[1]) != hashlib.sha256(data).digest() or hub.in_mood("checksum_differs"):
                return problem(460, "checksum_differs")
            if not hub.append(sha256, data) or hub.in_mood("file_differs"):
                return problem(460, "file_differs")
            return standing(204, sha256, {})

    def standing(status: int, sha256: str, headers: dict[str, str]) -> Response:
        return Response(status=status, headers=headers | {"Upload-Offset": str(hub.offset(sha256))})

    def problem(status: int, code: str, **members: Any) -> Response:
        return Response(json.dumps({"code": code} | members), status, mimetype="application/problem+json")

    return app


if __name__ == "__main__":
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    server = create_server(made(FileHub(folder)), host="127.0.0.1", port=port, threads=8)
    sys.stdout.write(f"listens on {server.effective_port}\n")
    sys.stdout.flush()
    server.run()
