"""What docs/decisions/0004-compression.md decided still holds, on words that the dictionary has not seen."""

from collections.abc import Iterator
from random import Random

import pytest

from client_sync.protocol.canonical import canonical
from client_sync.protocol.coding import deflater
from client_sync.protocol.records import check_complaint
from fixtures.generate import random_id
from tests.benchmarks import wire

EVENING = 5


@pytest.fixture(autouse=True)
def _other_prose(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("SEERE_TEST_DATA", raising=False)
    wire._messages.cache_clear()
    yield
    wire._messages.cache_clear()


def test_sealed_contents_are_valid() -> None:
    told = [wire.sealed(content) for content in wire.foreign_contents(1, 100)]
    assert [finding for content in told if (finding := check_complaint(content))] == []
    assert all("box" in content["identity"] for content in told if "identity" in content)


def test_sealing_names_and_traces_to_three_readers_weighs_no_more_than_was_allowed() -> None:
    # 800 bytes is what the smallest links can bear (decision 0010).
    assert 0 < wire.sealing_bytes(EVENING, "zstd")["identity_and_traces"] <= 800


def test_dictionary_saves_15_percent_of_an_evening_of_sealed_complaints() -> None:
    rng = Random(2)
    lines = [
        canonical({"content": wire.sealed(content), "id": random_id(rng), "op": "complaint", "seq": seq})
        for seq, content in enumerate(wire.foreign_contents(2, 200), 1)
    ]
    gzip = wire.bytes_per_record(lines, EVENING, lambda: deflater("gzip"))
    zstd = wire.bytes_per_record(lines, EVENING, lambda: deflater("zstd"))
    assert zstd <= 0.85 * gzip
