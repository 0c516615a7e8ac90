"""The data {x⁽ⁱ⁾}: stroke digits, MNIST and its relatives, or any folder of IDX or .npy files."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

import vae_edu
from vae_edu.data import strokes
from vae_edu.data.download import SOURCES, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS, fetch
from vae_edu.data.idx import DatasetError, map_file, read_idx, read_npy
from vae_edu.data.mapped import MappedImages, gray
from vae_edu.engine.arguments import image_index, whole_number

__all__ = [
    "DatasetError",
    "Images",
    "MappedImages",
    "binarize",
    "load_images",
    "map_images",
    "read_idx",
    "stroke_digits",
]

FILES = {"train": (TRAIN_IMAGES, TRAIN_LABELS), "test": (TEST_IMAGES, TEST_LABELS)}
STROKES = {"train": 60_000, "test": 10_000}  # images of each split, as many as MNIST has


@dataclass(frozen=True, eq=False)
class Images:
    """N images with their labels; indexing picks rows of everything at once.

    Attributes:
        x: (N, C, H, W) float32 in [0, 1].
        labels: (N,) int64, or None if there are none: the lecture's raw data.
        factors: What the images were made from, a column (N, …) for each name, or None if unknown.
        classes: The name of each label, such as that of a folder of pictures, or None if they have none.
    """

    x: Tensor
    labels: Tensor | None = None
    factors: dict[str, Tensor] | None = None
    classes: tuple[str, ...] | None = None

    @property
    def known_labels(self) -> Tensor:
        """The labels (N,), for what cannot do without.

        Raises:
            ValueError: If there are none.
        """
        if self.labels is None:
            raise ValueError("these images have no labels, and this needs them: give Images(x, labels).")
        return self.labels

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int | slice | list[int] | Tensor) -> "Images":
        rows = image_index(index, len(self))
        return self._map(lambda column: column[rows])

    def shrink(self, factor: int = 2) -> "Images":
        """Smaller images, each pixel the mean of factor × factor; labels and factors stay what they were.

        Raises:
            ValueError: If the factor does not divide height and width.
        """
        height, width = self.x.shape[-2:]
        if height % whole_number("factor", factor, 1) or width % factor:
            raise ValueError(f"{factor} does not divide the {height} × {width} pixels of these images.")
        return replace(self, x=avg_pool2d(self.x, factor))

    def shrink_to(self, side: int) -> "Images":
        """Images of at most so many pixels a side, each the mean of what it covers; smaller ones stay so.

        Of 28 × 28 pixels `shrink_to(14)` makes the same as `shrink(2)`. It takes images of any size, and
        keeps their proportions, rounded.

        Raises:
            ValueError: If the side is not 1 or more.
        """
        shape = self.x.shape[-2:]
        ratio = min(1, whole_number("side", side, 1) / max(shape))
        height, width = (max(1, round(ratio * pixels)) for pixels in shape)
        return replace(self, x=adaptive_avg_pool2d(self.x, (height, width)))

    def to(self, device: torch.device | str) -> "Images":
        """The same images on a device."""
        return self._map(lambda column: column.to(device))

    def _map(self, change: Callable[[Tensor], Tensor]) -> "Images":
        labels = None if self.labels is None else change(self.labels)
        factors = self.factors and {name: change(column) for name, column in self.factors.items()}
        return replace(self, x=change(self.x), labels=labels, factors=factors)


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
    value counts for every image, and a factor that is not named keeps its neutral value. The images are on
    `device`, `vae_edu.device()` by default.

    Returns:
        Images with x (n, 1, 28, 28).

    Raises:
        ValueError: For an n below 1, or bad factors.
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
    device: torch.device | str | None = None,
    *,
    at_most: int | None = None,
) -> Images:
    """Load a data set by name, or the four IDX or .npy files of a folder.

    A folder's .npy files are train-images.npy, train-labels.npy, t10k-images.npy and t10k-labels.npy:
    images (N, H, W) or (N, C, H, W) uint8, labels (N,) of any integers.

    Args:
        name: "strokes" (drawn here, offline), "mnist", "fashion_mnist", "kmnist", or the path of a folder;
            by default the environment variable VAE_EDU_DATASET, else strokes. Named files come from
            $VAE_EDU_DATA/<name>/, else from the user's cache, else from the public mirrors.
        split: "train" or "test". The two never share an image: stroke digits of even and of odd seeds.
        n: How many images, chosen at random by the seed; by default all.
        seed: See n.
        device: Where the images are, `vae_edu.device()` by default.
        at_most: Instead of n: so many, or all if there are fewer.

    Raises:
        ValueError: For bad arguments.
        DatasetError: If the files are missing, or not what they should be. No file is left half-written.
    """
    name, n, at_most, seed = _checked(name, split, n, at_most, seed)
    if name == "strokes":
        n = n or min(at_most or STROKES[split], STROKES[split])
        return stroke_digits(n, seed=2 * seed + (split == "test"), device=device)
    x, labels, rows = _read(name, split, n, at_most, seed, read=_read_file)
    images = Images(x if rows is None else x[rows], labels).to(vae_edu.device(device))
    return replace(images, x=gray(images.x))


def map_images(
    folder: str | Path | None = None,
    split: str = "train",
    n: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    *,
    at_most: int | None = None,
) -> MappedImages:
    """The images of `load_images` left in their file, for data larger than memory.

    `fit` takes them like a tensor (N, C, H, W), whose rows are read as they are taken. Gzipped files must
    be unpacked before, and the file must not change meanwhile; stroke digits have none. On CUDA the bytes
    go to the GPU if they take at most half of its free memory.

    Args:
        folder: As the name of `load_images`.
        split: "train" or "test".
        n: How many images, chosen at random by the seed; by default all.
        seed: See n.
        device: Where images come out, `vae_edu.device()` by default.
        at_most: Instead of n: so many, or all if there are fewer.

    Raises:
        ValueError: For bad arguments.
        DatasetError: If the files are missing, gzipped, or not what they should be.
    """
    name, n, at_most, seed = _checked(folder, split, n, at_most, seed)
    if name == "strokes":
        raise ValueError("stroke digits are drawn, not read: use load_images, or name a folder of files.")
    x, labels, rows = _read(name, split, n, at_most, seed, read=map_file)
    return MappedImages(x, labels, rows).to(vae_edu.device(device))


def default_name() -> str:
    """The data set that `load_images` loads by default: $VAE_EDU_DATASET, or else strokes."""
    return os.environ.get("VAE_EDU_DATASET") or "strokes"


def binarize(x: Tensor, seed: int | None = None) -> Tensor:
    """Make pixels 0 or 1: 1 if x ≥ 0.5, or, with a seed, 1 with probability x.

    Args:
        x: Any shape, in [0, 1].
        seed: Of the draw; by default nothing is drawn.

    Returns:
        Pixels of the shape, dtype and device of x.

    Raises:
        ValueError: For values outside [0, 1] or not finite, and for mapped images.
    """
    if isinstance(x, MappedImages):
        raise ValueError("mapped images stay gray: binarize x[rows], or use elbo.negative_elbo_of_binarized.")
    if not ((x >= 0) & (x <= 1)).all():
        raise ValueError("binarize needs pixels in [0, 1]: divide bytes by 255, and remove NaN.")
    if seed is None:
        return (x >= 0.5).to(x.dtype)
    generator = torch.Generator(x.device).manual_seed(whole_number("seed", seed, 0))
    return torch.bernoulli(x.float(), generator=generator).to(x.dtype)


def _checked(
    name: str | Path | None, split: str, n: int | None, at_most: int | None, seed: int
) -> tuple[str | Path, int | None, int | None, int]:
    """The arguments of a data set, checked, and its name if none is given."""
    if split not in FILES:
        raise ValueError(f"unknown split {split!r}: use 'train' or 'test'.")
    if n is not None and at_most is not None:
        raise ValueError(
            f"n = {n} and at_most = {at_most} are two answers to one question: give one of them."
        )
    n = None if n is None else whole_number("n", n, 1)
    at_most = None if at_most is None else whole_number("at_most", at_most, 1)
    return name or default_name(), n, at_most, whole_number("seed", seed, 0)


def _read(
    name: str | Path,
    split: str,
    n: int | None,
    at_most: int | None,
    seed: int,
    read: Callable[[Path], Tensor],
) -> tuple[Tensor, Tensor, Tensor | None]:
    """All images (M, C, H, W) uint8, the labels (N,) of those that are wanted, and which these are (N,)."""
    x_path, labels_path = (_locate(name, file) for file in FILES[split])
    x, labels = read(x_path), _read_file(labels_path)
    _check(x, x_path, labels, labels_path)
    x = x[:, None] if x.dim() == 3 else x
    n = min(at_most, len(x)) if at_most else n
    if n is None:
        return x, labels.long(), None
    if n > len(x):
        raise ValueError(f"n = {n}, but {name} has {len(x)} {split} images: ask for at most as many.")
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))[:n]
    return x, labels[rows].long(), rows


def _locate(name: str | Path, file: str) -> Path:
    """Where a data set's file is, downloaded first if it must be. A Path is always a folder."""
    if name not in SOURCES:
        folder = Path(name).expanduser()
        if not folder.is_dir():
            known = ", ".join(["strokes", *SOURCES])
            raise ValueError(
                f"unknown data set {str(name)!r}: use {known}, or the path of a folder of IDX files."
            )
        return _find(folder, file)
    if os.environ.get("VAE_EDU_DATA"):
        root = Path(os.environ["VAE_EDU_DATA"]).expanduser()
        if not root.is_dir():
            raise DatasetError(
                f"VAE_EDU_DATA={root} is not a folder: set it to the folder that holds {name}/."
            )
        if (root / name).is_dir():
            return _find(root / name, file)
    return fetch(str(name), file)


def _find(folder: Path, file: str) -> Path:
    stems = file, file.replace("-idx", ".idx")  # some archives write a dot
    npy = f"{file.partition('-idx')[0]}.npy"
    for name in (*stems, npy, *(f"{stem}.gz" for stem in stems)):  # what can be mapped comes first
        if (folder / name).exists():
            return folder / name
    raise DatasetError(f"{folder} has no {file}, gzipped or not, and no {npy}: put the four files there.")


def _read_file(path: Path) -> Tensor:
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
