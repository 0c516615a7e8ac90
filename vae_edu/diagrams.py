"""Diagrams of the lecture: its chains of networks, distributions and draws, and Jensen's inequality.

Sizes and places are in inches. A solid arrow computes; a dashed one draws at random. Boxes have the colors of
the densities in `vae_edu.plots`: the decoder that of p(x|z), the encoder that of q(z|x).
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, Polygon

from vae_edu.plots import COLORS, ROLES

Place = tuple[float, float]
INK, PALE = "#1A1A1A", "#555555"
WIDTHS = {
    "tall": 0.36,
    "short": 0.36,
    "node": 0.56,
    "box": 0.86,
    "wide": 3.1,
    "narrows": 0.92,
    "widens": 0.92,
}
HEIGHTS = {"tall": 1.0, "narrows": 0.8, "widens": 0.8}  # the others have 0.56


class Piece(NamedTuple):
    """A part of a chain.

    Attributes:
        shape: One of `WIDTHS`; networks narrow or widen, a node is a random variable.
        text: In it.
        role: The density that gives it a color.
        drawn: Whether it is a random draw from the piece before it.
        below: A text under it.
    """

    shape: str
    text: str
    role: str = ""
    drawn: bool = False
    below: str = ""


X = Piece("tall", "$x$")
ENCODER = Piece("narrows", "encoder", "q(z|x)")
Q = Piece("box", r"$q_\phi(z|x)$", "q(z|x)")
Z = Piece("node", "$z$", drawn=True)
PRIOR = Piece("box", r"$p_\theta(z)$", "p(z)")
DECODER = Piece("widens", "decoder", "p(x|z)")
P = Piece("box", r"$p_\theta(x|z)$", "p(x|z)")
DRAWN_X = X._replace(drawn=True, below="image")


def unrolled_network() -> Axes:
    """(L0): one network, pixel after pixel, says how likely the next one is after those before it."""
    ax = _canvas(6, 2.75)
    _text(ax, 3, 2.55, r"(L0)$\;\;p_W(x)$ is the product of these:")
    columns = {
        0.8: ("p_W(x_1)", "start"),
        2.2: ("p_W(x_2|x_1)", "$x_1$"),
        3.6: ("p_W(x_3|x_1,x_2)", "$x_2$"),
        5.2: (r"p_W(x_T|x_1,\ldots,x_{T-1})", "$x_{T-1}$"),
    }
    for x, (factor, seen) in columns.items():
        _piece(ax, Piece("box", "$W$", "p(x|z)"), x, 1.3)
        _text(ax, x, 2.1, f"${factor}$")
        _text(ax, x, 0.5, seen)
        _arrow(ax, (x, 0.68), (x, 1.02))
        _arrow(ax, (x, 1.58), (x, 1.92))
    places = list(columns)
    for a, b in pairwise(places):
        _arrow(ax, (a + 0.45, 1.3), (b - 0.45, 1.3), dots=b == places[-1])
    _text(ax, 3, 0.14, "the same weights $W$ at every pixel; what was seen goes from left to right", 10)
    return ax


def bottleneck() -> Axes:
    """(L1): an image, a few features, and the image drawn again from them."""
    ax = _canvas(6, 2.4)
    features = Piece("short", "$z$", below="features:\nfew numbers")
    copy = Piece("tall", r"$\hat{x}$", below="reconstruction")
    places = [0.6, 1.8, 3, 4.2, 5.4]
    _chain(ax, 1.75, [X._replace(below="image"), ENCODER, features, DECODER, copy], places)
    ax.plot([0.6, 0.6, 5.4, 5.4], [0.72, 0.3, 0.3, 0.72], color=PALE, linewidth=1.2)
    _text(ax, 3, 0.3, r"(L1)  loss $=\;\|\hat{x}-x\|_2^2$", halo=True)
    return ax


def generative_story() -> Axes:
    """How the model makes an image: z from the prior, a distribution from the decoder, x from that."""
    ax = _canvas(6, 1.7)
    output = P._replace(text="$\\mu_{x|z}$\n$\\Sigma_{x|z}$", below=r"$p_\theta(x|z)$")
    chain = [PRIOR._replace(below="prior"), Z._replace(below="code"), DECODER, output, DRAWN_X]
    _chain(ax, 1, chain, [0.6, 1.9, 3.05, 4.3, 5.6])
    return ax


def inference() -> Axes:
    """From z to x by the decoder, and the two ways back: the posterior, and the encoder's guess at it."""
    ax = _canvas(6, 4.1)
    posterior = Piece("wide", r"$p_\theta(z|x)\,=\,p_\theta(x|z)\,p_\theta(z)\,/\,p_\theta(x)$", "p(z|x)")
    _chain(ax, 3.5, [Z._replace(drawn=False), DECODER, P, DRAWN_X._replace(below="")], [0.5, 2, 3.9, 5.5])
    _chain(ax, 2.2, [X, posterior, Z], [5.5, 3, 0.5])
    _chain(ax, 0.9, [X, ENCODER, Q, Z], [5.5, 3.9, 2, 0.5])
    for y, text in {
        2.88: "making an image",
        1.65: "the way back: needs the integral $p_\\theta(x)$",
        0.2: "instead: a network that learns $q_\\phi(z|x)\\approx p_\\theta(z|x)$",
    }.items():
        _text(ax, 3, y, text, 10.5)
    return ax


def jensen() -> Axes:
    """log E[w] ≥ E[log w]: the chord of a concave function lies below it."""
    ax = plt.subplots(figsize=(5.6, 3.8), dpi=110, layout="constrained")[1]
    w, ends = np.linspace(0.08, 4.6, 300), np.array([0.2, 4.0])
    mean, low = ends.mean(), np.log(ends).mean()
    ax.plot(w, np.log(w), color=INK, linewidth=2)
    ax.plot(ends, np.log(ends), "o--", color=COLORS[0], linewidth=1.6, markersize=8)
    ax.plot([mean, mean], [low, np.log(mean)], color=COLORS[1], linewidth=4, solid_capstyle="butt")
    ax.plot([mean, mean], [low, np.log(mean)], "o", color=COLORS[1], markersize=8)
    ax.plot([mean, mean], [-3, low], color=PALE, linewidth=0.9, linestyle=":")
    for text, x, y, side in (
        (r"$\log\,\mathrm{E}[w]$", mean, np.log(mean) + 0.22, "right"),
        (r"$\mathrm{E}[\log\,w]$", mean + 0.12, low - 0.2, "left"),
        ("gap", mean + 0.12, 0.7 * np.log(mean) + 0.3 * low, "left"),
        (r"$\log\,w$", 4.6, np.log(4.6) - 0.3, "right"),
    ):
        ax.text(x, y, text, ha=side, va="center", fontsize=13)
    ax.set_xticks([*ends, mean], ["$w_1$", "$w_2$", r"$\mathrm{E}[w]$"], fontsize=13)
    ax.set(yticks=[], ylim=(-2.3, 1.9), xlim=(0, 4.8))
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def reparameterization() -> Axes:
    """A draw lets no gradient through; z = μ + σ ε does, since the chance is in ε."""
    ax = _canvas(6, 4)
    start, loss, places = Piece("box", r"$\mu,\;\sigma$", "q(z|x)"), Piece("box", "loss"), [0.7, 2.4, 4, 5.4]
    _text(ax, 0.2, 3.8, r"a draw, $z\sim\mathcal{N}(\mu,\sigma^2)$:", side="left")
    _chain(ax, 3.1, [start, Z, DECODER, loss], places)
    _gradient(ax, 2.4, 5.4, 2.6, "no gradient passes a draw", blocked=True)
    _text(ax, 0.2, 1.98, r"the same draw, written $z=\mu+\sigma\,\varepsilon$:", side="left")
    _chain(ax, 0.9, [start, Piece("box", r"$\mu+\sigma\,\varepsilon$", "q(z|x)"), DECODER, loss], places)
    _piece(ax, Piece("node", r"$\varepsilon$"), 3.4, 1.53)
    _arrow(ax, (3.1, 1.4), (2.75, 1.21), drawn=True)
    _text(ax, 3.8, 1.53, r"$\varepsilon\sim\mathcal{N}(0,1)$", side="left")
    _gradient(ax, 0.7, 5.4, 0.4, "the gradient reaches $\\mu$ and $\\sigma$")
    return ax


def training_steps() -> Axes:
    """The five steps of training, and the two terms of the bound that they meet."""
    ax = _canvas(6, 5.1)
    top, bottom = 4.35, 2.85
    _chain(ax, top, [X, ENCODER, Q], [1.75, 2.9, 4.1])
    _chain(
        ax,
        bottom,
        [Z._replace(drawn=False), DECODER, P, DRAWN_X._replace(below="", text=r"$\hat{x}$")],
        [4.1, 2.95, 1.75, 0.5],
    )
    _piece(ax, PRIOR, 5.5, top)
    _arrow(ax, (4.1, top - 0.3), (4.1, bottom + 0.3), drawn=True)
    _arrow(ax, (4.55, top), (5.05, top), both=True)
    _arrow(ax, (1.75, top - 0.45), (1.75, bottom + 0.3), both=True)
    _text(ax, 4.8, top + 0.45, "term 2")
    _text(ax, 1.62, 3.6, "term 1", side="right")
    _steps(
        ax,
        {
            (2.9, top + 0.53): "Run $x$ through the encoder: $q_\\phi(z|x)$ should match the prior (term 2).",
            (4.4, 3.6): "Sample a code $z$ from it.",
            (2.95, bottom + 0.53): "Run $z$ through the decoder, to get $p_\\theta(x|z)$.",
            (2.05, 3.6): "The image $x$ should be likely under it (term 1).",
            (1.0, bottom + 0.38): "A reconstruction $\\hat{x}$ can be sampled from it.",
        },
    )
    return ax


def editing_steps() -> Axes:
    """The five steps of editing an image by its code."""
    ax = _canvas(6, 5.1)
    top, bottom, places = 4.35, 2.85, [5.4, 4, 2.2, 0.5]
    edited = Piece("node", r"$z^\prime$")
    new = DRAWN_X._replace(below="", text="$x^\\prime$")
    _chain(ax, top, [X, ENCODER, Q, Z], places[::-1])
    _chain(ax, bottom, [edited, DECODER, P._replace(text=r"$p_\theta(x|z^\prime)$"), new], places)
    _arrow(ax, (5.4, top - 0.3), (5.4, bottom + 0.3))
    _steps(
        ax,
        {
            (2.2, top + 0.53): "Run $x$ through the encoder, to get $q_\\phi(z|x)$.",
            (4.72, top + 0.38): "Sample a code $z$ from it.",
            (5.1, 3.6): "Change some dimensions of $z$.",
            (4, bottom + 0.53): "Run $z^\\prime$ through the decoder.",
            (1.22, bottom + 0.38): "Sample a new image $x^\\prime$.",
        },
    )
    return ax


def _canvas(width: float, height: float) -> Axes:
    """Axes without frame, in inches."""
    figure = plt.figure(figsize=(width, height), dpi=110, facecolor="white")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.set_axis_off()
    return ax


def _text(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    size: float = 12,
    side: str = "center",
    halo: bool = False,
    **style: Any,
) -> None:
    style |= {"bbox": {"facecolor": "white", "edgecolor": "none"}} if halo else {}
    ax.text(x, y, text, fontsize=size, ha=side, **{"va": "center", "color": INK, **style})


def _piece(ax: Axes, piece: Piece, x: float, y: float, ahead: float = 1) -> None:
    """Draw a piece around (x, y), in a chain that goes to the right (ahead = 1) or to the left (−1)."""
    half, tall = WIDTHS[piece.shape] / 2, HEIGHTS.get(piece.shape, 0.56) / 2
    style: dict[str, Any] = {"edgecolor": INK, "facecolor": _pale(piece.role), "linewidth": 1.3}
    if piece.shape == "node":
        ax.add_patch(Circle((x, y), half, **style))
    else:
        first, last = {"narrows": (1, 0.55), "widens": (0.55, 1)}.get(piece.shape, (1, 1))
        a, b = x - ahead * half, x + ahead * half
        corners = [(a, y - first * tall), (b, y - last * tall), (b, y + last * tall), (a, y + first * tall)]
        ax.add_patch(Polygon(corners, joinstyle="round", **style))
    _text(ax, x, y, piece.text)
    if piece.below:
        _text(ax, x, y - tall - 0.1, piece.below, 10.5, va="top")


def _pale(role: str) -> tuple[float, ...]:
    """The color of a density, mixed with white until black text is easy to read on it."""
    return tuple(0.4 + 0.6 * part for part in to_rgb(ROLES[role])) if role else (1.0, 1.0, 1.0)


def _chain(ax: Axes, y: float, pieces: Sequence[Piece], places: Sequence[float]) -> None:
    """Draw pieces at their places, and an arrow from each to the next."""
    ahead = float(np.sign(places[1] - places[0]))
    edge = None
    for piece, x in zip(pieces, places, strict=True):
        half = ahead * (WIDTHS[piece.shape] / 2 + 0.04)
        if edge is not None:
            _arrow(ax, (edge, y), (x - half, y), drawn=piece.drawn)
            _text(ax, (edge + x - half) / 2, y + 0.14, "draw" if piece.drawn else "", 9.5)
        _piece(ax, piece, x, y, ahead)
        edge = x + half


def _arrow(
    ax: Axes, start: Place, end: Place, *, drawn: bool = False, both: bool = False, dots: bool = False
) -> None:
    style: dict[str, Any] = {"arrowstyle": "<|-|>" if both else "-|>", "color": INK, "linewidth": 1.3}
    style |= {"shrinkA": 0, "shrinkB": 0, "linestyle": (0, (3, 2)) if drawn else "-"}
    ax.annotate("", end, start, arrowprops={"mutation_scale": 13, **style})
    if dots:
        _text(ax, (start[0] + end[0]) / 2 - 0.05, start[1], r"$\cdots$", halo=True)


def _gradient(ax: Axes, left: float, right: float, y: float, text: str, blocked: bool = False) -> None:
    """The way of the gradient, backward from the loss, and a text under it."""
    way = {"arrowstyle": "-|>", "color": COLORS[1], "linewidth": 2.5, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", (left, y), (right, y), arrowprops={"mutation_scale": 18, **way})
    _text(ax, (left + right) / 2, y - 0.2, text, 10.5, color="#A84300")
    if blocked:
        ax.plot([left - 0.18], [y], "x", color=COLORS[1], markersize=11, markeredgewidth=3)


def _steps(ax: Axes, steps: dict[Place, str]) -> None:
    """Number the places, and list what happens there."""
    for number, (place, text) in enumerate(steps.items(), start=1):
        y = 2 - 0.33 * number
        for where in (place, (0.35, y)):
            ax.add_patch(Circle(where, 0.13, color=INK))
            _text(ax, *where, str(number), 10, color="white", weight="bold")
        _text(ax, 0.62, y, text, 11, side="left")
