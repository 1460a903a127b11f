"""Acrobot: pump the joint between two hanging links until the lower end swings above the line.

Description
    Two links of one metre each hang from a fixed point. Only the joint between them has a motor, and it is too weak to lift
    them in one go. A step is a fifth of a second, integrated by one step of the classical Runge-Kutta method.

Actions
    0 left, 1 noop, 2 right: a torque of -1, 0 or +1 newton metre on the lower link.

Observation
    Features: `cos_theta_1`, `sin_theta_1`, the angle of the upper link from hanging straight down; `cos_theta_2`,
    `sin_theta_2`, the angle of the lower link from the upper one's line; `velocity_1`, `velocity_2`, the angles' velocities
    per second, at most 4 pi and 9 pi.

Start
    Both angles and both velocities are drawn evenly from -0.1 to 0.1.

Reward
    -1 for each step, 0 for the last one.

Termination
    The lower end is more than one metre above the fixed point.

Truncation
    None, unless `max_episode_steps` is given; Gymnasium's Acrobot-v1 ends after 500.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    Sutton 1996, "Generalization in reinforcement learning: Successful examples using sparse coarse coding", in the form of
    Sutton & Barto 1998 (the "book" equations) and with the numbers of Gymnasium 1.3.0, Acrobot-v1.

Version history
    1: first release.
"""

from ..canvas import blend, disc, fill, line, rect
from ..exact import cos, sin
from ..game import Game, state
from ..rng import uniform

PI = 3.141592653589793
TIME_STEP = 0.2
GRAVITY = 9.8
FASTEST_1, FASTEST_2 = 4.0 * PI, 9.0 * PI
LEFT, NOOP, RIGHT = range(3)
# Both links have length, mass and moment of inertia 1, and their centres of mass in the middle.
CENTRE = 0.5

State = state(
    theta_1="f8",
    theta_2="f8",
    velocity_1="f8",
    velocity_2="f8",
    sine_1="f8",  # of the angles; kept, since what is seen, the end and the next step begin with them
    cosine_1="f8",
    sine_2="f8",
    cosine_2="f8",
)


def reset(s, random):
    theta_1, theta_2 = uniform(random) * 0.2 - 0.1, uniform(random) * 0.2 - 0.1
    place(s, theta_1, theta_2)
    s.velocity_1 = uniform(random) * 0.2 - 0.1
    s.velocity_2 = uniform(random) * 0.2 - 0.1


def place(s, theta_1, theta_2):
    s.theta_1, s.sine_1, s.cosine_1 = theta_1, sin(theta_1), cos(theta_1)
    s.theta_2, s.sine_2, s.cosine_2 = theta_2, sin(theta_2), cos(theta_2)


def step(s, action, random):
    torque, half = action - 1.0, TIME_STEP / 2.0
    t1, t2, v1, v2 = s.theta_1, s.theta_2, s.velocity_1, s.velocity_2
    a1, a2 = equations_of_motion(s.sine_1, s.cosine_1, s.sine_2, s.cosine_2, v1, v2, torque)
    v1_b, v2_b = v1 + half * a1, v2 + half * a2
    b1, b2 = accelerations(t1 + half * v1, t2 + half * v2, v1_b, v2_b, torque)
    v1_c, v2_c = v1 + half * b1, v2 + half * b2
    c1, c2 = accelerations(t1 + half * v1_b, t2 + half * v2_b, v1_c, v2_c, torque)
    v1_d, v2_d = v1 + TIME_STEP * c1, v2 + TIME_STEP * c2
    d1, d2 = accelerations(t1 + TIME_STEP * v1_c, t2 + TIME_STEP * v2_c, v1_d, v2_d, torque)

    sixth = TIME_STEP / 6.0
    t1 = wrapped(t1 + sixth * (v1 + 2.0 * v1_b + 2.0 * v1_c + v1_d))
    t2 = wrapped(t2 + sixth * (v2 + 2.0 * v2_b + 2.0 * v2_c + v2_d))
    place(s, t1, t2)
    s.velocity_1 = bounded(v1 + sixth * (a1 + 2.0 * b1 + 2.0 * c1 + d1), FASTEST_1)
    s.velocity_2 = bounded(v2 + sixth * (a2 + 2.0 * b2 + 2.0 * c2 + d2), FASTEST_2)
    cosine_of_both = s.cosine_1 * s.cosine_2 - s.sine_1 * s.sine_2
    swung_up = -s.cosine_1 - cosine_of_both > 1.0
    return 0.0 if swung_up else -1.0, swung_up


def accelerations(theta_1, theta_2, velocity_1, velocity_2, torque):
    """Of both angles."""
    sine_1, cosine_1, sine_2, cosine_2 = sin(theta_1), cos(theta_1), sin(theta_2), cos(theta_2)
    return equations_of_motion(sine_1, cosine_1, sine_2, cosine_2, velocity_1, velocity_2, torque)


def equations_of_motion(sine_1, cosine_1, sine, cosine, velocity_1, velocity_2, torque):
    """The accelerations by Sutton & Barto's equations, two linear ones, solved by Cramer's rule.

    Their only denominator is known long before the rest, so that nothing waits for a division.
    """
    inertia_1 = 2.0 * CENTRE * CENTRE + 1.0 + 2.0 * CENTRE * cosine + 2.0
    inertia_2 = CENTRE * CENTRE + 1.0
    shared = CENTRE * CENTRE + CENTRE * cosine + 1.0
    scale = 1.0 / (inertia_1 * inertia_2 - shared * shared)
    pull = CENTRE * GRAVITY * (sine_1 * cosine + cosine_1 * sine)  # the sine of both angles together
    force_1 = CENTRE * velocity_2 * (velocity_2 + 2.0 * velocity_1) * sine - (CENTRE + 1.0) * GRAVITY * sine_1 - pull
    force_2 = torque - CENTRE * velocity_1 * velocity_1 * sine - pull
    return (inertia_2 * force_1 - shared * force_2) * scale, (inertia_1 * force_2 - shared * force_1) * scale


def wrapped(angle):
    """The same angle from -pi to pi; a step turns by less than two full turns."""
    while angle > PI:
        angle -= 2.0 * PI
    while angle < -PI:
        angle += 2.0 * PI
    return angle


def bounded(velocity, fastest):
    return min(max(velocity, -fastest), fastest)


def heuristic(s, random):
    """Pump energy in: let the lower link run ahead of the upper one's swing."""
    return RIGHT if s.velocity_1 < 0.0 else LEFT


def observe(s, features):
    features[0], features[1] = s.cosine_1, s.sine_1
    features[2], features[3] = s.cosine_2, s.sine_2
    features[4] = s.velocity_1
    features[5] = s.velocity_2


SIZE, MIDDLE, BANDS = 4.8, 2.4, 24
TOP, BOTTOM = (30, 26, 58), (86, 58, 110)
WALL, MARK, MARK_GLOW = (112, 82, 138), (122, 236, 200), (66, 120, 128)
UPPER, UPPER_LIGHT, LOWER, LOWER_LIGHT = (74, 144, 214), (142, 196, 244), (240, 150, 70), (255, 202, 140)
BOLT, BOLT_DARK, HAND, HAND_LIGHT = (232, 232, 240), (96, 96, 116), (250, 224, 110), (255, 248, 206)


def backdrop(canvas):
    fill(canvas, TOP)
    for band in range(BANDS):
        top = SIZE * band / BANDS
        rect(canvas, 0.0, top, SIZE, SIZE - top, blend(TOP, BOTTOM, band, BANDS))
    for ring in range(2):
        radius = 2.0 - ring
        disc(canvas, MIDDLE, MIDDLE, radius, WALL)
        disc(canvas, MIDDLE, MIDDLE, radius - 0.02, BOTTOM)
    for dash in range(12):
        rect(canvas, dash * 0.4 + 0.08, MIDDLE - 1.04, 0.24, 0.08, MARK_GLOW)
        rect(canvas, dash * 0.4 + 0.08, MIDDLE - 1.02, 0.24, 0.04, MARK)


def draw(s, canvas):
    elbow_x, elbow_y = MIDDLE + s.sine_1, MIDDLE + s.cosine_1
    hand_x, hand_y = elbow_x + sin(s.theta_1 + s.theta_2), elbow_y + cos(s.theta_1 + s.theta_2)
    link(canvas, MIDDLE, MIDDLE, elbow_x, elbow_y, UPPER, UPPER_LIGHT)
    link(canvas, elbow_x, elbow_y, hand_x, hand_y, LOWER, LOWER_LIGHT)
    disc(canvas, MIDDLE, MIDDLE, 0.15, BOLT)
    disc(canvas, MIDDLE, MIDDLE, 0.07, BOLT_DARK)
    disc(canvas, elbow_x, elbow_y, 0.13, BOLT)
    disc(canvas, elbow_x, elbow_y, 0.06, BOLT_DARK)
    disc(canvas, hand_x, hand_y, 0.17, HAND)
    disc(canvas, hand_x - 0.05, hand_y - 0.05, 0.05, HAND_LIGHT)


def link(canvas, x1, y1, x2, y2, color, light):
    """A bar with round ends and a shine along it."""
    line(canvas, x1, y1, x2, y2, 0.2, color)
    disc(canvas, x1, y1, 0.1, color)
    disc(canvas, x2, y2, 0.1, color)
    line(canvas, x1, y1, x2, y2, 0.06, light)


GAME = Game(
    name="Acrobot",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    features=("cos_theta_1", "sin_theta_1", "cos_theta_2", "sin_theta_2", "velocity_1", "velocity_2"),
    actions=("left", "noop", "right"),
    keys={"left": "left", "right": "right", "a": "left", "d": "right"},
    canvas=(SIZE, SIZE),
    fps=15,
)
