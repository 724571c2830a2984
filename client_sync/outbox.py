"""The outbox: finished operations until the hub has them for good, and how far device and hub have come.

It works while the vault is locked. What was finalised cannot be read back through it: a person gets the state
of a record and the code of what is wrong with it, the wire gets its line.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final, Literal, Self
from uuid import uuid4

from nacl.public import PrivateKey
from nacl.signing import SigningKey
from sqlite_utils import Database, Migrations

from client_sync.answers import FrameReport, HubAnswer, Verdict
from client_sync.errors import AlreadyEnrolled, ContentRefused, LineageDiffers, NotEnrolled, RecordUnknown
from client_sync.protocol.canonical import Unreadable, canonical, is_id, read_operation
from client_sync.protocol.codes import AT_THE_CENTRE, REJECTED
from client_sync.protocol.enrolment import fingerprint
from client_sync.protocol.frames import Header, encode_frame, frame_digest
from client_sync.protocol.limits import FRAME_RECORDS_MAX
from client_sync.stores import Folder, machine_key, open_encrypted, writing
from client_sync.vault import Reply, Vault, seal_for_vault

State = Literal["here", "sending", "at_centre", "kept_aside", "rejected"]

BODY_FIRST_BYTES: Final = 64 * 2**10
# What complaints weigh when nothing was measured yet: compressed size over size.
_FIRST_RATIO: Final = 0.3
_IDS_A_QUERY: Final = 500
