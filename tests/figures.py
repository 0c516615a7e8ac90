"""What can be read in a figure."""

from itertools import combinations

from matplotlib.axes import Axes
from matplotlib.text import Text

from vae_edu.plots import figure_of


def overlaps(ax: Axes) -> list[str]:
    """The texts of the figure that cover another one, or leave the figure, once it is drawn."""
    figure = figure_of(ax)
    figure.canvas.draw()
    renderer, inside = figure.canvas.get_renderer(), figure.bbox.padded(1)
    unseen = {text for axes in figure.axes for text in unseen_labels(axes)}
    boxes = [
        (text.get_text(), text.get_window_extent(renderer).padded(-1))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in unseen
    ]
    found = [
        f"{text} leaves the figure"
        for text, box in boxes
        if not inside.contains(*box.min) or not inside.contains(*box.max)
    ]
    return found + [
        f"{a} covers {b}" for (a, one), (b, other) in combinations(boxes, 2) if one.overlaps(other)
    ]


def unseen_labels(ax: Axes) -> set[Text]:
    """Labels of ticks outside the axes, or of axes without a frame."""
    labels, seen = set(), set()
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        labels |= {
            label for tick in axis.majorTicks + axis.minorTicks for label in (tick.label1, tick.label2)
        }
        for tick in axis.get_major_ticks():
            if ax.axison and low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                seen.add(tick.label1)
    return labels - seen
