"""Draw the README's pictures into notebooks/pictures (make pictures)."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import torch
from torch import Tensor

from vae_edu import active_units, autoencoder, edit, elbo, generate, plots
from vae_edu.data import Images, load_images, stroke_digits
from vae_edu.train import fit
from vae_edu.vae import VAE

FOLDER = Path(__file__).parent / "pictures"


def main() -> None:
    train, test = load_images("strokes", n=20_000), load_images("strokes", "test", n=500)
    save("readme.png", reconstructions(train, test))
    save("vae.png", edits(train, test))


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


def save(name: str, rows: Mapping[str, Tensor]) -> None:
    FOLDER.mkdir(exist_ok=True)
    plots.save(plots.image_rows(rows), FOLDER / name, bbox_inches="tight")
    print(f"wrote {FOLDER / name}")


if __name__ == "__main__":
    main()
