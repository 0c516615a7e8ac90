"""Figures of the lessons, legible in gray and for color-blind readers. What draws one returns its axes."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Ellipse, Rectangle
from matplotlib.ticker import MaxNLocator
from torch import Tensor
from torch.distributions import Distribution

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.files import whole_file
from vae_edu.grid import Grid

# Okabe & Ito (2008), dark to light; line i of a figure also has a line style and a marker that no other has.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#000000", "#CC79A7", "#E69F00", "#56B4E9"]
LINES = ["-", "--", "-.", ":", "-", "--", "-."]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]
TEN = [*COLORS, "#8A8A8A", "#8C510A", "#6A3D9A"]  # for labels such as the ten digits, each in its own
ROLES = {  # of a density in every figure that shows it as a bar or a box; each has its own gray, too
    "p(x|z)": "#C3DCEF",
    "p(z)": "#F2B049",
    "q(z|x)": "#2A9D7C",
    "p(z|x)": "#68246B",
    "p(x)": "#1A1A1A",
}
REASONS = {  # what leads to a line of the derivation
    "D1": "Bayes’ rule",
    "D2": "times $q/q$",
    "D3": "sorted",
    "D4": "no $z$ in it",
    "D5": "averaged",
    "D6": "with KL",
}
LARGEST = 590, 600  # of a figure in inches: its longer side (matplotlib draws 2¹⁶ dots), and its area
HALO = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}  # behind a text
LEGEND: dict[str, Any] = {"edgecolor": "none", "framealpha": 0.9}  # a line behind it stays behind


def image_rows(
    rows: Mapping[str, Tensor], title: str = "", ax: Axes | None = None, *, ink: bool = True
) -> Axes:
    """Draw images in named rows, such as originals above their reconstructions.

    Args:
        rows: Name → (N, C, H, W) in [0, 1]. Values outside are clipped.
        title: Of the figure.
        ax: Where to draw; a new figure by default.
        ink: Whether the 1 of a single channel is ink on white paper, or else light, as in a photograph.

    Raises:
        ValueError: For other shapes.
    """
    return _image_rows(list(rows), list(rows.values()), title, ax, ink)


def image_grid(
    x: Tensor, columns: int = 10, title: str = "", ax: Axes | None = None, *, ink: bool = True
) -> Axes:
    """Draw images (N, C, H, W) in [0, 1], row after row.

    Args:
        x: The images.
        columns: How many in a row.
        title: Of the figure.
        ax: Where to draw; a new figure by default.
        ink: As in `image_rows`.

    Raises:
        ValueError: For other shapes, or fewer columns than 1.
    """
    rows = list(x.split(whole_number("columns", columns, 1)))
    return _image_rows([""] * len(rows), rows, title, ax, ink)


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
    """Draw lines with units on both axes.

    Args:
        series: Name → values. (points,) is a line; (points, repeats) is the line of the means, with bars
            from the least to the most. A single value among longer series is a level to compare with, a
            line without markers.
        x: The places of the points; 1, 2, 3, … by default.
        xlabel: Name and unit of x.
        ylabel: Name and unit of the values.
        title: Of the figure.
        log_x: Whether x has a logarithmic axis.
        ax: Where to draw; a new figure by default.
    """
    ax = ax or _axes(6.4, 3.8)
    tables = {name: _table(values) for name, values in series.items()}
    points = max(map(len, tables.values()))
    for i, (name, values) in enumerate(tables.items()):
        color, line = COLORS[i % 7], LINES[i % 7]
        if len(values) == 1 < points:
            ax.axhline(values.mean(), color=color, linestyle=line, label=name)
            continue
        places = np.arange(1, len(values) + 1) if x is None else np.asarray(x, dtype=float)
        mean, bars = values.mean(1), None
        if values.shape[1] > 1:
            bars = [mean - values.min(1), values.max(1) - mean]
            if log_x:
                places = places * 1.05 ** (i - (len(series) - 1) / 2)  # keep the bars apart
        ax.errorbar(
            places,
            mean,
            bars,
            color=color,
            linestyle=line,
            label=name,
            marker=MARKERS[i % 7],
            markersize=5,
            capsize=3,
        )
    _scale(ax, x, log_x)
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title)
    ax.grid(alpha=0.3)
    if len(series) > 1:
        ax.legend(**LEGEND)
    return ax


def codes(
    z: Tensor, labels: Tensor | None, *, prior: bool = False, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw two-dimensional codes, each as the number of its label.

    Args:
        z: (N, 2).
        labels: (N,), or None for dots.
        prior: Whether to draw the circle of radius 2, too, which holds 86% of a standard normal, N(0, I).
        title: Of the figure.
        ax: Where to draw; a new figure by default.

    Raises:
        ValueError: For codes of another shape.
    """
    if z.dim() != 2 or z.shape[1] != 2:
        raise ValueError(f"codes of shape {tuple(z.shape)} cannot be drawn on a plane: give (N, 2).")
    ax = ax or _axes(6, 5.4)
    places = _array(z)
    if labels is None:
        ax.scatter(places[:, 0], places[:, 1], s=9, color=COLORS[0], alpha=0.7)
    else:
        for i, label in enumerate(labels.unique().tolist()):
            z1, z2 = places[_array(labels == label)].T
            size = 34 * len(str(label))  # the square of the height, so that 17 is as large as 1
            ax.scatter(z1, z2, s=size, marker=f"${label}$", color=TEN[i % 10], linewidth=0.2)
    if prior:
        ax.add_patch(Circle((0, 0), 2, fill=False, linewidth=2.5, zorder=3))
        ring = Line2D([], [], linestyle="", marker="o", markersize=11, fillstyle="none", markeredgewidth=2.5)
        ring.set(color="black", label="holds 86% of N(0, I)")
        below = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12)}
        ax.legend(handles=[ring], frameon=False, **below)  # type: ignore[call-overload]
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
    """Draw a density over a 2-D latent space, dark where it is high.

    Args:
        values: (points, points), on the nodes of the grid.
        grid: A 2-D grid.
        q: A Gaussian over z, (2,), drawn as its ellipses of 1 and 2 σ.
        z: Points (K, 2) to draw.
        zoom: Whether to show only the part that holds the density and q; otherwise the whole grid, with a
            ring around that part.
        title: Of the figure.
        ax: Where to draw; a new figure by default.

    Raises:
        ValueError: If the values do not fit the grid, or the grid is not 2-D.
    """
    if grid.latent_dim != 2 or values.shape != grid.shape:
        raise ValueError(f"values of shape {tuple(values.shape)} are not the {grid.shape} of a 2-D grid.")
    ax = ax or _axes(4.4, 4.2)
    shade = _array(values / values.max())
    edge = grid.radius + grid.step / 2
    extent = (-edge, edge, -edge, edge)
    ax.imshow(shade.T, origin="lower", extent=extent, cmap="Greys", interpolation="bilinear")  # z_1 →, z_2 ↑
    shown = grid.nodes().reshape(*grid.shape, 2).numpy()[shade > 1e-2]  # (nodes, 2), to be in the picture
    if q is not None:
        mean, sigma = _array(q.mean), _array(q.stddev)
        for k, label in ((1, "$q(z|x)$: 1 and 2 σ"), (2, None)):
            width, height = 2 * k * sigma
            ellipse = Ellipse((mean[0], mean[1]), width, height, fill=False, edgecolor=COLORS[1], label=label)
            ellipse.set(linestyle="--", linewidth=1.8)
            ax.add_patch(ellipse)
        shown = np.concatenate([shown, [mean - 2.3 * sigma, mean + 2.3 * sigma]])
    if z is not None:
        z1, z2 = _array(z).T
        ax.scatter(z1, z2, s=9, color=COLORS[0], alpha=0.7, label="samples")
    (x, y), half = (shown.max(0) + shown.min(0)) / 2, 0.6 * (shown.max(0) - shown.min(0)).max()
    if zoom:
        ax.set(xlim=(x - half, x + half), ylim=(y - half, y + half))
    else:
        ring = Circle((x, y), max(half, 0.06 * grid.radius), fill=False, color=COLORS[1], linewidth=1.8)
        ring.set_label("where the density lies")
        ax.add_patch(ring)
    ax.set(xlabel="$z_1$", ylabel="$z_2$", title=title)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.yaxis.set_major_locator(MaxNLocator(5))
    if q is not None or z is not None or not zoom:
        ax.legend(**LEGEND, loc="best", fontsize=9)
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
    """Draw the three terms of D6 for each image as a bar, and −log p(x) as a mark.

    The bar is −reconstruction with the KL divergence on top, so it ends at −ELBO; from there the gap hangs
    down. If the three terms add up, it ends at the mark, which is drawn from its own values.

    Args:
        reconstruction: E[log p(x|z)], (B,), in nats.
        kl: KL(q(z|x), p(z)), (B,), in nats.
        gap: KL(q(z|x), p(z|x)), (B,), in nats.
        log_p_x: log p(x), (B,), in nats.
        title: Of the figure.
        ax: Where to draw; a new figure by default.
    """
    ax = ax or _axes(9, 4.2)
    cost, divergence = -_array(reconstruction.double()), _array(kl.double())
    hanging, total = -_array(gap.double()), -_array(log_p_x.double())
    places = np.arange(1, len(total) + 1)
    ax.bar(places, cost, color="#B8D4EA", label="−E[log p(x|z)]: reconstruction")
    ax.bar(places, divergence, bottom=cost, color=COLORS[5], label="+ KL(q(z|x), p(z))")
    ax.bar(
        places,
        hanging,
        bottom=cost + divergence,
        width=0.5,
        fill=False,
        hatch="////",
        edgecolor=COLORS[0],
        linewidth=0.8,
        label="− KL(q(z|x), p(z|x)): the gap",
    )
    ends = places - 0.45, places + 0.45
    ax.hlines(total, *ends, color="black", linewidth=2, label="−log p(x), from the grid")
    low, high = min(cost.min(), total.min()), (cost + divergence).max()
    ax.set(xlabel="image", ylabel="nats", title=title)
    ax.set_ylim(max(0, low - 0.3 * (high - low)), high + 0.3 * (high - low))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(**LEGEND, ncols=2, loc="upper left", fontsize=9)
    return ax


def waterfall(
    lines: Mapping[str, Mapping[str, Tensor]], image: int = 0, *, title: str = "", ax: Axes | None = None
) -> Axes:
    """Draw D1 to D6 for one image: the bars of each line, one after the other, end at log p(x).

    A bar begins where the one above it ends, the first at 0. If 0 is far away, the axis is broken, or the
    divergences would be too short to see. A bar has the colors of the densities in its term.

    Args:
        lines: From `vae_edu.elbo.derivation`: label → term → (B,), in nats.
        image: Which of the B.
        title: Of the figure.
        ax: Where to draw; a new figure by default.
    """
    rows = {
        label: {name: float(term[image]) for name, term in terms.items()} for label, terms in lines.items()
    }
    ends = {label: np.cumsum(list(terms.values())) for label, terms in rows.items()}
    log_p_x = float(np.mean([end[-1] for end in ends.values()]))
    reached = np.concatenate([*ends.values(), [log_p_x]])
    low, high = reached.min(), reached.max()
    broken = max(high, 0) - min(low, 0) > 2 * (high - low)  # 0 would take more than half of the room
    if not broken:
        low, high = min(low, 0), max(high, 0)
    unit = max(high - low, 1e-6) / 100
    left, names, right = low - 5 * unit, high + 7 * unit, high + 150 * unit
    zero = 0.0
    if broken:  # by the edge of the axes, and drawn only up to there
        zero = right if log_p_x < 0 else left - 16 * unit
        left = min(left, zero)
    lanes = sum(len(terms) + 1 for terms in rows.values())
    ax = ax or _axes(5.6, 1.2 + 0.24 * lanes)
    font: dict[str, Any] = {"va": "center", "fontsize": 11.5}
    beside: dict[str, Any] = {"va": "center", "ha": "right", "transform": ax.get_yaxis_transform()}
    y = 0
    for label, terms in rows.items():
        middle, start = y + (len(terms) - 1) / 2, zero
        ax.text(-0.02, middle - 0.42, label, weight="bold", fontsize=13, **beside)
        ax.text(-0.02, middle + 0.5, REASONS.get(label, ""), color="#444444", fontsize=10, **beside)
        for (name, value), end in zip(terms.items(), ends[label], strict=True):
            densities = re.findall(r"[pq]\([xz|]+\)", name)
            height = 0.8 / len(densities)
            for i, density in enumerate(densities):
                box = Rectangle((start, y - 0.4 + i * height), end - start, height, linewidth=0)
                box.set(facecolor=ROLES[density], gid=f"{label}: {name}")
                ax.add_patch(box)
            ax.plot([end, end], [y - 0.4, y + 1.4], color="#444444", linewidth=0.9, zorder=1.5)
            color = "white" if densities == ["p(x)"] and zero == right else "black"
            ax.text(names, y, _math(name), color=color, **font)
            ax.text(right - 10 * unit, y, _signed(value), color=color, ha="right", **font)
            start, y = end, y + 1
        y += 1
        ax.axhline(y - 1, color="#CCCCCC", linewidth=0.8, zorder=0)
    ax.set(xlim=(left, right), ylim=(y - 1, -1), yticks=[])
    ax.set_title(title, pad=26)
    bottom = y - 1
    ax.axvline(log_p_x, color="black", linewidth=1.8, zorder=3)
    total = rf"$\log\,p(x)$ = {_signed(log_p_x).lstrip('+')} nats"
    ax.annotate(total, (log_p_x, -1), (0, 5), textcoords="offset points", ha="center", fontsize=12)
    ticks = [tick for tick in MaxNLocator(3).tick_values(low, high) if low <= tick <= high]
    places = [f"{tick:g}".replace("-", "−") for tick in ticks]
    if broken:
        edge = (right if zero == right else left) - 5 * unit * (1 if zero == right else -1)
        down = np.linspace(-1, bottom + 0.4, 200)
        torn = edge + 0.8 * unit * np.sin(4 * down)
        ax.plot(torn, down, color="white", linewidth=4, zorder=4, clip_on=False)
        ticks, places = [*ticks, zero], [*places, "0"]
    ax.set_xticks(ticks, places)
    ax.set_xlabel("nats", x=(log_p_x - left) / (right - left))
    ax.spines[["left", "right", "top"]].set_visible(False)
    return ax


def rate_distortion(
    kl: Sequence[float],
    distortion: Sequence[float],
    labels: Sequence[str],
    *,
    title: str = "",
    log_p_x: Sequence[float] | None = None,
) -> Axes:
    """Draw models in the plane of the two terms of (L5), with lines on which the bound is the same.

    Args:
        kl: D_KL(q(z|x), p(z)) of each model, the rate, in nats per image.
        distortion: −E[log p(x|z)] of each, in nats per image.
        labels: Their names, such as "β = 4". A line joins the models in this order.
        title: Of the figure.
        log_p_x: log p(x) of each, which adds a panel that compares it with the bound.

    Returns:
        The axes of the plane.
    """
    rate, cost = np.asarray(kl, dtype=float), np.asarray(distortion, dtype=float)
    rows = 1 if log_p_x is None else 2
    heights = [4.4, 1.1 + 0.3 * len(labels)][:rows]
    size: dict[str, Any] = {"figsize": (5.6, sum(heights)), "height_ratios": heights, "squeeze": False}
    panels = plt.subplots(rows, 1, dpi=110, layout="constrained", **size)[1][:, 0]
    ax = panels[0]
    loss = rate + cost  # −ELBO
    margin = 0.12 * max(np.ptp(rate), 1), 0.1 * max(np.ptp(cost), 1)
    left, right = rate.min() - margin[0], rate.max() + 3 * margin[0]
    least, most = loss.min() - margin[1], loss.max() + margin[1]
    levels = MaxNLocator(6).tick_values(least, most)
    levels = levels[(levels >= least) & (levels <= most)]
    bottom, top = min(cost.min() - margin[1], levels[0] - right), cost.max() + 1.6 * margin[1]
    for level in levels:
        ax.plot([left, right], [level - left, level - right], color="#888888", linestyle="--", linewidth=0.9)
        name = f"{-level:g}".replace("-", "−")
        ax.annotate(
            name, (right, level - right), (4, 0), textcoords="offset points", va="center", color="#444444"
        )
    ax.plot(rate, cost, "o-", color=COLORS[0], linewidth=1.2, markersize=7)
    for label, *place in zip(labels, rate, cost, strict=True):
        ax.annotate(label, place, (7, 5), textcoords="offset points", bbox=HALO)
    ax.set(xlim=(left, right), ylim=(bottom, top), title=title)
    ax.set(xlabel="$D_{KL}(q(z|x),\\,p(z))$, nats per image", ylabel="$-$E$[\\log\\,p(x|z)]$, nats per image")
    ax.annotate("ELBO", (right, levels[-1] - right), (4, 12), textcoords="offset points", color="#444444")
    if log_p_x is not None:
        _gaps(panels[1], -np.asarray(log_p_x, dtype=float), loss, labels)
    return ax


def _gaps(ax: Axes, exact: np.ndarray, loss: np.ndarray, labels: Sequence[str]) -> None:
    """−log p(x) and −ELBO of each model, and the gap as the line between them."""
    places = np.arange(len(labels))
    ax.hlines(places, exact, loss, color=COLORS[0], linewidth=4, alpha=0.35, label="the gap")
    ax.plot(loss, places, "o", color=COLORS[0], markersize=7, label="−ELBO")
    ax.plot(exact, places, "|", color="black", markersize=15, markeredgewidth=3, label="−log p(x)")
    ax.set_yticks(places, labels)
    ax.set(ylim=(len(labels) - 0.5, -0.5), xlabel="nats per image; less is better")
    ax.grid(axis="x", alpha=0.3)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, frameon=False)


def training(watched: Mapping[str, Sequence[float]], *, title: str = "") -> Axes:
    """Draw what `vae_edu.monitor.monitor` watched: term 1, the divergences, and the bound.

    If log p(x) is known, the gap is a curve in the middle panel and the shaded band in the right one.

    Args:
        watched: Name → a value for each epoch, in nats per held-out image.
        title: Of the figure.

    Returns:
        The axes of the right panel.
    """
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), dpi=110, layout="constrained")
    units: dict[str, Any] = {"xlabel": "epoch", "ylabel": "nats per held-out image"}
    divergences = {"KL(q(z|x), p(z)): term 2": watched["kl"]}
    bounds = {"ELBO": watched["elbo"]}
    known = "log p(x)" in watched
    if known:
        divergences["KL(q(z|x), p(z|x)): the gap"] = watched["gap"]
        bounds = {"log p(x), exact": watched["log p(x)"], "ELBO": watched["elbo"]}
    curves({"": watched["reconstruction"]}, **units, title="E[log p(x|z)]: term 1", ax=left)
    curves(divergences, **units, title="divergences", ax=middle).set_ylim(bottom=0)
    curves(bounds, **units, title="the bound", ax=right)
    if known:
        epochs = np.arange(1, len(watched["elbo"]) + 1)
        elbo, log_p_x = np.asarray(watched["elbo"]), np.asarray(watched["log p(x)"])
        right.fill_between(epochs, elbo, log_p_x, color=COLORS[1], alpha=0.2, linewidth=0, label="the gap")
        right.legend(edgecolor="none", loc="lower right")
    figure.suptitle(title)
    return right


def collapse(
    eigenvalues: Tensor, variances: Sequence[float] | Tensor, measured: Sequence[Tensor], *, title: str = ""
) -> Axes:
    """Draw what each dimension of a linear VAE costs, ½ log(λ/σ²) or 0, against σ², and trained models.

    Args:
        eigenvalues: λ of each dimension, (d,), the largest first.
        variances: σ² of each trained model.
        measured: The KL divergence from the prior of each dimension, (d,), of each trained model.
        title: Of the figure.
    """
    ax = _axes(6.4, 3.8)
    values = _array(eigenvalues.float())
    sweep = np.geomspace(0.7 * min(values.min(), *map(float, variances)), 1.4 * values.max(), 300)
    for i, value in enumerate(values):
        law = 0.5 * np.log(np.maximum(value / sweep, 1))
        ax.plot(sweep, law, color=COLORS[0], linewidth=1, label="½ log(λ/σ²), or 0" if i == 0 else None)
    for i, (variance, kl) in enumerate(zip(variances, measured, strict=True)):
        place = np.full(len(kl), float(variance))
        ax.plot(place, _array(kl.float()), MARKERS[1], color=COLORS[1], label="trained" if i == 0 else None)
    ax.set_xscale("log")
    round_places = [
        p * 10.0**e for e in range(-9, 9) for p in (1, 2, 3, 5) if sweep[0] < p * 10.0**e < sweep[-1]
    ]
    ax.set_xticks(round_places, [f"{place:g}" for place in round_places])
    ax.set_xticks([], minor=True)
    ax.set(xlabel="σ², the variance of the decoder's noise", ylabel="KL from the prior, nats", title=title)
    ax.grid(alpha=0.3)
    ax.legend(**LEGEND)
    return ax


def live(draw: Callable[[Any], Axes], alt: str = "") -> Callable[[Any], None]:
    """Make a figure that is drawn anew at every call, in the same place of a notebook; elsewhere nothing.

    Args:
        draw: Makes the figure from what it is called with.
        alt: What the figure shows, its alternative text, as in `show`.

    Returns:
        A function to call with what to draw. Only the last figure stays in the notebook.
    """
    handles: list[Any] = []
    described = {"metadata": {"image/png": {"alt": alt}}} if alt else {}

    def show(values: Any) -> None:
        display = _display_of_a_notebook()
        if display is None:
            return
        figure = figure_of(draw(values))
        plt.close(figure)  # or the notebook would show it a second time
        if handles:
            handles[0].update(figure, **described)
        elif handle := display(figure, display_id=True, **described):
            handles.append(handle)

    return show


def show(drawn: Axes | Figure, alt: str) -> None:
    """Show a figure in a notebook with a text for those who cannot see it, and close it; elsewhere nothing.

    Args:
        drawn: The figure, or any of its axes.
        alt: What the figure shows, in a sentence or two. It becomes the alternative text of the image.

    Raises:
        ValueError: The text is empty.
    """
    if not alt.strip():
        raise ValueError("alt is empty: say in a sentence what the figure shows.")
    figure = drawn if isinstance(drawn, Figure) else figure_of(drawn)
    plt.close(figure)  # or the notebook would show it a second time
    if display := _display_of_a_notebook():
        display(figure, metadata={"image/png": {"alt": alt}})


def _display_of_a_notebook() -> Callable[..., Any] | None:
    """IPython's `display`; None outside of IPython."""
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        return None
    return None if get_ipython() is None else display


def rgb(x: Tensor, ink: bool = True) -> np.ndarray:
    """Images as pictures: (N, C, H, W) → (N, H, W, 3) in [0, 1].

    Args:
        x: (N, 1, H, W) or (N, 3, H, W). Values outside [0, 1] are clipped.
        ink: Whether the 1 of a single channel is ink on white paper, or else light.

    Returns:
        float32 numbers.

    Raises:
        ValueError: For other shapes.
    """
    if x.dim() != 4 or x.shape[1] not in (1, 3):
        raise ValueError(
            f"images of shape {tuple(x.shape)} cannot be shown: give (N, 1, H, W) or (N, 3, H, W)."
        )
    pictures = _array(x.float().clamp(0, 1)).transpose(0, 2, 3, 1)
    if pictures.shape[-1] == 3:
        return pictures
    return np.repeat(1 - pictures if ink else pictures, 3, axis=-1)


def figure_of(ax: Axes) -> Figure:
    """The figure that holds the axes."""
    figure = ax.figure
    assert isinstance(figure, Figure)  # a subfigure is one of a figure that somebody else made
    return figure


def save(ax: Axes, file: str | Path | IO[bytes], **options: Any) -> None:
    """Write the figure of the axes as a PNG, the same bytes every time, and close it.

    Args:
        ax: Any axes of the figure.
        file: A path, or a file opened to write bytes. At a path, the picture is written whole or not at all.
        **options: Those of matplotlib's savefig.

    Raises:
        OSError: If the file cannot be written. An older one stays.
    """
    figure = figure_of(ax)
    options |= {"format": "png", "metadata": {"Software": None}}  # no version of matplotlib
    try:
        if not isinstance(file, str | Path):
            figure.savefig(file, **options)
            return
        with whole_file(Path(file)) as part:
            figure.savefig(part, **options)
    finally:
        plt.close(figure)


def _axes(width: float, height: float) -> Axes:
    """The axes of a new figure of so many inches."""
    return plt.subplots(figsize=(width, height), dpi=110, layout="constrained")[1]


def _bounded(width: float, height: float) -> tuple[float, float]:
    """The inches of a figure, made smaller if it is larger than `LARGEST`."""
    side, area = LARGEST
    scale = min(1, side / max(width, height), (area / (width * height)) ** 0.5)
    return width * scale, height * scale


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()


def _math(name: str) -> str:
    """A term of the derivation as a formula."""
    name = name.replace("E[", r"\mathrm{E}[").replace("KL(", "D_{KL}(").replace("log ", r"\log\,")
    return f"${name}$"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _table(values: Sequence[float] | Tensor) -> np.ndarray:
    """The values as (points, repeats)."""
    if not isinstance(values, Tensor):
        values = torch.tensor([float(value) for value in values], dtype=torch.float64)
    return _array(values).astype(float).reshape(len(values), -1)


def _scale(ax: Axes, x: Sequence[float] | None, log_x: bool) -> None:
    """Ticks at whole numbers, or, if there are few points, at the points."""
    if log_x:
        ax.set_xscale("log")
    if x is None:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    elif len(x) <= 10:
        ax.set_xticks(x, [f"{place:g}" for place in x])
        ax.set_xticks([], minor=True)


def _image_rows(names: list[str], rows: list[Tensor], title: str, ax: Axes | None, ink: bool) -> Axes:
    pictures = [rgb(x, ink) for x in rows]
    height, width = pictures[0].shape[1:3]
    columns = max(map(len, pictures))
    ax = ax or _axes(*_bounded(0.72 * columns + 1.6, 0.76 * len(pictures) + 0.4))
    gap = max(1, height // 14)
    sheet = np.ones((len(pictures) * (height + gap) - gap, columns * (width + gap) - gap, 3))
    for row, line in enumerate(pictures):
        for column, picture in enumerate(line):
            top, left = row * (height + gap), column * (width + gap)
            sheet[top : top + height, left : left + width] = picture
    ax.imshow(sheet, interpolation="nearest")
    places = [(height + gap) * row + height / 2 for row in range(len(pictures))]
    ax.set_yticks(*(places, names) if any(names) else ([],))
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return ax
