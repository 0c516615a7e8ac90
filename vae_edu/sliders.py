"""Editing by hand (lecture section 8): a slider for each dimension of z, and the image that z makes."""

import io
import math
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from vae_edu import plots
from vae_edu.edit import changed, traverse
from vae_edu.engine.arguments import whole_number
from vae_edu.interface import LatentVariableModel, check_images

if TYPE_CHECKING:
    from ipywidgets import Box  # type: ignore[import-untyped]

PICTURE_PIXELS = 220  # the height or width of a picture on the screen
WIDGET = "application/vnd.jupyter.widget-view+json"
SLIDER_STEP = 0.05  # what an arrow key moves a slider by


def sliders(
    model: LatentVariableModel,
    x: Tensor,
    *,
    dims: Sequence[int] | None = None,
    radius: float = 3.0,
    static_values: int = 7,
) -> None:
    """Show x and the mean of p(x|z), with sliders that change z; they start at the mean of q(z|x).

    The sliders need JupyterLab or another live notebook with ipywidgets. Everywhere else the same cell shows
    a picture, `contact_sheet`.

    Args:
        model: Anything with prior, encode and decode.
        x: One image, (1, C, H, W).
        dims: The dimensions of z, from 0, that get a slider; all by default.
        radius: The sliders go from −radius to radius, and as far as the code of x.
        static_values: How many places along a dimension the picture shows.

    Raises:
        ImportError: If IPython is not installed.
        ValueError: For more than one image, unknown dimensions, or a radius that is not above 0.
    """
    try:
        from IPython.display import display
    except ImportError as error:
        raise ImportError(
            "sliders needs a notebook: pip install jupyter ipywidgets. The picture alone is contact_sheet."
        ) from error
    check_images(model, x)
    if len(x) != 1:
        raise ValueError(f"x holds {len(x)} images: give one, (1, C, H, W), such as x[:1].")
    if not 0 < radius < math.inf:
        raise ValueError(f"radius = {radius!r} must be above 0; 3 holds 99.7% of a standard normal.")
    values = torch.linspace(-radius, radius, whole_number("static_values", static_values, 2))
    dims = range(*model.prior().event_shape) if dims is None else dims
    if not len(dims) or len(set(dims)) < len(dims):
        raise ValueError(f"dims = {list(dims)} must name at least one dimension, and none of them twice.")
    views: dict[str, Any] = {
        "text/plain": "the image at several places along the dimensions of its code",
        "image/png": contact_sheet(model, x, dims, values),
    }
    with suppress(ImportError):  # if ipywidgets is not installed
        views[WIDGET] = slider_box(model, x, dims, radius).get_view_spec()  # as ipywidgets 7 and 8 have it
    text = "An image in rows, one for each dimension of its code: along a row that dimension grows."
    alt = {"image/png": {"alt": text}}
    display(views, raw=True, metadata=alt)  # a notebook shows the richest one that it can


def contact_sheet(
    model: LatentVariableModel, x: Tensor, dims: Sequence[int], values: Sequence[float] | Tensor
) -> bytes:
    """A picture of what an image becomes as one dimension of its code moves, a row for each dimension.

    Args:
        model: Anything with encode and decode.
        x: One image, (1, C, H, W).
        dims: The dimensions of z, from 0.
        values: What each of them is set to.

    Returns:
        A PNG.

    Raises:
        ValueError: For an unknown dimension.
    """
    rows = {f"z[{dim}]": traverse(model, x, dim, values)[:, 0] for dim in dims}
    ax = plots.image_rows(rows, title="mean of p(x|z) as one dimension of z moves")
    left, right = ax.get_xlim()
    width = (right - left) / len(values)
    ax.set_xticks((np.arange(len(values)) + 0.5) * width, [f"{value:.3g}" for value in values])
    ax.set_xlabel("value of that dimension")
    file = io.BytesIO()
    plots.save(ax, file)
    return file.getvalue()


def slider_box(model: LatentVariableModel, x: Tensor, dims: Sequence[int], radius: float) -> "Box":
    """The widgets: x and the mean of p(x|z) above the sliders and a button that resets them.

    Args:
        model: Anything with encode and decode.
        x: One image, (1, C, H, W).
        dims: The dimensions of z, from 0, that get a slider.
        radius: The sliders go from −radius to radius, and as far as the code of x.

    Returns:
        A box of ipywidgets.

    Raises:
        ImportError: If ipywidgets is not installed.
    """
    from ipywidgets import Button, FloatSlider, GridBox, HBox, Image, Label, Layout, VBox

    with torch.no_grad():
        code = model.encode(x).mean
    start = {dim: code[0, dim].item() for dim in dims}
    controls = {}
    for dim, value in start.items():
        reach = max(radius, math.ceil(abs(value)))
        controls[dim] = FloatSlider(value, min=-reach, max=reach, step=SLIDER_STEP, description=f"z[{dim}]")
        controls[dim].layout.width, controls[dim].style.description_width = "350px", "40px"
    frame = {"layout": Layout(border="1px solid lightgray")}
    edited = Image(**frame)

    @torch.no_grad()
    def draw(_: object = None) -> None:
        values = {dim: control.value for dim, control in controls.items()}
        # browsers round to the step, so a slider within half a step of its start changes nothing
        edits = {dim: value for dim, value in values.items() if abs(value - start[dim]) > SLIDER_STEP / 2}
        edited.value = png(model.decode(changed(code, edits)).mean)

    def reset(_: Button) -> None:
        for dim, control in controls.items():
            control.value = start[dim]

    draw()
    for control in controls.values():
        control.observe(draw, names="value")
    button = Button(description="reset", tooltip="back to the code of the image")
    button.on_click(reset)
    original = Image(value=png(x), **frame)
    pictures = [VBox([Label("the image x"), original]), VBox([Label("mean of p(x|z)"), edited])]
    columns = f"repeat({1 if len(dims) <= 8 else 2}, 360px)"
    grid = GridBox(list(controls.values()), layout=Layout(grid_template_columns=columns))
    return VBox([HBox(pictures, layout=Layout(grid_gap="16px")), grid, button])


def png(x: Tensor) -> bytes:
    """An image as a PNG with large square pixels.

    Args:
        x: (1, C, H, W) in [0, 1]; if C is 1, ink is dark on white.

    Returns:
        The bytes of the file.
    """
    (picture,) = plots.rgb(x)
    times = max(1, round(PICTURE_PIXELS / max(picture.shape[:2])))
    file = io.BytesIO()
    large = picture.repeat(times, axis=0).repeat(times, axis=1)
    plt.imsave(file, large, format="png", metadata={"Software": None})
    return file.getvalue()
