"""CartPole: push the cart left or right so that the pole on it stays upright.

Description
    A pole is hinged on a cart that rolls without friction on a rail 4.8 metres long. Each step, a fiftieth of a second,
    the cart is pushed with the same force to one side or the other.

Actions
    0 left, 1 right.

Observation
    Features: `cart_position` in metres from the middle, `cart_velocity`, `pole_angle` in radians from upright, positive
    to the right, and `pole_angular_velocity`, both velocities per second.

Start
    All four numbers are drawn evenly from -0.05 to 0.05.

Reward
    +1 for each step, the last one included.

Termination
    The pole leans by more than 12 degrees, or the cart's middle leaves the rail.

Truncation
    None, unless `max_episode_steps` is given; Gymnasium's CartPole-v1 ends after 500.

Arguments
    The engine's: see `ludus.envs.Simulator`.

Rules from
    Barto, Sutton & Anderson 1983, "Neuronlike adaptive elements that can solve difficult learning control problems", with
    the numbers of Gymnasium 1.3.0, CartPole-v1.

Version history
    1: first release.
"""

from ..canvas import blend, ellipse, fill, line, rect
from ..exact import cos, cosine_near_zero, sin, sine_near_zero
from ..game import Game, state
from ..rng import uniform

RIGHT = 1
TIME_STEP = 0.02
GRAVITY, FORCE = 9.8, 10.0
CART_MASS, POLE_MASS = 1.0, 0.1
HALF_LENGTH = 0.5  # of the pole
TRACK, LEAN = 2.4, 0.20943951023931953  # metres, and 12 degrees
PUSH = FORCE / (CART_MASS + POLE_MASS)
POLE_SHARE = POLE_MASS / (CART_MASS + POLE_MASS)
SWING = POLE_SHARE * HALF_LENGTH  # what the pole's turning does to the cart

State = state(
    position="f8",
    velocity="f8",
    angle="f8",
    spin="f8",  # the angle's velocity
)


def reset(s, random):
    s.position = uniform(random) * 0.1 - 0.05
    s.velocity = uniform(random) * 0.1 - 0.05
    s.angle = uniform(random) * 0.1 - 0.05
    s.spin = uniform(random) * 0.1 - 0.05


def step(s, action, random):
    # All is read first and written last, which is the faster for it. As long as the game goes on, the pole leans by less
    # than 45 degrees, where these two are sine and cosine.
    position, velocity, angle, spin = s.position, s.velocity, s.angle, s.spin
    sine, cosine = sine_near_zero(angle), cosine_near_zero(angle)
    push = (PUSH if action == RIGHT else -PUSH) + SWING * spin * spin * sine
    turn = (GRAVITY * sine - cosine * push) / (HALF_LENGTH * 4.0 / 3.0 - SWING * cosine * cosine)

    position += TIME_STEP * velocity
    angle += TIME_STEP * spin
    s.position, s.angle = position, angle
    s.velocity, s.spin = velocity + TIME_STEP * (push - SWING * turn * cosine), spin + TIME_STEP * turn
    return 1.0, (abs(position) > TRACK) | (abs(angle) > LEAN)


def heuristic(s, random):
    """Push to the side where the pole will soon be, a little more so where the cart should come back from."""
    return 1 if s.angle + 0.5 * s.spin + 0.05 * s.position + 0.1 * s.velocity > 0.0 else 0


def observe(s, features):
    features[0] = s.position
    features[1] = s.velocity
    features[2] = s.angle
    features[3] = s.spin


WIDTH, HEIGHT, RAIL = 6.0, 4.0, 3.2
POLE_LENGTH = 1.9  # longer than it is, so that its lean is seen
SKY_TOP, SKY_LOW, SKY_BANDS = (34, 46, 84), (226, 170, 144), 20
GROUND, GRASS, STEEL, STEEL_LIGHT = (44, 52, 64), (62, 76, 84), (120, 130, 142), (176, 186, 196)
CART, CART_LIGHT, CART_DARK = (214, 84, 62), (238, 124, 92), (150, 52, 44)
WOOD, WOOD_LIGHT, KNOB, KNOB_LIGHT = (226, 178, 104), (250, 214, 150), (248, 226, 122), (255, 248, 206)
TYRE, HUB, POST, BAND = (28, 30, 38), (186, 192, 200), (240, 240, 236), (206, 60, 56)
SLEEPER, SAFE = (92, 66, 52), (236, 226, 214)


def backdrop(canvas):
    fill(canvas, SKY_TOP)
    for band in range(SKY_BANDS):
        top = RAIL * band / SKY_BANDS
        rect(canvas, 0.0, top, WIDTH, HEIGHT - top, blend(SKY_TOP, SKY_LOW, band, SKY_BANDS))
    rect(canvas, 0.0, RAIL + 0.1, WIDTH, HEIGHT - RAIL, GROUND)
    rect(canvas, 0.0, RAIL + 0.1, WIDTH, 0.06, GRASS)
    rect(canvas, WIDTH / 2 - TRACK - 0.4, RAIL, 2 * TRACK + 0.8, 0.1, STEEL)
    rect(canvas, WIDTH / 2 - TRACK - 0.4, RAIL, 2 * TRACK + 0.8, 0.035, STEEL_LIGHT)
    for k in range(13):
        rect(canvas, 0.16 + k * 0.46, RAIL + 0.1, 0.16, 0.12, SLEEPER)
    for side in (-1.0, 1.0):
        x = WIDTH / 2 + side * TRACK
        for band in range(4):
            rect(canvas, x - 0.06, RAIL + 0.16 + band * 0.16, 0.12, 0.16, BAND if band % 2 == 0 else POST)


def draw(s, canvas):
    x, hinge = WIDTH / 2 + s.position, RAIL - 0.62
    for side in (-1.0, 1.0):  # how far it may lean
        reach_x, reach_y = side * POLE_LENGTH * sin(LEAN), POLE_LENGTH * cos(LEAN)
        line(canvas, x + 0.8 * reach_x, hinge - 0.8 * reach_y, x + reach_x, hinge - reach_y, 0.05, SAFE)
    draw_cart(x, canvas)
    across, up = sin(s.angle), cos(s.angle)
    tip_x, tip_y = x + POLE_LENGTH * across, hinge - POLE_LENGTH * up
    line(canvas, x, hinge, tip_x, tip_y, 0.15, WOOD)
    line(canvas, x - 0.03 * up, hinge - 0.03 * across, tip_x - 0.03 * up, tip_y - 0.03 * across, 0.05, WOOD_LIGHT)
    ellipse(canvas, tip_x - 0.17, tip_y - 0.17, 0.34, 0.34, KNOB)
    ellipse(canvas, tip_x - 0.11, tip_y - 0.12, 0.12, 0.12, KNOB_LIGHT)
    ellipse(canvas, x - 0.12, hinge - 0.12, 0.24, 0.24, STEEL)
    ellipse(canvas, x - 0.06, hinge - 0.06, 0.12, 0.12, TYRE)


def draw_cart(x, canvas):
    top = RAIL - 0.62
    rect(canvas, x - 0.54, top, 1.08, 0.42, CART)
    rect(canvas, x - 0.54, top, 1.08, 0.09, CART_LIGHT)
    rect(canvas, x - 0.54, top + 0.33, 1.08, 0.09, CART_DARK)
    for side in (-1.0, 1.0):
        ellipse(canvas, x + side * 0.32 - 0.15, RAIL - 0.3, 0.3, 0.3, TYRE)
        ellipse(canvas, x + side * 0.32 - 0.07, RAIL - 0.22, 0.14, 0.14, HUB)


GAME = Game(
    name="CartPole",
    version=1,
    State=State,
    reset=reset,
    step=step,
    observe=observe,
    draw=draw,
    backdrop=backdrop,
    heuristic=heuristic,
    features=("cart_position", "cart_velocity", "pole_angle", "pole_angular_velocity"),
    actions=("left", "right"),
    keys={"left": "left", "right": "right", "a": "left", "d": "right"},
    canvas=(WIDTH, HEIGHT),
    fps=50,
)
