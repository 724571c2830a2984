"""tuspy, as its own page has it: upload one file, and go on where an earlier process was cut.

`URL HEADERS FILE SHA256 STORE CHUNK_BYTES`, headers as JSON; ends with 1 when it was cut.
"""

import json
import sys

from tusclient.client import TusClient
from tusclient.storage import filestorage


def main(url: str, headers: str, file: str, sha256: str, store: str, chunk_bytes: str) -> None:
    """Upload all of it."""
    client = TusClient(url, headers=json.loads(headers))
    storage = filestorage.FileStorage(store)
    uploader = client.uploader(
        file, chunk_size=int(chunk_bytes), metadata={"sha256": sha256}, store_url=True, url_storage=storage
    )
    uploader.upload()


if __name__ == "__main__":
    main(*sys.argv[1:])
