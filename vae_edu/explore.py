"""Pages on which one drags q(z|x) by hand, or moves sliders of z: a model's weights, and no server."""

import base64
import copy
import json
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vae_edu.engine.files import whole_file
from vae_edu.grid import Grid
from vae_edu.interface import check_images
from vae_edu.marginal import integral
from vae_edu.vae import VAE

POINTS = (120, 180, 240)  # a side of the page's grid on [−5, 5]²: the first that is fine enough
FINE = 360  # and what it is compared with
ENOUGH = 0.005  # nats between the two
MOST_IMAGES = 100  # each is a button
MOST_SLIDERS = 20


def explore(model: VAE, images: Tensor, path: str | Path, title: str = "Drag q") -> None:
    """Write the page of `page` as one HTML file; an older file is replaced whole or not at all.

    Args:
        model: A VAE with a two-dimensional z, a Bernoulli likelihood and MLPs.
        images: Held-out images to choose from, (B, 1, H, W).
        path: The file.
        title: Of the page.

    Raises:
        ValueError: As `page`.
        OSError: The file cannot be written.
    """
    text = page(model, images, title)
    with whole_file(Path(path)) as part:
        part.write_text(text, encoding="utf-8")


@torch.no_grad()
def page(model: VAE, images: Tensor, title: str = "Drag q") -> str:
    """A page that shows log p(x), p(z|x), q(z|x) and the three terms of D6 while one drags q.

    It holds the weights as float16 (`rounded`), and S(z) = Σ log(1 + e^logit) on the nodes of a grid as
    float32. With the decoder's last layer W h(z) + b the rest needs no pixel for each node:

    log p(x|z) = (Wᵀx)·h(z) + b·x − S(z).

    Args:
        model: A VAE with a two-dimensional z, a Bernoulli likelihood and MLPs.
        images: Held-out images to choose from, (B, 1, H, W), 100 at most; ink is 1, and 0.5 counts as ink.
        title: Of the page.

    Returns:
        HTML that needs no other file and no network; the same for the same model, images and version.

    Raises:
        ValueError: Another kind of model, or images that do not fit it.
    """
    model = rounded(model, latent_dim=2)
    x = (_checked(model, images) >= 0.5).float()
    exact = integral(model, x, Grid(2, FINE), None).log_p_x
    for points in POINTS:
        grid = Grid(2, points)
        if (integral(model, x, grid, None).log_p_x - exact).abs().max() < ENOUGH:
            break
    decoder = copy.deepcopy(model.decoder).double()  # so that the sums are the same on every machine
    nodes = grid.nodes().float().double().split(4096)
    softplus = torch.cat([nn.functional.softplus(decoder(z)).flatten(1).sum(1) for z in nodes])
    content = _network(model) | {
        "grid": {"points": grid.points, "radius": grid.radius, "softplus": _bytes(softplus, "<f4")},
        "images": _images(x),
    }
    return _html("explorer", title, content)


@torch.no_grad()
def slider_page(model: VAE, images: Tensor, title: str = "Edit by hand") -> str:
    """A small page with one slider for each dimension of z: an image's code is moved, and decoded at once.

    Args:
        model: A VAE with a Bernoulli likelihood and MLPs, of 20 latent dimensions at most.
        images: Images to choose from, (B, 1, H, W), 100 at most.
        title: Of the page.

    Returns:
        HTML that needs no other file and no network; it fits a frame of 690 pixels' height, on a phone 1,040.

    Raises:
        ValueError: Another kind of model, or images that do not fit it.
    """
    model = rounded(model)
    if model.latent_dim > MOST_SLIDERS:
        raise ValueError(f"{model.latent_dim} dimensions are too many sliders: {MOST_SLIDERS} at most.")
    return _html("sliders", title, _network(model) | {"images": _images(_checked(model, images))})


def rounded(model: VAE, latent_dim: int | None = None) -> VAE:
    """The model that a page shows: a copy on the CPU whose weights are the nearest float16, in float32.

    Args:
        model: A VAE.
        latent_dim: What the page needs; default: any.

    Raises:
        ValueError: Not a VAE with a Bernoulli likelihood, MLPs and gray images, another latent dimension, or
            weights beyond float16.
    """
    if not isinstance(model, VAE):
        raise ValueError(f"the model is a {type(model).__name__}: the page takes a VAE, without labels.")
    if model.likelihood != "bernoulli":
        raise ValueError(
            f"this model's likelihood is {model.likelihood}, and the page knows black and white pixels only: "
            "train one with --likelihood bernoulli."
        )
    if model.architecture["network"] != "mlp":
        raise ValueError(
            "this model is a CNN, and the page computes MLPs only: train one with --network mlp."
        )
    if model.image_shape[0] != 1:
        raise ValueError("this model's images are in color, and the page draws gray ones only: use --gray.")
    if latent_dim not in (None, model.latent_dim):
        has = f"{model.latent_dim} dimension{'s'[: model.latent_dim != 1]}"
        raise ValueError(
            f"this model's z has {has}, and the page draws "
            f"the plane of {latent_dim}: train one with --latent-dim {latent_dim}."
        )
    copied = copy.deepcopy(model).cpu().float().eval()
    for weight in copied.state_dict().values():
        weight.copy_(weight.half())
        if not weight.isfinite().all():
            raise ValueError("this model has weights above 65504, too large for float16: train it again.")
    return copied


def _checked(model: VAE, images: Tensor) -> Tensor:
    images = images.cpu() if isinstance(images, Tensor) else images
    check_images(model, images)
    if len(images) > MOST_IMAGES:
        raise ValueError(f"{len(images)} images are too many to choose from: give {MOST_IMAGES} at most.")
    return images


def _network(model: VAE) -> dict[str, Any]:
    """The weights, layer by layer, as float16."""

    def layers(network: nn.Module) -> Iterator[dict[str, str]]:
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                yield {"w": _bytes(layer.weight, "<f2"), "b": _bytes(layer.bias, "<f2")}

    return {
        "shape": list(model.image_shape[1:]),
        "latent": model.latent_dim,
        "activation": model.architecture["activation"],
        "encoder": list(layers(model.encoder)),
        "decoder": list(layers(model.decoder)),
    }


def _images(x: Tensor) -> list[str]:
    """Each image as bytes, one for each pixel."""
    return [_bytes((255 * image).round(), "u1") for image in x]


def _bytes(values: Tensor, kind: str) -> str:
    """Numbers as base64, in row order and little-endian."""
    return base64.b64encode(values.detach().numpy().astype(np.dtype(kind)).tobytes()).decode()


def _html(name: str, title: str, content: dict[str, Any]) -> str:
    """The page's sources and its content in one text."""
    folder = files("vae_edu") / "explorer"

    def source(file: str) -> str:
        return (folder / file).read_text(encoding="utf-8")

    parts = {
        "TITLE": escape(title),
        "STYLE": source("style.css"),
        "CONTENT": json.dumps(content, separators=(",", ":")),
        "SCRIPT": source("network.js") + source(f"{name}.js"),
    }
    text = source("frame.html").replace("<!--BODY-->", source(f"{name}.html").rstrip())
    for slot, part in parts.items():
        text = text.replace(f"<!--{slot}-->", part)
    return text
