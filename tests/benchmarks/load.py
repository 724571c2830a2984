"""Load: signed bodies made beforehand, sent by clients that keep their connection, and every answer looked at."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import batched, islice
from random import Random
from threading import Barrier
from typing import Any, Final, Self

from client_sync.protocol.canonical import canonical
from fixtures.generate import contents, random_id
from tests.benchmarks.harness import SYNC, Address, Sender, Void

BATCH: Final = 100
_SEED: Final = 20_261_121
# Told anew this often: enough that no two of a batch are alike.
_STORIES: Final = 2_000
_ANSWER_PATIENCE_S: Final = 60
