"""Chunks: as large as the link bears, and never so large that a cut costs much."""

import pytest

from client_sync.uploads import CHUNK_FIRST_BYTES, CHUNK_LEAST_BYTES, ChunkSize

KILOBYTES = 2**10


@pytest.mark.parametrize(
    ("took", "sizes"),
    [
        ([0.1] * 5, [64, 128, 256, 256, 256]),
        ([4.0] * 3, [64, 64, 64]),
        ([9.0] * 3, [32, 32, 32]),
        ([13.0] * 4, [16, 8, 4, 4]),
        ([0.1, 0.1, 4.0, 13.0, 4.0], [64, 128, 128, 64, 64]),
    ],
)
def test_chunks_grow_while_they_are_quick_and_stay_within_the_stall_limit(took: list[float], sizes: list[int]) -> None:
    chunk, became = ChunkSize(), []
    for seconds in took:
        chunk.note_arrived(chunk.bytes, seconds)
        became.append(chunk.bytes // KILOBYTES)
    assert became == sizes


def test_on_a_slow_link_the_chunks_of_two_files_are_together_no_larger_than_that_of_one() -> None:
    chunk, became = ChunkSize(), []
    for took_s, at_once in ((5.0, 1), (9.0, 2), (5.0, 2), (5.0, 1), (0.5, 2)):
        chunk.note_arrived(chunk.bytes, took_s, at_once)
        became.append(chunk.bytes // KILOBYTES)
    assert became == [64, 32, 32, 64, 128]


def test_a_cut_halves_a_chunk_and_the_rest_of_a_file_says_nothing() -> None:
    chunk = ChunkSize()
    chunk.note_arrived(100, 0.01)
    assert chunk.bytes == CHUNK_FIRST_BYTES
    for _ in range(10):
        chunk.note_cut()
    assert chunk.bytes == CHUNK_LEAST_BYTES
