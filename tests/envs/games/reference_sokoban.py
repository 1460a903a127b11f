"""Sokoban solved by search over pushes, with its own idea of the rules: no code of the game is used."""

from __future__ import annotations

import heapq
from itertools import count

import numpy as np

WAYS = {1: (-1, 0), 2: (0, 1), 3: (1, 0), 4: (0, -1)}  # the game's actions


def solve(
    walls: np.ndarray, targets: np.ndarray, crates: np.ndarray, keeper: tuple[int, int], budget: int
) -> list[int] | None:
    """Actions that solve a level, or None if the budget of positions runs out or there is no solution."""
    free = {tuple(cell) for cell in np.argwhere(~walls).tolist()}
    goals = frozenset(tuple(cell) for cell in np.argwhere(targets).tolist())
    start = frozenset(tuple(cell) for cell in np.argwhere(crates).tolist())
    distance = push_distances(free, goals)
    ticket, seen = count(), {(start, area(free - start, keeper)[0])}
    queue = [(0, next(ticket), start, keeper, None)]
    while queue and budget:
        budget -= 1
        _, _, boxes, man, path = heapq.heappop(queue)
        if boxes == goals:
            return spell(free, path)
        ground = area(free - boxes, man)[1]
        for box in boxes:
            for action, (down, right) in WAYS.items():
                behind, ahead = (box[0] - down, box[1] - right), (box[0] + down, box[1] + right)
                if behind not in ground or ahead not in distance or ahead in boxes:
                    continue
                after = boxes - {box} | {ahead}
                key = (after, area(free - after, box)[0])
                if key not in seen:
                    seen.add(key)
                    # greedy: any solution will do, and short ones come soon
                    guess = sum(distance[cell] for cell in after)
                    heapq.heappush(queue, (guess, next(ticket), after, box, (path, boxes, man, behind, action)))
    return None


def push_distances(free, goals):
    """Pushes that a lone crate is away from the nearest target; cells from which it never gets to one are left out."""
    distance, wave = dict.fromkeys(goals, 0), list(goals)
    for row, col in wave:
        for down, right in WAYS.values():
            before, keeper = (row - down, col - right), (row - 2 * down, col - 2 * right)
            if before in free and keeper in free and before not in distance:
                distance[before] = distance[row, col] + 1
                wave.append(before)
    return distance


def area(ground, start):
    """All cells that can be walked to, and the least of them as a name for the area."""
    reached, wave = {start}, [start]
    for row, col in wave:
        for down, right in WAYS.values():
            cell = (row + down, col + right)
            if cell in ground and cell not in reached:
                reached.add(cell)
                wave.append(cell)
    return min(reached), reached


def walk(ground, start, end):
    """Actions of a shortest way."""
    came, wave = {start: ()}, [start]
    for row, col in wave:
        for action, (down, right) in WAYS.items():
            cell = (row + down, col + right)
            if cell in ground and cell not in came:
                came[cell] = (*came[row, col], action)
                wave.append(cell)
    return came[end]


def spell(free, path):
    """All steps of a chain of pushes."""
    pushes = []
    while path:
        path, *push = path
        pushes.append(push)
    return [
        step for boxes, man, behind, action in reversed(pushes) for step in (*walk(free - boxes, man, behind), action)
    ]
