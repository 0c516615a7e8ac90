"""The sliders: what they draw is the decoder's mean at the code that they show, live or as a picture."""

import base64
import io
import statistics
import sys
import time

import IPython.display
import ipywidgets
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch

from tests.test_lessons import run
from vae_edu import device, sliders
from vae_edu.vae import VAE

WIDGET = "application/vnd.jupyter.widget-view+json"


@pytest.fixture
def model():
    torch.manual_seed(0)
    vae = VAE((1, 8, 6), 4, "gaussian", hidden=32)
    with torch.no_grad():
        for weight in vae.parameters():
            weight *= 3  # so that every dimension shows
    return vae


@pytest.fixture
def x():
    return torch.rand(1, 1, 8, 6, generator=torch.Generator().manual_seed(1)).to(device())


@pytest.fixture
def shown(monkeypatch):
    """What was displayed, in order."""
    bundles = []
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw, metadata: bundles.append(bundle))
    return bundles


def parts(box, kind):
    """The widgets of a kind in a box, from top to bottom and left to right."""
    found = [box] if isinstance(box, kind) else []
    return found + [part for child in getattr(box, "children", ()) for part in parts(child, kind)]


def pixels(png):
    return plt.imread(io.BytesIO(png))[..., :3]


def ink(png, times):
    """A PNG's gray image as numbers, large for dark, one for each square of pixels."""
    picture = pixels(png)
    squares = picture.reshape(picture.shape[0] // times, times, -1, times, 3)
    np.testing.assert_array_equal(squares, np.broadcast_to(squares[:, :1, :, :1], squares.shape))
    return 1 - squares[:, 0, :, 0, 0]


def mean_at(model, z):
    """The decoder's mean (8, 6), through the network itself."""
    with torch.no_grad():
        return model.decoder(z)[0, 0].sigmoid().cpu().numpy()


def code_of(model, x):
    with torch.no_grad():
        return model.encoder(x)[:, : model.latent_dim]


def test_a_slider_moves_its_dimension_and_nothing_else(model, x):
    before = x.clone()
    box = sliders.slider_box(model, x, range(4), 3.0)
    controls = parts(box, ipywidgets.FloatSlider)
    original, edited = parts(box, ipywidgets.Image)
    times = round(220 / 8)
    code = code_of(model, x)
    assert [control.description for control in controls] == ["z[0]", "z[1]", "z[2]", "z[3]"]
    assert all(control.continuous_update for control in controls)
    np.testing.assert_allclose([control.value for control in controls], code[0].cpu(), atol=1e-6)
    np.testing.assert_allclose(ink(edited.value, times), mean_at(model, code), atol=1 / 250)
    first = original.value
    np.testing.assert_allclose(ink(first, times), x[0, 0].cpu(), atol=1 / 250)
    for dim, value in [(2, 1.5), (0, -2.25)]:  # the second edit keeps the first
        controls[dim].value = value
        code[0, dim] = value
        np.testing.assert_allclose(ink(edited.value, times), mean_at(model, code), atol=1 / 250)
    assert original.value == first
    assert torch.equal(x, before)


def test_reset_brings_the_first_picture_back(model, x):
    box = sliders.slider_box(model, x, [3, 1], 3.0)
    controls, edited = parts(box, ipywidgets.FloatSlider), parts(box, ipywidgets.Image)[1]
    assert [control.description for control in controls] == ["z[3]", "z[1]"]
    (button,) = parts(box, ipywidgets.Button)
    first = edited.value
    for control in controls:
        control.value = -2.5
    assert edited.value != first
    button.click()
    assert edited.value == first
    np.testing.assert_allclose(controls[0].value, code_of(model, x)[0, 3].item())
    for control in controls:  # a browser rounds what it was given to the slider's step
        control.value = -3 + control.step * round((control.value + 3) / control.step)
        assert edited.value == first
    controls[1].value += control.step
    assert edited.value != first


def test_a_slider_reaches_as_far_as_the_code(model, x):
    with torch.no_grad():
        model.encoder[-1].bias[:4] += torch.tensor([0, 50.0, 0, -50.0]).to(x)
    box = sliders.slider_box(model, x, range(4), 0.5)
    for control, value in zip(parts(box, ipywidgets.FloatSlider), code_of(model, x)[0].tolist()):
        assert control.value == pytest.approx(value)
        assert control.min <= min(-0.5, value)
        assert max(0.5, value) <= control.max


def test_many_sliders_stand_in_two_columns(x):
    few, many = (sliders.slider_box(VAE((1, 8, 6), n, hidden=8), x, range(n), 3.0) for n in (8, 20))
    (few,), (many,) = parts(few, ipywidgets.GridBox), parts(many, ipywidgets.GridBox)
    assert few.layout.grid_template_columns.startswith("repeat(1,")
    assert many.layout.grid_template_columns.startswith("repeat(2,")
    assert len(many.children) == 20


def test_the_picture_follows_at_once():
    vae = VAE((1, 28, 28), 20, "bernoulli", network="cnn")
    box = sliders.slider_box(vae, torch.zeros(1, 1, 28, 28).to(device()), range(20), 3.0)
    control, edited = parts(box, ipywidgets.FloatSlider)[7], parts(box, ipywidgets.Image)[1]
    seconds, pictures = [], set()
    for step in range(21):
        start = time.process_time()
        control.value = 3 - 0.3 * step
        seconds.append(time.process_time() - start)
        pictures.add(edited.value)
    assert statistics.median(seconds[1:]) < 0.05
    assert len(pictures) > 10


def test_the_contact_sheet_moves_one_dimension_in_a_row(model, x, monkeypatch):
    drawn = {}
    image_rows = sliders.plots.image_rows

    def spy(rows, title=""):
        drawn["ax"] = image_rows(rows, title)
        drawn["rows"] = rows
        return drawn["ax"]

    monkeypatch.setattr(sliders.plots, "image_rows", spy)
    open_before = plt.get_fignums()
    png = sliders.contact_sheet(model, x, [0, 3], [-2.0, 0.5, 3.0])
    assert plt.get_fignums() == open_before
    assert list(drawn["rows"]) == ["z[0]", "z[3]"]
    for dim, images in zip([0, 3], drawn["rows"].values()):
        for value, image in zip([-2.0, 0.5, 3.0], images):
            code = code_of(model, x)
            code[0, dim] = value
            np.testing.assert_allclose(image[0].cpu(), mean_at(model, code), atol=1e-5)
    ax = drawn["ax"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["-2", "0.5", "3"]
    for column, place in enumerate(ax.get_xticks()):  # an image and its gap are 7 wide
        assert 7 * column + 2 <= place <= 7 * column + 4
    assert ax.get_title()
    assert ax.get_xlabel()
    assert png == sliders.contact_sheet(model, x, [0, 3], [-2.0, 0.5, 3.0])
    assert b"Matplotlib" not in png


def test_one_bundle_holds_the_sliders_and_the_picture(model, x, shown):
    sliders.sliders(model, x)
    (bundle,) = shown
    assert set(bundle) == {"text/plain", "image/png", WIDGET}
    assert bundle[WIDGET]["model_id"]
    assert bundle["text/plain"].startswith("the image at")
    assert pixels(bundle["image/png"]).shape[1] > 300


def test_without_ipywidgets_there_is_the_picture(model, x, shown, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    sliders.sliders(model, x, dims=[2])
    assert [set(bundle) for bundle in shown] == [{"text/plain", "image/png"}]


def test_the_widgets_of_ipywidgets_7_are_shown_too(model, x, shown, monkeypatch):
    """Colab has version 7, in which a widget is not asked for its views but displays itself."""
    if hasattr(ipywidgets.Widget, "_repr_mimebundle_"):
        monkeypatch.delattr(ipywidgets.Widget, "_repr_mimebundle_")
    sliders.sliders(model, x)
    (bundle,) = shown
    assert set(bundle) == {"text/plain", "image/png", WIDGET}
    assert set(bundle[WIDGET]) == {"model_id", "version_major", "version_minor"}


def test_without_ipython_there_is_one_sentence(model, x, monkeypatch):
    monkeypatch.setitem(sys.modules, "IPython.display", None)
    with pytest.raises(ImportError, match="pip install jupyter ipywidgets"):
        sliders.sliders(model, x)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.rand(2, 1, 8, 6)}, "x holds 2 images: give one"),
        ({"x": torch.rand(1, 8, 6)}, r"give images of the model's shape, \(B, 1, 8, 6\)"),
        ({"x": [1.0]}, "x is a list"),
        ({"dims": [0, 4]}, "there is no latent dimension 4: they are 0 to 3"),
        ({"dims": [-1]}, "there is no latent dimension -1"),
        ({"dims": []}, r"dims = \[\] must name at least one"),
        ({"dims": [1, 1]}, r"dims = \[1, 1\] must name .* none of them twice"),
        ({"radius": 0.0}, "radius = 0.0 must be above 0"),
        ({"radius": float("nan")}, "radius = nan must be above 0"),
        ({"static_values": 1}, "static_values = 1 must be a whole number, 2 or above"),
    ],
)
def test_bad_input_gets_one_sentence_and_nothing_is_shown(model, x, shown, change, message):
    arguments = {"x": x} | {k: v.to(device()) if torch.is_tensor(v) else v for k, v in change.items()}
    with pytest.raises(ValueError, match=message):
        sliders.sliders(model, **arguments)
    assert not shown


def test_color_images_keep_their_colors():
    x = torch.rand(1, 3, 4, 5)
    picture = pixels(sliders.png(x))
    assert picture.shape == (176, 220, 3)
    np.testing.assert_allclose(picture[::44, ::44], x[0].permute(1, 2, 0), atol=1 / 250)


def test_a_committed_lesson_keeps_the_picture_and_nothing_of_the_widgets(tmp_path, monkeypatch):
    code = (
        "import torch\nfrom vae_edu.sliders import sliders\nfrom vae_edu.vae import VAE\n"
        "torch.manual_seed(0)\nsliders(VAE((1, 8, 8), 2, hidden=8), torch.rand(1, 1, 8, 8))"
    )
    path = tmp_path / "99_small.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), path)
    monkeypatch.setenv("VAE_EDU_DEVICE", "cpu")
    runs = []
    for _ in range(2):
        assert run.run(path, inplace=True).failure is None
        runs.append(path.read_bytes())
    assert runs[0] == runs[1]
    assert b"widget" not in runs[0]
    (output,) = nbformat.read(path, 4).cells[0].outputs
    assert set(output.data) == {"text/plain", "image/png"}
    assert base64.b64decode(output.data["image/png"]).startswith(b"\x89PNG")
