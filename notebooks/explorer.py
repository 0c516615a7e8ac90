"""Train a small VAE on 14 × 14 stroke digits, and write the page on which one drags q by hand.

python notebooks/explorer.py                       build/explorer.html, some seconds
python notebooks/explorer.py --out page.html       another place
python notebooks/explorer.py --picture             also notebooks/pictures/explorer.png, with Chromium
"""

import argparse
import shutil
import subprocess
from pathlib import Path

import torch
from torch import Tensor

from vae_edu.data import binarize, stroke_digits
from vae_edu.elbo import negative_elbo
from vae_edu.explore import explore
from vae_edu.train import fit
from vae_edu.vae import VAE

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parent / "build" / "explorer.html"
PICTURE = FOLDER / "pictures" / "explorer.png"


def small_model(epochs: int = 30) -> tuple[VAE, Tensor]:
    """A trained VAE, 196-64-2-64-196, and 20 held-out images, two of each digit; the same every time."""
    x = binarize(stroke_digits(12_000, seed=0, device="cpu").shrink(2).x)
    held_out = stroke_digits(500, seed=1, device="cpu").shrink(2)
    torch.manual_seed(0)
    vae = VAE((1, 14, 14), 2, "bernoulli", hidden=64, device="cpu")
    fit(vae, negative_elbo, x, epochs, batch_size=100, lr=3e-3, device="cpu")
    chosen = [int((held_out.labels == digit).nonzero()[n]) for n in range(2) for digit in range(10)]
    return vae, binarize(held_out.x)[chosen]


def picture(page: Path, path: Path = PICTURE) -> None:
    """A still of the page at 1280 pixels, by headless Chromium."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        raise SystemExit("--picture needs Chromium or Chrome: install one, or leave the option out.")
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--window-size=1280,1000", "--virtual-time-budget=8000", f"--screenshot={path}"]
    subprocess.run([*command, page.resolve().as_uri()], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the page on which one drags q by hand.")
    parser.add_argument("--out", type=Path, default=PAGE, help="the page (default: build/explorer.html)")
    parser.add_argument("--picture", action="store_true", help=f"also {PICTURE.name}, with Chromium")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    explore(*small_model(), options.out)
    print(f"{options.out}: {options.out.stat().st_size / 1000:.0f} kB")
    if options.picture:
        picture(options.out)


if __name__ == "__main__":
    main()
