"""Say what images the lessons will run on, or in one sentence why they cannot, before the first cell."""

from torch import Tensor, linalg

from vae_edu.data import Images, load_images
from vae_edu.probe import class_count

FEWEST = {"train": 100, "test": 20}  # images
SMALLEST = 5  # pixels a side
LARGEST = 40 * 40  # pixels an image; the time of PCA grows with the cube of it
FEWEST_DIRECTIONS = 3  # in which images differ: lesson 2 describes them by two of them


def describe() -> str:
    """What $VAE_EDU_DATASET holds: "1,397 train and 400 test images of 8 × 8 gray pixels, labels 0 to 9".

    Raises:
        ValueError: If the images cannot be loaded, or the lessons cannot run on them.
    """
    train = load_images(at_most=10_000, device="cpu", gray=True)
    test = load_images(split="test", at_most=2_000, device="cpu", gray=True)
    check(train, test)
    labels = "no labels"
    if train.labels is not None:
        labels = f"labels {train.labels.min()} to {train.labels.max()}"
    return f"{len(train):,} train and {len(test):,} test images of {_size(train.x)} gray pixels, {labels}"


def check(train: Images, test: Images) -> None:
    """Raise ValueError, in one sentence, if the lessons cannot run on these images."""
    for name, images in {"train": train, "test": test}.items():
        if len(images) < FEWEST[name]:
            raise ValueError(
                f"there are {len(images)} {name} images, and the lessons need {FEWEST[name]}: add images."
            )
    size = _size(train.x)
    if train.x.shape[1:] != test.x.shape[1:]:
        raise ValueError(f"train images have {size} pixels, test images {_size(test.x)}: give all one size.")
    if min(train.x.shape[2:]) < SMALLEST:
        raise ValueError(
            f"images of {size} pixels show too little: the lessons need {SMALLEST} × {SMALLEST}."
        )
    if train.x[0].numel() > LARGEST:
        raise ValueError(f"images of {size} pixels take the lessons hours: set VAE_EDU_SIZE=28.")
    _check_pixels(train.x)
    _check_labels(train, test)


def _check_pixels(x: Tensor) -> None:
    some = x[:: max(1, len(x) // 100)].flatten(1).double()
    if linalg.matrix_rank(some - some.mean(0)) < FEWEST_DIRECTIONS:
        raise ValueError("the images are all alike, or nearly: the lessons need images that differ.")
    black = x >= 0.5
    if (black == black[0]).all():
        raise ValueError(
            f"pixels go from {x.min():.2g} to {x.max():.2g}: in black and white, with black from 0.5 on, "
            "all images are alike; scale them to 0 to 1."
        )


def _check_labels(train: Images, test: Images) -> None:
    if (train.labels is None) != (test.labels is None):
        without = "train" if train.labels is None else "test"
        raise ValueError(f"the {without} images have no labels, the others do: give both theirs, or neither.")
    if train.labels is None:
        return
    class_count(train.labels)
    classes = len(train.labels.unique())
    if classes > len(train) / 2:
        raise ValueError(
            f"{len(train):,} images have {classes:,} different labels, too many for classes: remove them."
        )


def _size(x: Tensor) -> str:
    return " × ".join(map(str, x.shape[2:]))
