"""Declaring: complaints with sealed files, as a device that the figures speak for sends them."""

from collections.abc import Sequence
from random import Random

from client_sync.protocol.canonical import canonical
from client_sync.protocol.frames import to_text
from fixtures.generate import random_id
from tests.benchmarks.handset import photo
from tests.benchmarks.harness import Address, Sender
from tests.benchmarks.load import Caller, require_all_stored, sealed_content
from tests.benchmarks.wire import foreign_contents
from tests.evidence_work import SealedFile, seal_up


def photo_file(size: int, seed: int) -> SealedFile:
    """A photo of so many bytes, sealed."""
    return seal_up(photo(size, seed))


def declare(address: Address, sender: Sender, files: Sequence[SealedFile], rng: Random) -> None:
    """Send one complaint with these files, so that the hub wants them. Raises Void when it is not newly stored."""
    [content] = foreign_contents(rng.randrange(2**32), 1)
    content["facts"]["clear"]["files"] = [each.declared for each in files]
    traces = content.setdefault("traces", {"clear": {}})
    traces["clear"]["media_keys"] = {each.sha256: to_text(each.key) for each in files}
    id = random_id(rng)
    line = canonical({"content": sealed_content(id, content), "id": id, "op": "complaint", "seq": 1})
    with Caller(address, sender) as caller:
        require_all_stored(*caller.send(sender.body([line])), 1)
