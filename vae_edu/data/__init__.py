"""The data {x⁽ⁱ⁾}: stroke digits, MNIST and its relatives, or any folder of IDX or .npy files."""

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

import vae_edu
from vae_edu.data import strokes
from vae_edu.data.download import SOURCES, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, fetch
from vae_edu.data.idx import DatasetError, map_file, read_idx, read_npy
from vae_edu.data.pixels import Pixels, grey
from vae_edu.engine.arguments import whole_number

__all__ = ["DatasetError", "Images", "binarize", "load_images", "read_idx", "stroke_digits"]

FILES = {"train": (TRAIN_IMAGES, TRAIN_LABELS), "test": (TEST_IMAGES, TEST_LABELS)}
STROKES = {"train": 60_000, "test": 10_000}  # images of each split, as many as MNIST has


@dataclass(frozen=True, eq=False)
class Images:
    """N images with their labels; indexing picks rows of everything at once.

    x: (N, C, H, W) float32 in [0, 1], or the same as `Pixels`, whose rows are read when they are taken.
    labels: (N,) int64.
    factors: what the images were made from, a column (N, …) for each name, or None where unknown.
    """

    x: Tensor | Pixels
    labels: Tensor
    factors: dict[str, Tensor] | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int | slice | Tensor) -> "Images":
        if isinstance(index, int) or (isinstance(index, Tensor) and index.dim() == 0):
            if not -len(self) <= index < len(self):  # a GPU would stop working for good
                raise IndexError(f"there is no image {int(index)} of {len(self)}.")
            index = [int(index)]
        return self._map(lambda column: column[index])

    def shrink(self, factor: int = 2) -> "Images":
        """Smaller images, each pixel the mean of factor × factor; labels and factors stay what they were.

        Raises ValueError where the factor does not divide height and width, and for `Pixels`.
        """
        if isinstance(self.x, Pixels):
            raise ValueError("mapped images keep their size: shrink images[rows], or load without mapped.")
        height, width = self.x.shape[-2:]
        if height % whole_number("factor", factor, 1) or width % factor:
            raise ValueError(f"{factor} does not divide the {height} × {width} pixels of these images.")
        return Images(avg_pool2d(self.x, factor), self.labels, self.factors)

    def to(self, device: torch.device | str) -> "Images":
        return self._map(lambda column: column.to(device))

    def _map(self, change) -> "Images":
        factors = self.factors and {name: change(column) for name, column in self.factors.items()}
        return Images(change(self.x), change(self.labels), factors)


def stroke_digits(
    n: int | None = None,
    seed: int = 0,
    factors: dict | None = None,
    device: torch.device | str | None = None,
) -> Images:
    """Stroke digits drawn by the package, each with the factors that made it.

    `stroke_digits(n, seed)` draws n images from random factors: digit, thickness, slant, width,
    rotation, scale, shift_x, shift_y (`vae_edu.data.strokes.FACTORS` has their ranges and units) and the
    jitter of the hand. Image i depends on the seed and on i alone.
    `stroke_digits(factors={"digit": 3, "slant": [0, 0.2, 0.4]})` draws exactly what is asked: one
    value counts for every image, and a factor that is not named keeps its neutral value.

    Returns Images with x (n, 1, 28, 28). Raises ValueError for an n below 1 or for bad factors.
    """
    if factors is None:
        table = strokes.random_factors(whole_number("n", n, 1), whole_number("seed", seed, 0))
    else:
        table = strokes.complete_factors(factors)
        if n not in (None, len(table["digit"])):
            raise ValueError(
                f"n = {n} contradicts the {len(table['digit'])} images of the factors: leave n out."
            )
    return Images(strokes.draw(table), table["digit"], table).to(vae_edu.device(device))


def load_images(
    name: str | Path | None = None,
    split: str = "train",
    n: int | None = None,
    seed: int = 0,
    mapped: bool = False,
    device: torch.device | str | None = None,
) -> Images:
    """Load a data set by name, or the four IDX or .npy files of a folder, onto `vae_edu.device()`.

    name: "strokes" (drawn here, offline), "mnist", "fashion_mnist", "kmnist", or the path of a folder;
        without one, the environment variable VAE_EDU_DATASET, else strokes. Named files come from
        $VAE_EDU_DATA/<name>/, else from the user's cache, else from the public mirrors.
        A folder's .npy files are train-images.npy, train-labels.npy, t10k-images.npy and t10k-labels.npy:
        images (N, H, W) or (N, C, H, W) uint8, labels (N,) of any integers.
    split: "train" or "test". The two never share an image: stroke digits of even and of odd seeds.
    n: how many images, chosen at random by the seed; all of them without it.
    mapped: leave the images in their file, for data larger than memory: x is then
        `vae_edu.data.pixels.Pixels`, whose rows are read as they are taken, and which `fit` takes like a
        tensor. Gzipped files must be unpacked before, and the file must not change meanwhile; stroke digits
        have none. On CUDA the bytes go to the GPU where they take at most half of its free memory.

    device: where the images are, `vae_edu.device()` by default.

    Raises ValueError or DatasetError in one sentence; no file is left half-written.
    """
    name = name or default_name()
    if split not in FILES:
        raise ValueError(f"unknown split {split!r}: use 'train' or 'test'.")
    n = None if n is None else whole_number("n", n, 1)
    seed = whole_number("seed", seed, 0)
    if name == "strokes":
        if mapped:
            raise ValueError(
                "stroke digits are drawn, not read: leave mapped out, or name a folder of files."
            )
        return stroke_digits(n or STROKES[split], seed=2 * seed + (split == "test"), device=device)
    x_path, labels_path = (_locate(name, file) for file in FILES[split])
    x, labels = map_file(x_path) if mapped else _read(x_path), _read(labels_path)
    _check(x, x_path, labels, labels_path)
    x = x[:, None] if x.dim() == 3 else x
    keep = None
    if n is not None:
        if n > len(x):
            raise ValueError(f"n = {n}, but {name} has {len(x)} {split} images: ask for at most as many.")
        keep = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:n]
        labels = labels[keep]
    device = vae_edu.device(device)
    labels = labels.long().to(device)
    if mapped:
        return Images(Pixels(x, keep).to(device), labels)
    return Images(grey((x if keep is None else x[keep]).to(device)), labels)


def default_name() -> str:
    """The data set that `load_images` loads by default: $VAE_EDU_DATASET, or else strokes."""
    return os.environ.get("VAE_EDU_DATASET") or "strokes"


def binarize(x: Tensor, seed: int | None = None) -> Tensor:
    """Make pixels 0 or 1: 1 where x ≥ 0.5, or, with a seed, 1 with probability x.

    x: any shape, in [0, 1]; the result has its shape, dtype and device.
    Raises ValueError for values outside [0, 1] or not finite, and for `Pixels`.
    """
    if isinstance(x, Pixels):
        raise ValueError("mapped images stay grey: binarize x[rows], or use elbo.negative_elbo_of_binarized.")
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError("binarize needs pixels in [0, 1]: divide bytes by 255, and remove NaN.")
    if seed is None:
        return (x >= 0.5).to(x.dtype)
    generator = torch.Generator(x.device).manual_seed(whole_number("seed", seed, 0))
    return torch.bernoulli(x.float(), generator=generator).to(x.dtype)


def _locate(name: str | Path, file: str) -> Path:
    """Where a data set's file lies, downloaded first where it must be. A Path is always a folder."""
    if name not in SOURCES:
        folder = Path(name).expanduser()
        if not folder.is_dir():
            known = ", ".join(["strokes", *SOURCES])
            raise ValueError(
                f"unknown data set {str(name)!r}: use {known}, or the path of a folder of IDX files."
            )
        return _find(folder, file)
    if root := os.environ.get("VAE_EDU_DATA"):
        root = Path(root).expanduser()
        if not root.is_dir():
            raise DatasetError(
                f"VAE_EDU_DATA={root} is not a folder: set it to the folder that holds {name}/."
            )
        if (root / name).is_dir():
            return _find(root / name, file)
    return fetch(name, file)


def _find(folder: Path, file: str) -> Path:
    stems = file, file.replace("-idx", ".idx")  # some archives write a dot
    npy = f"{file.partition('-idx')[0]}.npy"
    for name in (*stems, npy, *(f"{stem}.gz" for stem in stems)):  # what can be mapped comes first
        if (folder / name).exists():
            return folder / name
    raise DatasetError(f"{folder} has no {file}, gzipped or not, and no {npy}: put the four files there.")


def _read(path: Path) -> Tensor:
    return read_npy(path) if path.suffix == ".npy" else read_idx(path)


def _check(x: Tensor, x_path: Path, labels: Tensor, labels_path: Path) -> None:
    if x.dim() not in (3, 4) or labels.dim() != 1:
        raise DatasetError(
            f"{x_path} and {labels_path} have {x.dim()} and {labels.dim()} dimensions, not 3 or 4 and 1: "
            "images go with images, labels with labels."
        )
    if x.dtype != torch.uint8:
        raise DatasetError(f"{x_path} holds integers of more than one byte: save images as uint8, 0 to 255.")
    if len(x) != len(labels):
        raise DatasetError(
            f"{x_path} holds {len(x)} images but {labels_path} {len(labels)} labels: take both from one set."
        )
