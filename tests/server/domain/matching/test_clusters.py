"""Clusters: strongest first, never across a rejected pair, and the weakest joint is named."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from server.domain.matching.clusters import Cluster, Edge, cluster_of

_IDS = range(1, 9)
_PAIRS = st.tuples(st.sampled_from(_IDS), st.sampled_from(_IDS)).filter(lambda pair: pair[0] < pair[1])


def edge(a: int, b: int, weight: float = 5.0, *, is_confirmed: bool = False, link: int = 0) -> Edge:
    return Edge(link or 100 * a + b, a, b, is_confirmed, weight)


def test_chain_is_one_cluster_with_its_weakest_joint() -> None:
    cluster = cluster_of(1, [edge(1, 2, 9.0), edge(2, 3, 4.0), edge(3, 4, 7.0), edge(1, 3, 3.0)], [])
    assert cluster.members == (1, 2, 3, 4)
    assert cluster.confirmed == (1,)
    assert cluster.weakest == edge(2, 3, 4.0)
    assert [each.weight for each in cluster.edges] == [9.0, 7.0, 4.0, 3.0]


def test_rejected_pair_keeps_a_long_chain_apart_at_its_weakest_edge() -> None:
    chain = [edge(1, 2, 9.0), edge(2, 3, 8.0), edge(3, 4, 2.0), edge(4, 5, 7.0)]
    cluster = cluster_of(1, chain, [(1, 5)])
    assert (cluster.members, cluster.barred) == ((1, 2, 3), (edge(3, 4, 2.0),))
    assert cluster_of(5, chain, [(1, 5)]).members == (4, 5)


def test_confirmed_edge_joins_before_a_heavier_proposal() -> None:
    edges = [edge(1, 2, 1.0, is_confirmed=True), edge(2, 3, 30.0)]
    cluster = cluster_of(2, edges, [(1, 3)])
    assert (cluster.members, cluster.confirmed) == ((1, 2), (1, 2))


def test_words_that_contradict_each_other_leave_out_the_weaker_joint() -> None:
    edges = [edge(1, 2, 9.0, is_confirmed=True), edge(2, 3, 8.0, is_confirmed=True)]
    cluster = cluster_of(3, edges, [(1, 3)])
    assert (cluster.members, cluster.barred) == ((3,), (edges[1],))


def test_complaint_without_an_edge_is_alone() -> None:
    assert cluster_of(7, [edge(1, 2)], []) == Cluster((7,), (7,), (), None, ())


_EDGES = st.lists(
    st.builds(
        lambda pair, weight, is_confirmed: edge(*pair, float(weight), is_confirmed=is_confirmed),
        _PAIRS,
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=20,
    unique_by=lambda each: each.link,
)


@given(edges=_EDGES, apart=st.sets(_PAIRS, max_size=6), data=st.data())
def test_no_cluster_holds_a_rejected_pair_and_all_members_agree_on_it(
    edges: list[Edge], apart: set[tuple[int, int]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(edges))
    for id in _IDS:
        cluster = cluster_of(id, edges, apart)
        assert cluster == cluster_of(id, shuffled, sorted(apart, reverse=True))
        assert not any({a, b} <= set(cluster.members) for a, b in apart)
        assert {cluster_of(other, edges, apart).members for other in cluster.members} == {cluster.members}
        assert set(cluster.confirmed) <= set(cluster.members)


@given(edges=_EDGES)
def test_with_nothing_rejected_a_cluster_is_all_that_can_be_reached(edges: list[Edge]) -> None:
    reached, todo = {1}, deque([1])
    while todo:
        at = todo.popleft()
        near = {each.b if each.a == at else each.a for each in edges if at in (each.a, each.b)}
        todo.extend(near - reached)
        reached |= near
    assert set(cluster_of(1, edges, []).members) == reached
