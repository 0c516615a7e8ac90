"""Which images are for training and which for testing."""

from collections.abc import Collection

import torch
from torch import Tensor

from vae_edu.data.errors import DatasetError, note

TEST_SHARE = 7  # one image of seven is for testing, as in MNIST
SEED = 0  # of the division, always the same, so that no seed of anything else mixes the two parts

Part = str | None  # "train", "test", "val", or None: nobody said


def choose(parts: Collection[Part], split: str, name: object) -> tuple[Part, bool]:
    """Which part of a data set to read for a split, and whether it must be divided first.

    Args:
        parts: The parts that there are.
        split: "train" or "test".
        name: Of the data set, for messages.

    Raises:
        DatasetError: If there is no such part, nor one to divide.
    """
    if split in parts and {"test", "val"} & {*parts} - {split}:
        return split, False
    if split == "test" and "val" in parts:
        return "val", False
    if split == "test" and "test" in parts:
        return "test", False
    if not {"train", None} & {*parts}:
        raise DatasetError(f"{name} has no train images, only {', '.join(map(str, parts))}: add train ones.")
    return "train" if "train" in parts else None, True


def divide(n: int, split: str, name: object) -> Tensor:
    """The rows (M,) of a split if a set of n images has only one part: a seventh is for testing.

    Raises:
        DatasetError: If there is only one image.
    """
    if n < 2:
        raise DatasetError(f"{name} has one image, and two are needed to train and to test: add images.")
    tested = max(1, n // TEST_SHARE)
    note(
        f"{name} has one set of {n:,} images: {n - tested:,} of them, chosen at random but always the same, "
        f"are for training and {tested:,} for testing."
    )
    order = torch.randperm(n, generator=torch.Generator().manual_seed(SEED))
    return order[tested:].sort().values if split == "train" else order[:tested].sort().values
