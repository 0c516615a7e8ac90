"""Labels: whole numbers, or names that become whole numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vae_edu.data.errors import DatasetError

Labels = tuple[Tensor | None, tuple[str, ...] | None]


def read_labels(labels: Any, n: int, what: str) -> Labels:
    """Labels as int64, with the names of the classes if the labels are names.

    Args:
        labels: (N,) or (N, 1): whole numbers of any type, 0 or above, or strings.
        n: How many images they belong to.
        what: Holds them, for messages.

    Returns:
        (N,) int64, and for strings the sorted names: label k is the name at place k.

    Raises:
        DatasetError: If they are something else, or not n.
    """
    array = _array(labels, what)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.shape[0] == n:
        raise DatasetError(
            f"{what} holds labels of shape {array.shape}, {array.shape[1]} numbers for each image: if one "
            "of them is 1 and the others are 0, give labels.argmax(1), else one column, labels[:, 0]."
        )
    if array.ndim != 1 or len(array) != n:
        raise DatasetError(
            f"{what} holds labels of shape {array.shape}, and there are {n} images: give one label an image, "
            "or labels=None."
        )
    if array.dtype.kind in "US":
        names, numbers = np.unique(array.astype(str), return_inverse=True)
        return torch.from_numpy(numbers.astype(np.int64)), tuple(names.tolist())
    return _numbers(array, what), None


def _array(labels: Any, what: str) -> np.ndarray:
    if isinstance(labels, Tensor):
        return labels.detach().cpu().float().numpy() if labels.is_floating_point() else labels.cpu().numpy()
    try:
        array = np.asarray(labels.to_numpy() if hasattr(labels, "to_numpy") else labels)
    except Exception as error:
        raise DatasetError(f"{what} holds labels of unequal shapes: give one number an image.") from error
    if array.dtype.kind == "O" and array.size:
        kinds = {type(label) for label in array.flat}
        if kinds == {str}:
            return array.astype(str)
        if all(issubclass(kind, int | np.integer) for kind in kinds):
            return np.array([min(int(label), 2**63) for label in array.flat], np.uint64).reshape(array.shape)
    return array


def _numbers(array: np.ndarray, what: str) -> Tensor:
    if array.dtype.kind not in "biuf":
        raise DatasetError(f"{what} holds labels of type {array.dtype}: give whole numbers or names.")
    if array.dtype.kind == "f":
        wrong = ~(np.isfinite(array) & (array == np.round(array)))
        if wrong.any():
            raise DatasetError(
                f"{what} holds the label {array[wrong][0]} for image {wrong.argmax()}: give whole numbers."
            )
    if array.size and (array.min() < 0 or array.max() > 2**63 - 1):
        wrong = array.min() if array.min() < 0 else array.max()
        raise DatasetError(
            f"{what} holds the label {wrong}: labels are whole numbers from 0 to 2**63 - 1; "
            "number the classes 0, 1, 2, …, or give labels=None."
        )
    return torch.from_numpy(array.astype(np.int64))


def names_of(classes: Any, labels: Tensor | None) -> tuple[str, ...] | None:
    """The names of the classes if there is one for each label, else None."""
    if labels is None or isinstance(classes, str) or not isinstance(classes, Sequence):
        return None
    return tuple(map(str, classes)) if len(classes) > int(labels.max()) else None
