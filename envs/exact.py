"""Functions of floats that give the same bits on every backend.

The sine and cosine of C libraries, of compilers and of GPUs differ in their last bits; those below are additions and
multiplications alone, in a fixed order, so a game that uses them stays equal everywhere. `math.sqrt`, `abs`, `min`, `max`,
`math.floor`, divisions and comparisons are exact already and can be used as they are; `x ** y`, `math.exp` and other
functions of `math` are not.
"""

TWO_OVER_PI = 0.6366197723675814
NO_FRACTION = 1.5 * 2.0**52  # floats of this size are whole numbers, so that adding it rounds to the nearest
# pi / 2 in three parts of 33 bits and a rest, so that whole multiples of the first three are exact (Cody & Waite 1980)
HALF_PI_1, HALF_PI_2, HALF_PI_3 = 1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21
# minimax polynomials on [-pi / 4, pi / 4], as in FreeBSD's libm (Sun Microsystems 1993)
S1, S2, S3, S4, S5, S6 = (
    -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04,
    2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10,
)  # fmt: skip
C1, C2, C3, C4, C5, C6 = (
    4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05,
    -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11,
)  # fmt: skip


def sin(x):
    """The sine of an angle in radians, to about 1e-16, for x from -1e6 to 1e6."""
    quarter, rest = reduced(x)
    sine, cosine = sine_near_zero(rest), cosine_near_zero(rest)  # both, so that nothing has to be guessed ahead
    value = cosine if quarter & 1 == 1 else sine
    return -value if quarter >= 2 else value


def cos(x):
    """The cosine of an angle in radians, to about 1e-16, for x from -1e6 to 1e6."""
    quarter, rest = reduced(x)
    sine, cosine = sine_near_zero(rest), cosine_near_zero(rest)
    value = sine if quarter & 1 == 1 else cosine
    return -value if quarter == 1 or quarter == 2 else value


def reduced(x):
    """The quarter turn, 0 to 3, that is nearest to x, and what is left of x."""
    turns = (x * TWO_OVER_PI + NO_FRACTION) - NO_FRACTION  # sooner there than a floor, and a float
    rest = ((x - turns * HALF_PI_1) - turns * HALF_PI_2) - turns * HALF_PI_3
    return int(turns) & 3, rest


def sine_near_zero(x):
    """Sums of pairs, and pairs of those (Estrin 1960), since a processor adds several at once."""
    z = x * x
    w = z * z
    return x + x * z * ((S1 + z * S2) + w * ((S3 + z * S4) + w * (S5 + z * S6)))


def cosine_near_zero(x):
    z = x * x
    w = z * z
    return 1.0 - (0.5 * z - w * ((C1 + z * C2) + w * ((C3 + z * C4) + w * (C5 + z * C6))))
