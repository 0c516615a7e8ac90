"""Images that are in memory already: arrays, tensors, lists, Datasets."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

import vae_edu
from vae_edu.data.errors import DatasetError, one_line
from vae_edu.data.images import Images
from vae_edu.data.labels import names_of, read_labels
from vae_edu.data.mapped import MappedImages
from vae_edu.data.names import role_of
from vae_edu.data.paths import kind_of
from vae_edu.data.pictures import decode, stack
from vae_edu.data.pixels import (
    as_floats,
    read_pixels,
    read_unequal,
    resize,
    wanted_gray,
    wanted_size,
    with_colors,
)
from vae_edu.data.room import check_room

WHAT = "the data"  # in messages


def images_from(
    data: Any,
    labels: Any = None,
    *,
    size: int | None = None,
    gray: bool | None = None,
    device: torch.device | str | None = None,
) -> Images:
    """Images from what you have in memory.

    Args:
        data: One of these:
            an array or tensor (N, H, W), (N, C, H, W) or (N, H, W, C) with C = 1 or 3, of bytes (or other
            whole numbers from 0 to 255), of floats in [0, 1], or of bools;
            a pair (images, labels), or a mapping with images and labels;
            a list or an iterable of images: arrays, Pillow images, paths of pictures, pairs (image, label),
            or mappings such as {"image": …, "label": …};
            a torch Dataset or DataLoader, or a Hugging Face dataset, of such items.
        labels: (N,), whole numbers from 0, or strings, which are sorted and numbered. By default those of the
            data, if there are any.
        size: As in `load_images`, also for images of several sizes.
        gray: As in `load_images`.
        device: Where the images are, `vae_edu.device()` by default.

    Raises:
        DatasetError: If data or labels are something else, or could mean two things.
        ValueError: For bad arguments.
    """
    size, gray = wanted_size(size), wanted_gray(gray)
    if isinstance(data, Images):
        x, known, classes = data.x, data.labels if labels is None else labels, data.classes
    else:
        x, known, classes = _read(data, labels, size, gray)
    x = with_colors(resize(x, size), gray)
    numbers, names = (None, None) if known is None else read_labels(known, len(x), WHAT)
    images = Images(x, numbers, classes=names or names_of(classes, numbers)).to(vae_edu.device(device))
    return (
        Images(as_floats(images.x), images.labels, None, images.classes) if x.dtype == torch.uint8 else images
    )


def _read(data: Any, labels: Any, size: int | None, gray: bool | None) -> tuple[Tensor, Any, Any]:
    """The images (N, C, H, W), their labels as they are, and the names of the classes, or None."""
    if isinstance(data, str | os.PathLike):
        raise DatasetError(f"{data} is a path, not data: use load_images({os.fspath(data)!r}).")
    if isinstance(data, MappedImages):
        raise DatasetError(
            "mapped images are images already: fit takes them, and data[:] is a tensor of them."
        )
    if isinstance(data, Mapping):
        data, labels = _columns(data, labels)
    elif isinstance(data, tuple) and len(data) == 2 and _is_pair(*data):
        if labels is not None:
            raise _two_labels()
        data, labels = data
    if isinstance(data, Tensor | np.ndarray) or hasattr(data, "to_numpy") or _is_array(data):
        array = _array(data)
        if array.dtype != object:
            return read_pixels(array, WHAT), labels, None
        data = list(array)
    return _read_items(data, labels, size, gray)


def _columns(data: Mapping, labels: Any) -> tuple[Any, Any]:
    """The images and the labels of a mapping name → column."""
    images = _key(data, "images")
    if labels is None:
        target = _key(data, "labels", optional=True)
        labels = None if target is None else data[target]
    return data[images], labels


def _key(data: Mapping, kind: str, optional: bool = False) -> Any:
    """The key of the images or of the labels, which must be clear."""
    roles = {key: role_of("images" if key == "pixel_values" else str(key)) for key in data}
    found = [key for key, role in roles.items() if role and role.kind == kind]
    clear = [key for key in found if roles[key] == ("", None, kind)]
    if len(clear) == 1:
        return clear[0]
    if optional and not found:
        return None
    raise DatasetError(
        f"{WHAT} has the keys {', '.join(map(str, data))}, and it is not clear which has the {kind}: give "
        "images_from(images, labels), or pairs [(item[…], item[…]) for item in data]."
    )


def _is_pair(images: Any, labels: Any) -> bool:
    """Whether two things are images and their labels, and not two images."""
    if labels is None or isinstance(images, tuple):
        return labels is None
    dimensions = np.ndim(labels) if _is_array(labels) else None
    if dimensions is None:
        return isinstance(labels, list) and not isinstance(images, list)
    return dimensions == 1 or (_is_array(images) and len(images.shape) > max(2, dimensions))


def _is_array(data: Any) -> bool:
    return isinstance(data, Tensor) or (hasattr(data, "shape") and hasattr(data, "__array__"))


def _array(data: Any) -> np.ndarray:
    """An array or tensor as a NumPy array."""
    if isinstance(data, Tensor):
        if data.layout != torch.strided or data.is_meta or data.is_quantized:
            raise DatasetError(f"{WHAT} is a sparse, quantized or meta tensor: give a dense one with values.")
        data = data.detach().cpu().resolve_conj().resolve_neg()
        short = data.is_floating_point() and data.dtype != torch.float64
        return (data.float() if short else data).numpy()
    if isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data):
        raise DatasetError(f"{WHAT} has masked pixels: give x.filled(0).")
    try:
        return np.asarray(getattr(data, "to_numpy", lambda: data)())
    except Exception as error:  # lists of unequal lengths, and what other libraries raise
        raise DatasetError(
            f"{WHAT} cannot become an array ({one_line(error)}): give images of one shape, as arrays."
        ) from error


def _read_items(data: Any, labels: Any, size: int | None, gray: bool | None) -> tuple[Tensor, Any, Any]:
    """Images that come one by one, or batch by batch."""
    arrays: list[np.ndarray] = []
    targets: list[Any] = []
    pictures = True
    for item in _items(data):
        image, target = _image_and_label(item)
        is_picture = not _is_array(image) and (
            hasattr(image, "convert") or isinstance(image, str | os.PathLike)
        )
        pictures &= is_picture
        arrays.append(_decoded(image, size, gray) if is_picture else _array(image))
        targets.append(target)
        n = len(arrays)
        if n & (n - 1) == 0:  # at every power of two: there may be as many again, and they will be copied
            check_room(4 * n * arrays[-1].nbytes, f"{n:,} images and more")
    if not arrays:
        raise DatasetError(f"{WHAT} holds no images: give at least one.")
    if isinstance(data, DataLoader):
        arrays = [image for batch in arrays for image in batch]
        targets = [target for batch in targets for target in (batch if batch is not None else [None])]
    known = [target for target in targets if target is not None]
    if known and labels is not None:
        raise _two_labels()
    if known and len(known) < len(targets):
        raise DatasetError(f"{WHAT} has labels for {len(known)} of {len(targets)} images: give all or none.")
    if pictures:
        stacked = stack(arrays, len(arrays), WHAT)
        x = read_pixels(np.empty(0) if stacked is None else stacked, WHAT)
    else:
        x = read_unequal(arrays, size, WHAT)
    return x, known or labels, _classes(data)


def _classes(data: Any) -> Any:
    """The names of the classes as torchvision and Hugging Face have them."""
    features = getattr(data, "features", None)
    if isinstance(features, Mapping):
        return next((kind.names for kind in features.values() if hasattr(kind, "names")), None)
    return getattr(data, "classes", None)


def _items(data: Any) -> Iterator[Any]:
    """The items of a sequence, a Dataset or an iterable."""
    try:
        if isinstance(data, Iterable):
            yield from data
        elif hasattr(data, "__getitem__") and hasattr(data, "__len__"):
            yield from (data[i] for i in range(len(data)))
        else:
            raise DatasetError(f"{type(data).__name__} is no images: give an array, or a list of images.")
    except TypeError as error:
        raise DatasetError(f"{WHAT} cannot be read item by item ({one_line(error)}).") from error


def _image_and_label(item: Any) -> tuple[Any, Any]:
    """The image and the label, or None, of an item."""
    if isinstance(item, Mapping):
        target = _key(item, "labels", optional=True)
        item = item[_key(item, "images")], None if target is None else item[target]
    elif isinstance(item, list) and item and (_is_array(item[0]) or hasattr(item[0], "convert")):
        item = tuple(item)
    if not isinstance(item, tuple):
        return item, None
    if not item:
        raise DatasetError(f"{WHAT} has an empty item: give images, or pairs (image, label).")
    return item[0], _number(item[1]) if len(item) > 1 else None


def _number(label: Any) -> Any:
    return label.item() if _is_array(label) and np.ndim(label) == 0 else label


def _decoded(image: Any, size: int | None, gray: bool | None) -> np.ndarray:
    """A Pillow image, or the path of a picture, as bytes."""
    if hasattr(image, "convert"):
        return decode(image, size, gray)
    from PIL import Image

    if kind_of(Path(image)) != "file":
        raise DatasetError(f"{image} is no file: check the path.")
    try:
        with Image.open(image) as picture:
            return decode(picture, size, gray)
    except (OSError, SyntaxError) as error:  # damaged, or no picture
        raise DatasetError(
            f"{image} is no picture that Pillow reads ({one_line(error)}): leave it out."
        ) from error


def _two_labels() -> DatasetError:
    return DatasetError("the data has labels, and more were given: leave labels out, or give images alone.")
