"""Draw the pictures of the README and of the texts into notebooks/pictures (make pictures).

The page of feedback and the explorer are screenshots of real ones. Without Chromium those that are there
stay.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib

matplotlib.use("agg")

import nbformat
import torch
from assignments import ANSWER, SOLUTION
from explorer import small_model
from matplotlib.axes import Axes
from PIL import Image, ImageChops
from torch import Tensor

from vae_edu import active_units, autoencoder, edit, elbo, generate, plots
from vae_edu.data import Images, binarize, load_images, stroke_digits
from vae_edu.explore import explore
from vae_edu.grading.grade import grade
from vae_edu.grid import Grid
from vae_edu.train import fit
from vae_edu.vae import VAE

FOLDER = Path(__file__).parent / "pictures"
WIDTH = 640  # pixels of the page of feedback
ANNAS = {  # answers to lesson 03: one that deserves a remark, and two wrong ones
    "bayes_rule": "(log_likelihood + log_prior - log_q).numpy()",
    "importance_sampling": "(log_likelihood + log_prior - log_q).mean(0)",
    "effective_samples": "log_w.exp().sum(0) ** 2 / (2 * log_w).exp().sum(0)",
}


def main() -> None:
    train, test = load_images("strokes", n=20_000), load_images("strokes", "test", n=500)
    save("readme.png", plots.image_rows(reconstructions(train, test)))
    save("vae.png", plots.image_rows(edits(train, test)))
    save("waterfall.png", waterfall())
    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if chromium is None:
        print("there is no Chromium, so feedback.png and explorer.png stay as they are")
        return
    for name, draw in {"feedback.png": feedback, "explorer.png": explorer}.items():
        draw(chromium, FOLDER / name)
        print(f"wrote {FOLDER / name}")


def reconstructions(train: Images, test: Images) -> Mapping[str, Tensor]:
    """An autoencoder at work, and two of the factors behind the images."""
    torch.manual_seed(0)
    model = autoencoder.deep(train.x.shape[1:], latent_dim=16)
    fit(model, autoencoder.reconstruction_loss, train.x, 6, lr=3e-3, unit="squared gray levels")
    first = [int((test.labels == digit).nonzero()[0]) for digit in range(10)]  # of each digit
    x = test.x[first]
    slant, thickness = torch.linspace(-0.4, 0.6, 10), torch.linspace(1.2, 4.2, 10)
    with torch.no_grad():
        return {
            "an image, 784 numbers": x,
            "drawn again from 16": model(x),
            "one factor: slant": stroke_digits(factors={"digit": 2, "slant": slant}).x,
            "another: thickness": stroke_digits(factors={"digit": 5, "thickness": thickness}).x,
        }


def edits(train: Images, test: Images) -> Mapping[str, Tensor]:
    """A VAE that generates, edits by name, and goes from one image to another."""
    torch.manual_seed(0)
    vae = VAE(train.x.shape[1:], latent_dim=10)
    fit(vae, elbo.negative_elbo, train.x, 8, lr=2e-3)
    known = train.factors or {}
    factors = {name: values for name, values in known.items() if name not in ("digit", "jitter")}
    found = edit.directions(active_units.code_means(vae, train.x), factors, train.labels)
    three, seven = (test.x[test.labels == digit][:1] for digit in (3, 7))
    rows = {"generated from the prior": generate.generate(vae, 10).mean}
    for name, title in {"thickness": "a 3, thicker and thicker", "slant": "and more slanted"}.items():
        strengths = torch.linspace(-2, 2, 10) * factors[name].std()
        rows[title] = edit.move(vae, three, found[name], strengths)[:, 0]
    with torch.no_grad():
        a, b = (vae.encode(x).mean for x in (three, seven))
        rows["from a 3 to a 7"] = vae.decode(edit.interpolate(a, b, 10, spherical=True)).mean[:, 0]
    return rows


def waterfall(images: int = 10_000, epochs: int = 10, grid: Grid | None = None) -> Axes:
    """D1 to D6 for one of lesson 04's images under its model: the image whose gap is the median."""
    train = binarize(load_images("strokes", at_most=images).x)
    test = binarize(load_images("strokes", "test", at_most=1_000).x)
    torch.manual_seed(0)
    vae = VAE(train.shape[1:], latent_dim=2, likelihood="bernoulli")
    fit(vae, elbo.negative_elbo, train, epochs)
    lines = elbo.derivation(vae, test[:100], grid or Grid(points=480, radius=8.0))
    gap = lines["D6"]["KL(q(z|x), p(z|x))"]
    image = int(gap.argsort()[len(gap) // 2])
    return plots.waterfall(lines, image, title="one image, six lines, one number")


def save(name: str, ax: Axes) -> None:
    FOLDER.mkdir(exist_ok=True)
    plots.save(ax, FOLDER / name, bbox_inches="tight")
    print(f"wrote {FOLDER / name}")


def screenshot(chromium: str, page: Path, picture: Path, width: int, height: int) -> None:
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    options += [f"--window-size={width},{height}", "--virtual-time-budget=8000", f"--screenshot={picture}"]
    subprocess.run([chromium, *options, page.resolve().as_uri()], check=True, capture_output=True)


def explorer(chromium: str, picture: Path) -> None:
    """The page on which one drags q by hand, as it opens."""
    with TemporaryDirectory() as room:
        page = Path(room) / "explorer.html"
        explore(*small_model(), page)
        screenshot(chromium, page, picture, 1280, 1000)


def feedback(chromium: str, picture: Path) -> None:
    """A page as `grade` writes it, of a notebook with one remark, two mistakes and an answer."""
    lesson = nbformat.read(FOLDER.parent / "03_bayes_rule.ipynb", as_version=4)
    for cell in lesson.cells:
        for name, answer in ANNAS.items():
            if f"def {name}(" in cell.source:
                cell.source = SOLUTION.sub(f"    return {answer}", cell.source)
    lesson.cells.append(nbformat.v4.new_markdown_cell(f"{ANSWER} The logarithm is concave."))
    with TemporaryDirectory() as room:
        notebook, whole = Path(room) / "anna.ipynb", Path(room) / "whole.png"
        nbformat.write(lesson, notebook)
        grade(notebook, Path(room) / "grades.csv", seed=0, unconfined=True)
        page = Path(room) / "grades_feedback" / "anna" / "03_bayes_rule.html"
        screenshot(chromium, page, whole, WIDTH, 2000)
        image = Image.open(whole).convert("RGB")
        *_, bottom = ImageChops.difference(image, Image.new("RGB", image.size, "white")).getbbox()
        image.crop((0, 0, WIDTH, bottom + 32)).save(picture)


if __name__ == "__main__":
    main()
