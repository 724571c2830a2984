"""Images: what the disk of a hub gives away, by every key that lies on it, and once its own credential was opened."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from typing import Final

from nacl.public import PrivateKey
from sqlcipher3 import dbapi2 as sqlcipher

from client_sync.protocol.boxes import read_boxes
from client_sync.protocol.canonical import Unreadable, parse
from client_sync.protocol.frames import from_text
from client_sync.protocol.keyring import key_id
from client_sync.seal import Binding, Unopenable, open_envelope, open_part, open_record_key
from server.credential import Secrets
from server.domain.matching.profiles import pack_profile
from server.services.duplicates.features import Features
from server.store import dialect
from tests.benchmarks.canaries import tables_into
from tests.benchmarks.harness import Void

# A key as it may be written: 32 bytes in hexadecimal digits, or in base64 of either alphabet.
_WRITTEN: Final = re.compile(rb"(?<![0-9A-Fa-f])([0-9A-Fa-f]{64})(?![0-9A-Fa-f])|(?<![\w+/-])([\w+/-]{43})(?![\w+/-])")
_KEY_BYTES: Final = 32


def keys_in(folder: Path) -> set[bytes]:
    """Whatever in the files under the folder may be a key of 32 bytes: a whole file, or as text."""
    found: set[bytes] = set()
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            found.update(_written(data), [data] if len(data) == _KEY_BYTES else [])
    return found


def open_databases(folder: Path, keys: Iterable[bytes], into: Path) -> int:
    """Write what is in each database under the folder that one of the keys opens; gives how many opened."""
    tried = [(path, key) for path in sorted(folder.rglob("*.db")) for key in keys]
    for path, key in tried:
        with suppress(sqlcipher.DatabaseError):
            tables_into(path, key, into / str(len(list(into.iterdir()))))
    return len(list(into.iterdir()))


def open_hub(folder: Path, secrets: Secrets, into: Path) -> None:
    """Write what somebody reads who has the data folder of a hub and its opened credential, into a new folder.

    `tables`: every value of every table; `boxes`: the compartments that a secret, or a key in the tables, opens;
    `linkage`: linkages that the matcher left; `profiles`: what it made of the others. Raises Void without any.
    """
    tables_into(folder / "hub.db", secrets.database, into / "tables")
    keys = {key_id(bytes(PrivateKey(key).public_key)): key for key in {*astuple(secrets), *keys_in(into / "tables")}}
    connection = dialect.open_sqlite(folder / "hub.db", secrets.database)
    try:
        boxes = b"\n".join(_opened_boxes(_sealed_lines(connection), keys))
        pending = [from_text(box) for (box,) in connection.execute("SELECT box FROM linkage_pending")]
        sealed = list(connection.execute("SELECT complaint, features FROM match_profile"))
    finally:
        connection.close()
    linkage = b"\n".join(open_envelope(box, secrets.linkage) for box in pending)
    features = Features(secrets.pepper)
    made = [pack_profile(profile) for each in sealed if (profile := features.open(*each)) is not None]
    if not made:
        raise Void("the matcher made nothing of any complaint")
    for name, opened in (("boxes", boxes), ("linkage", linkage), ("profiles", b"\n".join(made))):
        (into / name).mkdir()
        (into / name / "opened").write_bytes(opened)


def _written(data: bytes) -> Iterator[bytes]:
    for digits, letters in _WRITTEN.findall(data):
        key = bytes.fromhex(digits.decode()) if digits else from_text(letters.decode().translate(_URL_SAFE))
        if len(key) == _KEY_BYTES:
            yield key


def _sealed_lines(connection: sqlcipher.Connection) -> list[tuple[str, str, bytes]]:
    """Lineage, id and bytes of all that may hold boxes."""
    select = (
        "SELECT lineage, client_id, line FROM received UNION ALL SELECT lineage, client_id, payload FROM quarantine"
    )
    return list(connection.execute(select))


def _opened_boxes(lines: Iterable[tuple[str, str, bytes]], keys: dict[str, bytes]) -> Iterator[bytes]:
    for lineage, id, line in lines:
        with suppress(Unreadable):
            value = parse(line)
            sealed = read_boxes(value.get("content", value))
            for kid in sealed.keys.keys() & keys.keys():
                with suppress(Unopenable):
                    record_key = open_record_key(sealed.keys[kid], keys[kid])
                    for name, box in sealed.boxes.items():
                        yield open_part(box, record_key, name, Binding(id, lineage))


_URL_SAFE: Final = str.maketrans("+/", "-_")
