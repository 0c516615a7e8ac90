"""The pages on which one drags q and moves sliders: what they hold, and what is refused."""

import base64
import json
import math
import re

import numpy as np
import pytest
import torch

from vae_edu.__main__ import main
from vae_edu.conditional import ConditionalVAE
from vae_edu.explore import explore, page, rounded, slider_page
from vae_edu.grid import Grid
from vae_edu.vae import VAE


def content_of(text):
    return json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', text)[1])


def numbers(text, kind):
    return np.frombuffer(base64.b64decode(text), np.dtype(kind))


@pytest.fixture
def model():
    return VAE((1, 5, 4), 2, "bernoulli", hidden=[8, 6], device="cpu")


@pytest.fixture
def images():
    return (torch.rand(3, 1, 5, 4) > 0.5).float()


def test_the_page_holds_the_weights_as_float16_and_the_model_as_it_was_stays(model, images):
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    content = content_of(page(model, images))
    for name in ("encoder", "decoder"):
        layers = [layer for layer in getattr(model, name) if isinstance(layer, torch.nn.Linear)]
        assert len(layers) == len(content[name])
        for layer, saved in zip(layers, content[name]):
            np.testing.assert_array_equal(numbers(saved["w"], "<f2"), layer.weight.detach().half().flatten())
            np.testing.assert_array_equal(numbers(saved["b"], "<f2"), layer.bias.detach().half())
    for name, weight in model.state_dict().items():
        assert torch.equal(weight, before[name])
    for image, saved in zip(images, content["images"]):
        np.testing.assert_array_equal(numbers(saved, "u1"), 255 * image.flatten())


def test_the_sums_on_the_nodes_are_those_of_the_rounded_model(model, images):
    """An image without ink has log p(x|z) = −S(z), whatever the weights."""
    grid = content_of(page(model, images))["grid"]
    nodes = Grid(2, grid["points"], grid["radius"]).nodes().float()
    with torch.no_grad():
        blank = rounded(model).decode(nodes).log_prob(torch.zeros(len(nodes), 1, 5, 4))
        plain = model.decode(nodes).log_prob(torch.zeros(len(nodes), 1, 5, 4))
    np.testing.assert_allclose(numbers(grid["softplus"], "<f4"), -blank, rtol=1e-5)
    assert not np.allclose(numbers(grid["softplus"], "<f4"), -plain, rtol=1e-6)


def test_the_same_page_every_time_and_a_small_one(images):
    torch.manual_seed(0)
    vae = VAE((1, 14, 14), 2, "bernoulli", hidden=64, device="cpu")
    x = (torch.rand(20, 1, 14, 14) > 0.5).float()
    first = page(vae, x)
    assert first == page(vae, x)
    assert len(first) < 250_000
    assert not re.search(r"https?://|<link|\bimport\b|fetch\(|<!--[A-Z]+-->", first)


def test_any_mlp_of_black_and_white_images(images):
    for hidden, activation in (([], "relu"), (3, "tanh"), ([5, 4, 3], "relu")):
        vae = VAE((1, 5, 4), 2, "bernoulli", hidden=hidden, activation=activation)
        content = content_of(page(vae, images))
        assert content["activation"] == activation
        assert len(content["decoder"]) == 1 + np.size(hidden)


def test_a_narrow_posterior_gets_a_finer_grid(images):
    vae = VAE((1, 5, 4), 2, "bernoulli", hidden=[], device="cpu")
    with torch.no_grad():
        vae.decoder[0].weight.mul_(0).add_(1)
    coarse = content_of(page(vae, images))["grid"]["points"]
    with torch.no_grad():
        vae.decoder[0].weight.mul_(60)
    fine = content_of(page(vae, images))["grid"]["points"]
    assert coarse == 120
    assert fine > coarse


def test_a_title_cannot_break_the_page(model, images):
    assert "<title>&lt;b&gt; &amp; &quot;</title>" in page(model, images, '<b> & "')


def test_sliders_take_any_latent_dimension_but_not_hundreds(images):
    content = content_of(slider_page(VAE((1, 5, 4), 10, "bernoulli", hidden=8), images))
    assert content["latent"] == 10
    assert "grid" not in content
    with pytest.raises(ValueError, match="21 dimensions are too many sliders: 20 at most"):
        slider_page(VAE((1, 5, 4), 21, "bernoulli", hidden=8), images)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda: VAE((1, 5, 4), 3, "bernoulli"), "z has 3 dimensions, and the page draws the plane of 2"),
        (lambda: VAE((1, 5, 4), 1, "bernoulli"), "z has 1 dimension, and"),
        (lambda: VAE((1, 5, 4), 2), "likelihood is gaussian, and the page knows black and white"),
        (lambda: VAE((1, 5, 4), 2, "gaussian_one_sigma"), "likelihood is gaussian_one_sigma"),
        (lambda: VAE((1, 5, 4), 2, "bernoulli", network="cnn"), "is a CNN, and the page computes MLPs only"),
        (lambda: VAE((3, 5, 4), 2, "bernoulli"), "images are in color"),
        (
            lambda: ConditionalVAE((1, 5, 4), 2, 3),
            "is a ConditionalVAE: the page takes a VAE, without labels",
        ),
    ],
)
def test_other_models_get_one_sentence_and_nothing_is_written(other, message, images, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        explore(other(), images, tmp_path / "page.html")
    assert str(error.value).count(". ") == 0
    assert not list(tmp_path.iterdir())


def test_unfit_images_and_weights_get_one_sentence(model, images):
    with pytest.raises(ValueError, match=r"x is \(3, 1, 4, 5\): give images of the model's shape"):
        page(model, images.reshape(3, 1, 4, 5))
    with pytest.raises(ValueError, match="101 images are too many to choose from: give 100 at most"):
        page(model, images[:1].expand(101, -1, -1, -1))
    with torch.no_grad():
        model.decoder[0].weight[0, 0] = 1e5
    with pytest.raises(ValueError, match="weights above 65504"):
        page(model, images)


def saved(folder, **changes):
    settings = {"image_shape": (1, 14, 14), "latent_dim": 2, "likelihood": "bernoulli", "hidden": 8} | changes
    vae = VAE(**settings)
    vae.about = {"data": "strokes", "size": 14, "binarize": "half"}
    vae.save(folder / "model.pt")
    return str(folder / "model.pt")


def test_the_command_writes_the_page(tmp_path, capsys):
    model = saved(tmp_path, image_shape=(1, 28, 28))
    out = tmp_path / "page.html"
    assert main(["explore", model, "--data", "strokes", "--n", "3", "--out", str(out)]) == 0
    assert re.fullmatch(r"The page is in .*page\.html: \d+ kB\.\n", capsys.readouterr().out)
    content = content_of(out.read_text(encoding="utf-8"))
    assert len(content["images"]) == 3
    assert content["shape"] == [28, 28]
    assert math.isclose(content["grid"]["radius"], 5)


@pytest.mark.parametrize(
    ("changes", "out", "message"),
    [
        ({"latent_dim": 10}, "page.html", "this model's z has 10 dimensions"),
        ({"likelihood": "gaussian"}, "page.html", "likelihood is gaussian"),
        ({"network": "cnn"}, "page.html", "this model is a CNN"),
        ({}, "page.png", "page.png is no page: name an .html file."),
        ({}, "nowhere/page.html", "nowhere"),
        (None, "page.html", "missing.pt"),
    ],
)
def test_what_the_command_cannot_show_gets_one_line_and_the_old_page_stays(
    tmp_path, capsys, changes, out, message
):
    model = str(tmp_path / "missing.pt") if changes is None else saved(tmp_path, **changes)
    (tmp_path / "page.html").write_text("old")
    before = sorted(tmp_path.iterdir())
    assert main(["explore", model, "--out", str(tmp_path / out)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "page.html").read_text() == "old"
