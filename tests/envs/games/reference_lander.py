"""A second Lander, written from the description: places and forces are complex numbers, turns are multiplications.

It shares no code and no numbers with the game; only ground and start are copied from a record.
"""

import cmath

import numpy as np

DT, GRAVITY = 1 / 25, 1.62
FEET = np.array([-0.8 - 0.8j, 0.8 - 0.8j])
HULL = np.array([-0.6 - 0.35j, 0.6 - 0.35j, 0.45 + 0.5j, -0.45 + 0.5j])
ENGINES = {  # action: push as seen from the craft, turn, cost
    "noop": (0, 0, 0),
    "left_engine": (0.4, -1.2, 0.03),
    "main_engine": (4.5j, 0, 0.3),
    "right_engine": (-0.4, 1.2, 0.03),
}


class ReferenceLander:
    def __init__(self, record):
        self.place = complex(record["x"], record["y"])
        self.velocity = complex(record["velocity_x"], record["velocity_y"])
        self.angle, self.spin = float(record["angle"]), float(record["spin"])
        self.ground = np.array(record["ground"])
        self.touching = np.array([bool(record["left_leg"]), bool(record["right_leg"])])
        self.merit, self.broken = self.worth(), False

    def height(self, x):
        return np.interp(x, np.arange(len(self.ground)), self.ground)

    def worth(self):
        off = self.place - (10 + 3.8j)
        return -100 * (abs(off) / 10 + abs(self.velocity) / 5 + abs(self.angle)) + 10 * self.touching.sum()

    def step(self, action):
        """One step -> (reward, terminated)."""
        upright = cmath.exp(1j * self.angle)
        push, turn, cost = ENGINES[action]
        arms = FEET * upright
        feet = self.place + arms
        speed = self.velocity + 1j * self.spin * arms
        depth = self.height(feet.real) - feet.imag
        up = np.where(depth > 0, np.maximum(60 * depth - 6 * speed.imag, 0), 0)
        aside = np.clip(-8 * speed.real, -0.8 * up, 0.8 * up)
        force = aside + 1j * up
        self.broken = bool(np.any((depth > 0) & (speed.imag < -2)))  # a leg
        self.touching = up > 0

        self.velocity += DT * (push * upright - 1j * GRAVITY + force.sum())
        self.spin += DT * (turn + (arms.conjugate() * force).imag.sum() / 0.5)
        self.place += DT * self.velocity
        self.angle += DT * self.spin

        corners = self.place + HULL * cmath.exp(1j * self.angle)
        inside = 0 <= self.place.real <= 20 and self.place.imag <= 14
        if self.broken or not inside or np.any(corners.imag < self.height(corners.real)):
            return -100, True
        if self.touching.all() and max(abs(self.velocity.real), abs(self.velocity.imag), abs(self.spin)) < 0.1:
            return 100, True
        before, self.merit = self.merit, self.worth()
        return self.merit - before - cost, False

    def observation(self):
        off = (self.place - (10 + 3.8j)) / 10
        clearance = (self.place.imag - 0.8 - self.height(self.place.real)) / 10
        velocity = self.velocity / 5
        return np.array([
            off.real, off.imag, velocity.real, velocity.imag, self.angle, self.spin, *self.touching, clearance,
        ])  # fmt: skip
