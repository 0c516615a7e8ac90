"""Train two small VAEs on stroke digits, and write the pages on which one drags q and moves sliders.

python notebooks/explorer.py                  build/explorer.html and build/sliders.html, in a minute
python notebooks/explorer.py --out folder     another folder
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor

from vae_edu.data import binarize, stroke_digits
from vae_edu.elbo import negative_elbo
from vae_edu.explore import explore, slider_page
from vae_edu.train import fit
from vae_edu.vae import VAE

BUILD = Path(__file__).resolve().parent.parent / "build"


def small_model(
    side: int = 14, latent_dim: int = 2, hidden: int = 64, epochs: int = 30
) -> tuple[VAE, Tensor]:
    """A trained VAE and 20 held-out images, two of each digit; the same every time.

    Args:
        side: Pixels, 14 or 28.
        latent_dim: The dimensions of z.
        hidden: The width of its two hidden layers.
        epochs: Of 12,000 images.
    """
    x = binarize(stroke_digits(12_000, seed=0, device="cpu").shrink_to(side).x)
    held_out = stroke_digits(500, seed=1, device="cpu").shrink_to(side)
    torch.manual_seed(0)
    vae = VAE(x.shape[1:], latent_dim, "bernoulli", hidden=hidden, device="cpu")
    fit(vae, negative_elbo, x, epochs, batch_size=100, lr=3e-3, device="cpu")
    chosen = [int((held_out.labels == digit).nonzero()[n]) for n in range(2) for digit in range(10)]
    return vae, binarize(held_out.x)[chosen]


def write_pages(folder: Path) -> None:
    """Write explorer.html, with two dimensions, and sliders.html, with the ten of lesson 07."""
    folder.mkdir(parents=True, exist_ok=True)
    explore(*small_model(), folder / "explorer.html")
    text = slider_page(*small_model(side=28, latent_dim=10, hidden=128, epochs=10))
    (folder / "sliders.html").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the pages on which one drags q and moves sliders.")
    parser.add_argument("--out", type=Path, default=BUILD, metavar="FOLDER", help="default: build")
    options = parser.parse_args()
    write_pages(options.out)
    for name in ("explorer.html", "sliders.html"):
        print(f"{options.out / name}: {(options.out / name).stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
