"""Bomber's rules once more, with sets and dictionaries of cells."""

import numpy as np

from ludus.envs.games.bomber import PLANES

SIZE, FUSE = 11, 6
NOOP, UP, RIGHT, DOWN, LEFT, BOMB = range(6)
WAYS = {UP: (-1, 0), RIGHT: (0, 1), DOWN: (1, 0), LEFT: (0, -1)}
FLOOR, PILLAR, CRATE, LONGER, EXTRA = range(5)


class Reference:
    """The rules once more, with sets and dictionaries of cells; what a crate leaves behind is read from the game."""

    def __init__(self, record, players):
        ground = {(row, col): int(record["ground"][row, col]) for row in range(SIZE) for col in range(SIZE)}
        self.pillars = {at for at, kind in ground.items() if kind == PILLAR}
        self.crates = {at for at, kind in ground.items() if kind == CRATE}
        self.arena, self.upgrades, self.bombs, self.blast = set(ground), {}, {}, set()
        self.players = {
            k: {"at": (int(record["row"][k]), int(record["col"][k])), "reach": 2, "bombs": 1} for k in range(players)
        }
        self.seats, self.chains, self.broken = players, 0, 0

    def step(self, actions, ground):
        solid = self.pillars | self.crates | set(self.bombs)
        for number, player in self.players.items():
            down, right = WAYS.get(int(actions[number]), (0, 0))
            there = (player["at"][0] + down, player["at"][1] + right)
            if there in self.arena and there not in solid:
                player["at"] = there
        for player in self.players.values():
            kind = self.upgrades.get(player["at"])
            player["reach"] = min(player["reach"] + (kind == LONGER), 4)
            player["bombs"] = min(player["bombs"] + (kind == EXTRA), 2)
        for player in self.players.values():
            self.upgrades.pop(player["at"], None)

        for bomb in self.bombs.values():
            bomb["fuse"] -= 1
        exploding = {at for at, bomb in self.bombs.items() if bomb["fuse"] == 0}
        by_itself, self.blast = len(exploding), set()
        while True:
            self.blast = set().union(*(self.rays(at, self.bombs[at]["reach"]) for at in exploding))
            lit = self.blast & set(self.bombs)
            if lit == exploding:
                break
            exploding |= lit
        self.chains += len(exploding) > by_itself
        self.bombs = {at: bomb for at, bomb in self.bombs.items() if at not in exploding}
        destroyed = self.crates & self.blast
        self.broken += len(destroyed)
        self.crates -= destroyed
        self.upgrades = {at: kind for at, kind in self.upgrades.items() if at not in self.blast}
        self.upgrades |= {at: int(ground[at]) for at in destroyed if ground[at] in (LONGER, EXTRA)}

        alive = {number: player for number, player in self.players.items() if player["at"] not in self.blast}
        rewards = [-1.0 if k in self.players and k not in alive and alive else 0.0 for k in range(self.seats)]
        if len(alive) == 1:
            rewards[next(iter(alive))] = 1.0
        self.players = alive
        for number, player in alive.items():
            if actions[number] == BOMB and player["at"] not in self.bombs and self.left(number) > 0:
                self.bombs[player["at"]] = {"owner": number, "fuse": FUSE, "reach": player["reach"]}
        return rewards, len(alive) <= 1

    def left(self, number):
        return self.players[number]["bombs"] - sum(bomb["owner"] == number for bomb in self.bombs.values())

    def rays(self, at, reach):
        cells = {at}
        for down, right in WAYS.values():
            for k in range(1, reach + 1):
                cell = (at[0] + k * down, at[1] + k * right)
                if cell not in self.arena - self.pillars:
                    break
                cells.add(cell)
                if cell in self.crates:
                    break
        return cells

    def planes(self, viewer):
        cells = {name: set() for name in PLANES}
        cells["pillar"], cells["crate"], cells["blast"] = self.pillars, self.crates, self.blast
        for name, kind in (("longer", LONGER), ("extra", EXTRA)):
            cells[name] = {at for at, lying in self.upgrades.items() if lying == kind}
        cells["floor"] = self.arena - self.pillars - self.crates - set(self.upgrades)
        for number, player in self.players.items():
            names = ["me" if number == viewer else "others", *["one_bomb", "two_bombs"][: self.left(number)]]
            for name in [*names, *["reach_3", "reach_4"][: player["reach"] - 2]]:
                cells[name].add(player["at"])
        for at, bomb in self.bombs.items():
            names = ["bomb", *["bomb_3", "bomb_4"][: bomb["reach"] - 2]]
            for name in [*names, *[f"fuse_{n}" for n in range(bomb["fuse"], FUSE)]]:
                cells[name].add(at)
        planes = np.zeros((SIZE, SIZE, len(PLANES)), np.uint8)
        for k, name in enumerate(PLANES):
            for at in cells[name]:
                planes[(*at, k)] = 1
        return planes
