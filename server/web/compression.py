"""Pages, style sheets and scripts go down a bad link compressed; frames of devices have a coding of their own."""

from typing import Final

from flask import Flask, Response, request
from flask_compress import Compress

from server.web.cookies import is_of_devices

# Of these alone: an answer to a device is compressed by its protocol, or not at all.
_TYPES: Final = ("text/html", "text/css", "text/javascript", "image/svg+xml", "text/csv", "application/json")
# The best first; over plain http browsers offer the last alone.
_CODINGS: Final = ["br", "zstd", "gzip"]


def register(app: Flask) -> None:
    """Compress what this app answers browsers with."""
    app.config.update(
        COMPRESS_MIMETYPES=list(_TYPES),
        COMPRESS_ALGORITHM=_CODINGS,
        COMPRESS_ALGORITHM_STREAMING=_CODINGS,
        COMPRESS_BR_LEVEL=5,
        COMPRESS_MIN_SIZE=600,
        COMPRESS_REGISTER=False,
    )
    compress = Compress(app)

    def answer(response: Response) -> Response:
        # It would tell devices, too, that pages come in several codings.
        return response if is_of_devices(request.path) else compress.after_request(response)

    app.after_request(answer)
