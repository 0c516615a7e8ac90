"""Stroke digits: images x drawn from factors z that are known.

They make the lecture's intuition literal, "x is an image, z the latent factors that made it". A digit is one
or two pen strokes, each a Catmull-Rom spline through control points. The factors stretch, slant, turn, scale
and shift the points, and a round pen draws along them. An image is a function of its factors, so one can
change while the others stay.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

SIZE = 28  # pixels a side, as in MNIST
HALF_HEIGHT = 9.5  # pixels from the center of a digit of scale 1 to its top
DOTS = 72  # points along a digit at which the pen touches the paper
CHUNK = 50  # images to draw at a time: they fit the cache, and memory does not grow with n
JITTER = 0.08  # largest displacement of a control point, in half heights

# Every factor as (least, neutral, largest). Random factors are uniform and independent.
FACTORS = {
    "digit": (0, 0, 9),  # which one
    "thickness": (1.6, 2.5, 3.8),  # diameter of the pen, in pixels
    "slant": (-0.15, 0.12, 0.4),  # shear: pixels to the right for every pixel up
    "width": (0.7, 0.9, 1.1),  # horizontal stretch
    "rotation": (-0.2, 0.0, 0.2),  # radians, clockwise on the page
    "scale": (0.8, 0.9, 1.0),  # size of the whole
    "shift_x": (-1.2, 0.0, 1.2),  # pixels to the right
    "shift_y": (-1.2, 0.0, 1.2),  # pixels down
}

# Control points "x,y" in hundredths of the half height, with y down the page; "/" lifts the pen.
GLYPHS = [
    "10,-100 -42,-75 -62,0 -42,72 3,100 46,72 62,0 45,-75 5,-100",
    "-32,-55 -5,-80 10,-100 8,-40 4,30 0,100",
    "-55,-58 -35,-92 15,-100 50,-65 30,-10 -20,48 -56,96 -50,92 0,88 62,96",
    "-52,-75 -10,-100 40,-82 42,-38 5,-8 -10,-5 15,-3 55,30 46,78 0,100 -56,74",
    "-20,-96 -42,-40 -60,8 -52,18 0,14 66,8 / 36,-72 30,-20 24,40 18,100",
    "56,-98 5,-95 -36,-94 -42,-86 -48,-24 -40,-20 8,-34 54,6 46,70 0,100 -56,80",
    "40,-100 -10,-62 -46,0 -50,58 -8,100 42,80 50,34 15,4 -26,20 -49,56",
    "-62,-80 -55,-94 0,-92 55,-96 57,-86 35,-35 10,30 -8,100",
    "44,-70 10,-100 -36,-80 -28,-36 15,2 48,48 26,94 -24,96 -48,56 -10,8 34,-34 44,-70",
    "46,-50 28,-90 -14,-100 -48,-60 -38,-16 2,-6 38,-36 47,-62 44,-5 36,45 16,100",
]


def _spline(points: np.ndarray, dots: int) -> np.ndarray:
    """Weights (dots, K) that turn K control points into dots spread evenly along their spline.

    Catmull & Rom (1974), A class of local interpolating splines; uniform, with doubled end points.
    """
    traveled = np.append(0, np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1)))
    place = np.interp(np.linspace(0, traveled[-1], dots), traveled, np.arange(len(points)))
    i = np.minimum(place.astype(int), len(points) - 2)  # the dot lies between points i and i + 1
    t = place - i
    cubic = np.array(
        [
            -t + 2 * t**2 - t**3,
            2 - 5 * t**2 + 3 * t**3,
            t + 4 * t**2 - 3 * t**3,
            -(t**2) + t**3,
        ]
    )
    weights = np.zeros((dots, len(points)))
    for k in range(4):
        np.add.at(weights, (np.arange(dots), np.clip(i + k - 1, 0, len(points) - 1)), cubic[k] / 2)
    return weights


def _glyph_tables() -> tuple[Tensor, Tensor]:
    """Control points (10, K, 2) and spline weights (10, DOTS, K) of all digits, padded with zeros."""
    glyphs = [
        [np.array([p.split(",") for p in stroke.split()], float) / 100 for stroke in glyph.split("/")]
        for glyph in GLYPHS
    ]
    most = max(sum(map(len, strokes)) for strokes in glyphs)
    points, weights = torch.zeros(10, most, 2), torch.zeros(10, DOTS, most)
    for digit, strokes in enumerate(glyphs):
        lengths = [np.linalg.norm(np.diff(stroke, axis=0), axis=1).sum() for stroke in strokes]
        ends = np.round(DOTS * np.cumsum(lengths) / sum(lengths)).astype(int)
        dot = point = 0
        for stroke, end in zip(strokes, ends, strict=True):
            last = point + len(stroke)
            points[digit, point:last] = torch.tensor(stroke)
            weights[digit, dot:end, point:last] = torch.tensor(_spline(stroke, end - dot))
            dot, point = end, last
    return points, weights


POINTS, WEIGHTS = _glyph_tables()

BYTES = 4 * SIZE**2 + 16 * (len(FACTORS) + POINTS[0].numel())  # that drawing an image takes, with its factors


def random_factors(n: int, seed: int = 0) -> dict[str, Tensor]:
    """Random factors of n images. Those of image i depend on the seed and on i, never on n.

    Args:
        n: How many images.
        seed: Of the factors.

    Returns:
        The factors of `FACTORS` by name, each (n,), and "jitter" (n, K, 2): by how much the hand misses
        each control point, in half heights.
    """
    jitter_shape = POINTS.shape[1:]
    columns = len(FACTORS) + jitter_shape.numel()
    chunks = range(-(-n // CHUNK))
    rows = [np.random.default_rng([seed, chunk]).random((CHUNK, columns)) for chunk in chunks]
    uniform = torch.from_numpy(np.concatenate(rows)[:n]).float()
    factors = {
        name: least + (largest - least) * uniform[:, column]
        for column, (name, (least, _, largest)) in enumerate(FACTORS.items())
    }
    factors["digit"] = (uniform[:, 0] * 10).long().clamp(max=9)
    factors["jitter"] = JITTER * (2 * uniform[:, len(FACTORS) :] - 1).reshape(n, *jitter_shape)
    return factors


def complete_factors(factors: Mapping[str, object]) -> dict[str, Tensor]:
    """Complete a table of factors: those that are not given take their neutral value.

    Args:
        factors: Name → a number for all images, or one value for each: a list or tensor (n,), and for
            "jitter" (n, K, 2).

    Returns:
        Every factor by name, (n,), and "jitter" (n, K, 2).

    Raises:
        ValueError: For an unknown name, columns of different lengths, or an impossible value.
    """
    if unknown := sorted(set(factors) - {*FACTORS, "jitter"}):
        raise ValueError(f"unknown factors {unknown}: the factors are {', '.join(FACTORS)}, jitter.")
    neutral: dict[str, object] = {name: middle for name, (_, middle, _) in FACTORS.items()}
    neutral["jitter"] = torch.zeros(1, *POINTS.shape[1:])
    table = {name: _column(name, value) for name, value in {**neutral, **factors}.items()}
    lengths = {name: len(column) for name, column in table.items() if len(column) != 1}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise ValueError(f"factors of lengths {lengths}: give one value an image, or one for all.")
    if not torch.isin(table["digit"], torch.arange(10.0)).all():
        raise ValueError("factor 'digit' must be a whole number from 0 to 9.")
    for name in ("thickness", "width", "scale"):
        if (table[name] <= 0).any():
            raise ValueError(f"factor {name!r} must be above 0.")
    n = max([1, *lengths.values()])
    table["digit"] = table["digit"].long()
    return {name: column.expand(n, *column.shape[1:]) for name, column in table.items()}


def _column(name: str, value: object) -> Tensor:
    """A factor's values, one for all images or one for each. Raises ValueError for a wrong shape or NaN."""
    shape = tuple(POINTS.shape[1:]) if name == "jitter" else ()
    try:
        column = torch.atleast_1d(torch.as_tensor(value)).detach().cpu().float()
        column.expand(-1, *shape)
    except (TypeError, ValueError, RuntimeError) as error:
        wanted = f"(n, {', '.join(map(str, shape))})" if shape else "(n,)"
        raise ValueError(f"factor {name!r} must hold numbers in the shape {wanted}.") from error
    if not column.isfinite().all():
        raise ValueError(f"factor {name!r} holds a value that is not finite: give real numbers.")
    return column


def draw(factors: Mapping[str, Tensor]) -> Tensor:
    """Draw images. A pixel holds the ink max(0, min(1, 1/2 + thickness/2 - r)), r from it to the nearest dot.

    Args:
        factors: A full table, as `random_factors` and `complete_factors` return it.

    Returns:
        (n, 1, 28, 28) in [0, 1], in 256 shades of gray.
    """
    x = torch.empty(len(factors["digit"]), 1, SIZE, SIZE)
    for start in range(0, len(x), CHUNK):
        chunk = {name: column[start : start + CHUNK] for name, column in factors.items()}
        x[start : start + CHUNK, 0] = _draw_chunk(**chunk)
    return x


def _draw_chunk(
    digit: Tensor,
    thickness: Tensor,
    slant: Tensor,
    width: Tensor,
    rotation: Tensor,
    scale: Tensor,
    shift_x: Tensor,
    shift_y: Tensor,
    jitter: Tensor,
) -> Tensor:
    """The images of a few factors, (n, 28, 28)."""
    column, row = (WEIGHTS[digit] @ (POINTS[digit] + jitter)).unbind(-1)  # (n, DOTS) each
    column = width[:, None] * column - slant[:, None] * row
    cos, sin = rotation.cos()[:, None], rotation.sin()[:, None]
    column, row = cos * column - sin * row, sin * column + cos * row
    size, center = (scale * HALF_HEIGHT)[:, None], (SIZE - 1) / 2
    column = size * column + shift_x[:, None] + center
    row = size * row + shift_y[:, None] + center
    pixel = torch.arange(SIZE, dtype=torch.float32)[:, None]
    across = (pixel - column[:, None]) ** 2  # (n, SIZE, DOTS)
    down = (pixel - row[:, None]) ** 2
    r = (down[:, :, None] + across[:, None]).amin(-1).sqrt()  # (n, SIZE, SIZE)
    ink = (0.5 + thickness[:, None, None] / 2 - r).clamp(0, 1)
    return (ink * 255).round() / 255
