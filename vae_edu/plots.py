"""Figures of the lessons: legible in grey and for the colour-blind. Every function returns its axes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Ellipse
from matplotlib.ticker import MaxNLocator
from torch import Tensor
from torch.distributions import Distribution

from vae_edu.grid import Grid

# Okabe & Ito (2008), dark to light, each with a line and a marker of its own.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9"]
LINES = ["-", "--", "-.", ":", "-", "--", "-."]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]


def image_rows(rows: Mapping[str, Tensor], title: str = "", ax: Axes | None = None) -> Axes:
    """Images in named rows, such as originals above their reconstructions.

    rows: name → (N, C, H, W) in [0, 1]; ink is dark on white where C is 1. Values outside are clipped.
    Raises ValueError for other shapes.
    """
    pictures = [rgb(x) for x in rows.values()]
    height, width = pictures[0].shape[1:3]
    columns = max(map(len, pictures))
    if ax is None:
        size = (0.72 * columns + 1.6, 0.76 * len(pictures) + 0.4)
        ax = plt.subplots(figsize=size, dpi=110, layout="constrained")[1]
    gap = max(1, height // 14)
    sheet = np.ones((len(pictures) * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for row, line in enumerate(pictures):
        for column, picture in enumerate(line):
            top, left = row * (height + gap), column * (width + gap)
            sheet[top : top + height, left : left + width] = picture
    ax.imshow(sheet, interpolation="nearest")
    ax.set_yticks([(height + gap) * row + height / 2 for row in range(len(pictures))], list(rows))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return ax


def image_grid(x: Tensor, columns: int = 10, title: str = "", ax: Axes | None = None) -> Axes:
    """Images (N, C, H, W) in [0, 1], row after row."""
    starts = range(0, len(x), columns)
    return image_rows({" " * i: x[start : start + columns] for i, start in enumerate(starts)}, title, ax)


def curves(
    series: Mapping[str, Sequence[float] | Tensor],
    x: Sequence[float] | None = None,
    *,
    xlabel: str,
    ylabel: str,
    title: str = "",
    log_x: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Lines with units on both axes; a series (points, repeats) is its mean, with bars from least to most.

    A series of one value is a level to compare with, and drawn as a line without marks.
    """
    ax = ax or plt.subplots(figsize=(6.4, 3.8), dpi=110, layout="constrained")[1]
    points = max(map(len, series.values()))
    for i, (name, values) in enumerate(series.items()):
        if isinstance(values, Tensor):
            values = values.detach().cpu()
        else:
            values = [value.item() if isinstance(value, Tensor) else value for value in values]
        values = np.asarray(values, dtype=float).reshape(len(values), -1)
        style = {"color": COLOURS[i % 7], "linestyle": LINES[i % 7], "label": name}
        if len(values) == 1 < points:
            ax.axhline(values.mean(), **style)
            continue
        places = np.arange(1, len(values) + 1) if x is None else np.asarray(x, dtype=float)
        mean, least, most = values.mean(1), values.min(1), values.max(1)
        if values.shape[1] > 1 and log_x:
            places = places * 1.05 ** (i - (len(series) - 1) / 2)  # so that bars do not overlap
        bars = [mean - least, most - mean] if values.shape[1] > 1 else None
        ax.errorbar(places, mean, bars, marker=MARKERS[i % 7], markersize=5, capsize=3, **style)
    if log_x:
        ax.set_xscale("log")
    if x is None:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    elif len(x) <= 10:
        ax.set_xticks(x, [f"{place:g}" for place in x])
        ax.set_xticks([], minor=True)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.grid(alpha=0.3)
    if len(series) > 1:
        ax.legend(edgecolor="none", framealpha=0.9)  # a level that runs behind it stays behind
    return ax


def codes(z: Tensor, labels: Tensor, *, prior: bool = False, title: str = "", ax: Axes | None = None) -> Axes:
    """Two-dimensional codes (N, 2), each drawn as the digit that it stands for.

    prior: draw the circle of radius 2 too, which holds 86% of a standard normal, N(0, I).
    """
    if z.dim() != 2 or z.shape[1] != 2:
        raise ValueError(f"codes of shape {tuple(z.shape)} cannot be drawn on a plane: give (N, 2).")
    ax = ax or plt.subplots(figsize=(6, 5.4), dpi=110, layout="constrained")[1]
    z, labels = z.detach().cpu().numpy(), labels.cpu().numpy()
    for label in np.unique(labels):
        points = z[labels == label]
        ax.scatter(*points.T, s=34, marker=f"${label}$", color=COLOURS[label % 7], linewidth=0.2)
    if prior:
        ax.add_patch(plt.Circle((0, 0), 2, fill=False, linewidth=2.5, zorder=3))
        note = {"xytext": (0, 5), "textcoords": "offset points", "ha": "center", "weight": "bold"}
        note["bbox"] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
        ax.annotate("86% of N(0, I)", (0, 2), **note)
    ax.set_aspect("equal")
    ax.set(xlabel="first feature, $z_1$", ylabel="second feature, $z_2$", title=title)
    return ax


def density(
    values: Tensor,
    grid: Grid,
    *,
    q: Distribution | None = None,
    z: Tensor | None = None,
    zoom: bool = True,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A density over a 2-D latent space, (points, points) on the nodes of a grid, dark where it is high.

    q: a Gaussian over z, (2,), drawn as its ellipses of 1 and 2 σ. z: points (K, 2).
    zoom: show the part that holds the density and q; otherwise the whole grid, with a ring around that part.
    """
    if grid.latent_dim != 2 or values.shape != grid.shape:
        raise ValueError(f"values of shape {tuple(values.shape)} are not the {grid.shape} of a 2-D grid.")
    ax = ax or plt.subplots(figsize=(4.4, 4.2), dpi=110, layout="constrained")[1]
    values = (values / values.max()).detach().cpu().numpy()
    edge = grid.radius + grid.step / 2
    ax.imshow(
        values.T,  # z_1 goes to the right, z_2 up
        origin="lower",
        extent=(-edge, edge, -edge, edge),
        cmap="Greys",
        interpolation="bilinear",
    )
    seen = [grid.nodes().reshape(*grid.shape, 2).numpy()[values > 1e-2]]  # what has to be in the picture
    if q is not None:
        mean, sigma = q.mean.detach().cpu().numpy(), q.stddev.detach().cpu().numpy()
        for k in (1, 2):
            label = "$q(z|x)$: 1 and 2 σ" if k == 1 else None
            ellipse = Ellipse(mean, *(2 * k * sigma), fill=False, edgecolor=COLOURS[1], label=label)
            ellipse.set(linestyle="--", linewidth=1.8)
            ax.add_patch(ellipse)
        seen += [mean[None] - 2.3 * sigma, mean[None] + 2.3 * sigma]
    if z is not None:
        ax.scatter(*z.detach().cpu().numpy().T, s=9, color=COLOURS[0], alpha=0.7, label="samples")
    seen = np.concatenate(seen)
    middle, half = (seen.max(0) + seen.min(0)) / 2, 0.6 * (seen.max(0) - seen.min(0)).max()
    if zoom:
        ax.set(xlim=(middle[0] - half, middle[0] + half), ylim=(middle[1] - half, middle[1] + half))
    else:
        here = {"fill": False, "color": COLOURS[1], "linewidth": 1.8, "label": "where the density lies"}
        ax.add_patch(plt.Circle(middle, max(half, 0.06 * grid.radius), **here))
    ax.set(xlabel="$z_1$", ylabel="$z_2$", title=title)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    if q is not None or z is not None or not zoom:
        ax.legend(edgecolor="none", framealpha=0.9, loc="best", fontsize=9)
    return ax


def bound(
    reconstruction: Tensor,
    kl: Tensor,
    gap: Tensor,
    log_p_x: Tensor,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """The three terms of D6 for each image, (B,) in nats, beside −log p(x).

    The bar is −reconstruction with the KL divergence on top, so it ends at −ELBO; from there the gap hangs
    down. Where the three terms add up it ends at the mark, −log p(x), which is drawn from its own values.
    """
    ax = ax or plt.subplots(figsize=(9, 4.2), dpi=110, layout="constrained")[1]
    terms = (reconstruction, kl, gap, log_p_x)
    reconstruction, kl, gap, log_p_x = (term.detach().cpu().double().numpy() for term in terms)
    places = np.arange(1, len(log_p_x) + 1)
    ax.bar(places, -reconstruction, color="#B8D4EA", label="−E[log p(x|z)]: reconstruction")
    ax.bar(places, kl, bottom=-reconstruction, color=COLOURS[5], label="+ KL(q(z|x), p(z))")
    hanging = {"fill": False, "hatch": "////", "edgecolor": COLOURS[0], "linewidth": 0.8, "width": 0.5}
    ax.bar(places, -gap, bottom=kl - reconstruction, label="− KL(q(z|x), p(z|x)): the gap", **hanging)
    ax.hlines(
        -log_p_x, places - 0.45, places + 0.45, color="black", linewidth=2, label="−log p(x), from the grid"
    )
    low, high = min(-reconstruction.max(), -log_p_x.max()), (kl - reconstruction).max()
    ax.set(xlabel="image", ylabel="nats", title=title)
    ax.set_ylim(max(0, low - 0.3 * (high - low)), high + 0.3 * (high - low))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(edgecolor="none", framealpha=0.9, ncols=2, loc="upper left", fontsize=9)
    return ax


def training(watched: Mapping[str, Sequence[float]], *, title: str = "") -> Axes:
    """The curves of `vae_edu.monitor.monitor`, nats per held-out image: term 1, the divergences, the bound.

    Where log p(x) is known, the gap is a curve in the middle and the shaded band on the right.
    """
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.8), dpi=110, layout="constrained")
    divergences = {"KL(q(z|x), p(z)): term 2": watched["kl"]}
    bounds = {"ELBO": watched["elbo"]}
    if known := "log p(x)" in watched:
        divergences["KL(q(z|x), p(z|x)): the gap"] = watched["gap"]
        bounds = {"log p(x), exact": watched["log p(x)"], "ELBO": watched["elbo"]}
    panels = {"E[log p(x|z)]: term 1": {"": watched["reconstruction"]}, "divergences": divergences}
    for ax, (name, series) in zip(axes, (panels | {"the bound": bounds}).items()):
        curves(series, xlabel="epoch", ylabel="nats per held-out image", title=name, ax=ax)
    axes[1].set_ylim(bottom=0)
    if known:
        epochs = np.arange(1, len(watched["elbo"]) + 1)
        band = {"color": COLOURS[1], "alpha": 0.2, "linewidth": 0, "label": "the gap"}
        axes[2].fill_between(epochs, watched["elbo"], watched["log p(x)"], **band)
        axes[2].legend(edgecolor="none", loc="lower right")
    figure.suptitle(title)
    return axes[2]


def live(draw: Callable[[Any], Axes]) -> Callable[[Any], None]:
    """Make a figure that is drawn again in its place at every call, in a notebook; elsewhere none.

    draw: makes the figure from what it is called with. Only the last one stays in the notebook.
    """
    handles = []

    def show(values: Any) -> None:
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            return
        if get_ipython() is None:
            return
        figure = draw(values).figure
        plt.close(figure)  # or the notebook would show it a second time
        if handles:
            handles[0].update(figure)
        elif handle := display(figure, display_id=True):
            handles.append(handle)

    return show


def rgb(x: Tensor) -> np.ndarray:
    """(N, C, H, W) → (N, H, W, 3) in [0, 1]; one channel becomes dark ink on white paper."""
    if x.dim() != 4 or x.shape[1] not in (1, 3):
        raise ValueError(
            f"images of shape {tuple(x.shape)} cannot be shown: give (N, 1, H, W) or (N, 3, H, W)."
        )
    pictures = x.detach().float().clamp(0, 1).cpu().numpy().transpose(0, 2, 3, 1)
    return pictures if pictures.shape[-1] == 3 else np.repeat(1 - pictures[..., :1], 3, axis=-1)
