"""What a query's answer is made of, from an engine that orders ties as it likes."""

from __future__ import annotations

from collections.abc import Callable

from lookalike.services.ports import VectorQuery
from lookalike.services.records import Hit


def page(query: VectorQuery, ask: Callable[[int], list[Hit]]) -> list[Hit]:
    """What a VectorCollection answers. `ask` gives the best so many hits, ties in any order.

    Minds `without`, `min_score`, `limit`, `offset` and the order of ties, which `ask` does not.
    """
    if query.limit < 1:
        return []
    best = _best(query, query.offset + query.limit, ask)
    if query.min_score is not None:
        best = [hit for hit in best if hit.score >= query.min_score]
    return best[query.offset : query.offset + query.limit]


def _best(query: VectorQuery, count: int, ask: Callable[[int], list[Hit]]) -> list[Hit]:
    """The best `count` and all that tie with the last of them, in order.

    The engine is asked for more until a lower score shows up.
    """
    asked = count + len(query.without) + 1
    while True:
        found = ask(asked)
        hits = [hit for hit in found if hit.id not in query.without]
        if len(found) < asked or hits[count - 1].score > hits[-1].score:
            return sorted(hits, key=lambda hit: (-hit.score, hit.id))
        asked *= 2
