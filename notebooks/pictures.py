"""Draw the README's picture, notebooks/pictures/readme.png (make pictures)."""

from pathlib import Path

import matplotlib

matplotlib.use("agg")

import torch

from vae_edu import autoencoder, plots
from vae_edu.data import load_images, stroke_digits
from vae_edu.train import fit


def main() -> None:
    train, test = load_images("strokes", n=10_000), load_images("strokes", "test", n=500)
    torch.manual_seed(0)
    model = autoencoder.deep(train.x.shape[1:], latent_dim=16)
    fit(model, autoencoder.reconstruction_loss, train.x, epochs=12, lr=3e-3, unit="squared grey levels")
    chosen = torch.tensor([int((test.labels == digit).nonzero()[0]) for digit in range(10)])
    x = test.x[chosen]
    with torch.no_grad():
        x_hat = model(x)
    rows = {
        "an image, 784 numbers": x,
        "drawn again from 16": x_hat,
        "one factor: slant": stroke_digits(factors={"digit": 2, "slant": torch.linspace(-0.4, 0.6, 10)}).x,
        "another: thickness": stroke_digits(
            factors={"digit": 5, "thickness": torch.linspace(1.2, 4.2, 10)}
        ).x,
    }
    folder = Path(__file__).parent / "pictures"
    folder.mkdir(exist_ok=True)
    figure = plots.image_rows(rows).figure
    figure.savefig(folder / "readme.png", bbox_inches="tight", metadata={"Software": None})
    print(f"wrote {folder / 'readme.png'}")


if __name__ == "__main__":
    main()
