"""From pairs to groups, without one accidental pair gluing two large groups together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from datasets.near import NEIGHBOURS, Pairs

_SUPPORT = 0.2  # share of the pairs between two groups that must have been found before the groups become one


def link(count: int, certain: Iterable[Sequence[int]], pairs: Pairs, scores: Sequence[float]) -> list[int]:
    """Return the group number of each of `count` images, numbered by first appearance.

    certain: index lists that belong together whatever the rest says. pairs: found pairs (n, 2), joined from the highest
    score down. Two groups join when a fifth of the pairs between them were found (of those that could be found at all,
    each image being compared with a limited number), so that a chain of single links does not join what is different.
    """
    group_of = list(range(count))
    members: dict[int, list[int]] = {k: [k] for k in range(count)}
    links: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
    for first, second in pairs.tolist():
        links[first][second] += 1
        links[second][first] += 1

    def join(a: int, b: int) -> None:
        keep, drop = (a, b) if len(members[a]) >= len(members[b]) else (b, a)
        for image in members[drop]:
            group_of[image] = keep
        members[keep] += members.pop(drop)
        for other, number in links.pop(drop, {}).items():
            links[other].pop(drop, None)
            if other != keep:
                links[keep][other] += number
                links[other][keep] += number

    for together in certain:
        for image in together[1:]:
            if group_of[image] != group_of[together[0]]:
                join(group_of[together[0]], group_of[image])
    waiting = [pairs[k].tolist() for k in np.argsort(-np.asarray(scores, np.float64), kind="stable")]
    while True:
        postponed = []
        for first, second in waiting:
            a, b = group_of[first], group_of[second]
            if a == b:
                continue
            possible = min(len(members[a]), NEIGHBOURS) * min(len(members[b]), NEIGHBOURS)
            if links[a][b] >= _SUPPORT * possible:
                join(a, b)
            else:
                postponed.append((first, second))
        if len(postponed) == len(waiting):
            break
        waiting = postponed
    numbers: dict[int, int] = {}
    return [numbers.setdefault(group, len(numbers)) for group in group_of]
