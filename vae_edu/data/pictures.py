"""Folders of pictures: whatever Pillow reads, as bytes; sub-folders are labels, train and test are parts."""

import hashlib
import json
import os
import struct
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vae_edu.data.errors import DatasetError, note, one_line
from vae_edu.data.idx import read_array
from vae_edu.data.names import PARTS
from vae_edu.data.paths import contents, kind_of
from vae_edu.data.pixels import same_size
from vae_edu.data.room import check_room
from vae_edu.data.splits import Part
from vae_edu.engine.files import cache_folder, whole_file
from vae_edu.engine.progress import progress_bar

if TYPE_CHECKING:
    from PIL.Image import Image

Classes = dict[str | None, list[Path]]  # the pictures of each class; None: there are no classes
UNREAD = {".heic", ".heif", ".svg", ".dng", ".cr2", ".nef", ".arw", ".psb"}  # pictures that Pillow leaves out
UNSAFE = {"EPS", "PDF"}  # another program would read them
VERSION = 1  # of what a cached file holds
ORIENTATION = 0x0112  # the EXIF tag


def find_pictures(folder: Path) -> dict[Part, Classes]:
    """The pictures in a folder: by part, and then by class.

    Folders named train, test and val are parts. The folders in a part, or else in the folder itself, are
    classes. A folder around everything does not count, and hidden files neither.

    Returns:
        Nothing if there are no pictures.

    Raises:
        DatasetError: If pictures are next to folders of pictures, so that nobody knows what they are.
    """
    pictures, inner = _look_into(folder)
    while not pictures and len(inner) == 1:
        (only,) = inner
        deeper = _look_into(only)
        if only.name.lower() in PARTS or deeper[0]:
            break
        folder, (pictures, inner) = only, deeper
    parts = {PARTS[path.name.lower()]: path for path in inner if path.name.lower() in PARTS}
    others = [path.name for path in inner if path not in parts.values()]
    if "train" not in parts and others:
        parts, others = {}, []
    if parts and (pictures or others):
        seen = f"{len(pictures)} pictures" if pictures else ", ".join(others[:3])
        raise DatasetError(
            f"{folder} has {seen} next to {parts['train'].name}: move them, or name one folder."
        )
    if parts:
        return {part: _classes(path) for part, path in parts.items()}
    classes = _classes(folder)
    return {None: classes} if classes else {}


def read_pictures(
    folder: Path, classes: Classes, size: int | None, gray: bool | None
) -> tuple[Tensor, list[int], Path | None]:
    """The pictures as bytes, from the user's cache if they were read before.

    Args:
        folder: That they are in, for messages.
        classes: The pictures.
        size: Of the images, in pixels a side: resized, and cut out of the center.
        gray: Whether to have one channel; None: if every pixel of every picture is gray.

    Returns:
        (N, C, size, size) uint8, which of the pictures these are, without those that could not be read, and
        the file that the bytes are mapped from, if they are.

    Raises:
        DatasetError: If no picture could be read, or they have several sizes and none was asked for.
    """
    paths = [path for members in classes.values() for path in members]
    target = _cached(folder, paths, size, gray)
    try:
        content, state = read_array(target, mapped=True), json.loads(target.with_suffix(".json").read_text())
    except (DatasetError, OSError, ValueError):
        content, state = _decode_all(folder, paths, size, gray)
        if _store(target, content, state):
            content = read_array(target, mapped=True)
    _report(folder, state)
    broken = set(state["broken"])
    kept = [i for i, path in enumerate(paths) if str(path) not in broken]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(content), kept, target if isinstance(content, np.memmap) else None


def decode(image: "Image", size: int | None = None, gray: bool | None = None) -> np.ndarray:
    """A Pillow image as bytes (C, H, W): upright, on white, in one channel if it is gray all over.

    Args:
        image: Of any mode. 16 bits become 8.
        size: See `read_pictures`.
        gray: See `read_pictures`.

    Raises:
        DatasetError: For floats or 32-bit numbers, whose white nobody knows.
    """
    from PIL import Image, ImageOps

    deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format in {"PNG", "PPM"})
    if image.mode in {"I", "F"} and not deep:
        raise DatasetError(
            f"a picture of mode {image.mode} does not say which number is white: open it with Pillow, divide "
            "np.asarray(picture) by that number, and give images_from the result."
        )
    try:
        image = ImageOps.exif_transpose(image)
    except (ValueError, TypeError, SyntaxError, ZeroDivisionError):  # a damaged EXIF block
        image.load()
    if deep:
        image = Image.fromarray(np.asarray(image).astype(np.float32) / 257)
    else:
        if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        image = image.convert("RGB").convert("L" if gray else "RGB")
    if size:
        image = ImageOps.fit(image, (size, size), Image.Resampling.BILINEAR)
    array = np.asarray(image)
    if array.ndim == 2:
        array = array[None].round().astype(np.uint8)
        return np.repeat(array, 3, 0) if gray is False else array
    array = np.moveaxis(array, 2, 0)
    return array[:1] if gray is None and (array == array[:1]).all() else array


def stack(arrays: Iterable[np.ndarray], n: int, what: str) -> np.ndarray | None:
    """Images (C, H, W) of bytes as one array (N, C, H, W), of three channels if any has three.

    Args:
        arrays: The images.
        n: About how many, to see whether they fit into memory.
        what: Holds them, for messages.

    Returns:
        None if there are no images.

    Raises:
        DatasetError: If they have several sizes, or do not fit into memory.
    """
    data: list[np.ndarray] = []
    for array in arrays:
        if not data:
            check_room(
                2 * n * array.size, f"{what}, {n:,} images of {array.shape[1]} × {array.shape[2]} pixels,"
            )
        data.append(array)
    if not data:
        return None
    sizes = Counter(array.shape[1:] for array in data)
    if len(sizes) > 1:
        raise same_size(sizes, what)
    stacked = np.empty((len(data), max(map(len, data)), *data[0].shape[1:]), np.uint8)
    for image, array in zip(stacked, data, strict=True):
        image[:] = array
    return stacked


def is_picture(path: Path) -> bool:
    """Whether a path is a file whose name ends like that of a picture."""
    return path.suffix.lower() in _endings() and kind_of(path) == "file"


def _look_into(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures right in a folder, and the folders in it that have pictures at any depth."""
    entries = contents(folder)
    inner = [path for path in entries if os.path.isdir(path) and _all_pictures(path)]
    return [path for path in entries if is_picture(path)], inner


def _classes(folder: Path) -> Classes:
    pictures, inner = _look_into(folder)
    if pictures and inner:
        raise DatasetError(
            f"{folder} has {len(pictures)} pictures next to folders of pictures ({inner[0].name}, …): move "
            "them into a folder, which is their label, or name one folder."
        )
    if inner:
        return {path.name: _all_pictures(path) for path in inner}
    return {None: pictures} if pictures else {}


def _all_pictures(folder: Path, above: frozenset[Path] = frozenset()) -> list[Path]:
    """All pictures in a folder and in its folders; a link to a folder above ends there."""
    real = folder.resolve()
    if real in above:
        return []
    found = []
    for path in contents(folder):
        if os.path.isdir(path):
            found += _all_pictures(path, above | {real})
        elif is_picture(path):
            found.append(path)
    return found


@cache
def _endings() -> set[str]:
    from PIL import Image

    known = Image.registered_extensions().items()
    return UNREAD | {end for end, form in known if form in Image.OPEN and form not in UNSAFE}


def _decode_all(
    folder: Path, paths: list[Path], size: int | None, gray: bool | None
) -> tuple[np.ndarray, dict]:
    from PIL import Image

    state: dict = {"broken": {}, "animated": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        if size is None:
            _check_sizes(folder, paths)
        content = stack(_decoded(paths, size, gray, state), len(paths), str(folder))
    if content is None:
        name, reason = next(iter(state["broken"].items()))
        raise DatasetError(
            f"none of the {len(paths)} pictures in {folder} can be read, such as {name} ({reason})."
        )
    return content, state


def _check_sizes(folder: Path, paths: list[Path]) -> None:
    """See that all pictures have one size. Their headers say it, so this takes little time."""
    from PIL import Image

    sizes: Counter[tuple[int, ...]] = Counter()
    for path in paths:
        with suppress(Exception), Image.open(path) as image:  # what is broken is said later
            turned = image.getexif().get(ORIENTATION, 1) >= 5
            sizes[image.size if turned else image.size[::-1]] += 1
    if len(sizes) > 1:
        raise same_size(sizes, str(folder))


def _decoded(paths: list[Path], size: int | None, gray: bool | None, state: dict) -> Iterator[np.ndarray]:
    """The pictures one after the other, decoded in threads; the state gets what is to be said of them."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        results = pool.map(lambda path: _open(path, size, gray), paths)
        with progress_bar(total=len(paths), desc="pictures") as bar:
            for path, (array, remark) in zip(paths, results, strict=True):
                bar.update()
                if array is None:
                    state["broken"][str(path)] = remark
                else:
                    state["animated"] += bool(remark)
                    yield array
    finally:
        pool.shutdown(cancel_futures=True)


def _open(path: Path, size: int | None, gray: bool | None) -> tuple[np.ndarray | None, str]:
    """A picture and "animated" if it is, or None and the reason."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            animated = getattr(image, "is_animated", False) and image.format != "MPO"  # phones write MPO
            return decode(image, size, gray), "animated" if animated else ""
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        return None, f"it has more than {Image.MAX_IMAGE_PIXELS:,} pixels: make it smaller"
    except UnidentifiedImageError:
        return None, "Pillow does not know what it is"
    except Exception as error:  # each of Pillow's readers fails in its own way
        return None, one_line(error)


def _report(folder: Path, state: dict) -> None:
    """Say which pictures are left out, and of which there is only a part."""
    broken = state["broken"]
    if broken:
        seen = "; ".join(f"{Path(path).name} ({reason})" for path, reason in list(broken.items())[:3])
        more = ", …" if len(broken) > 3 else ""
        count = "1 picture" if len(broken) == 1 else f"{len(broken):,} pictures"
        note(f"{count} of {folder} cannot be read and will be left out: {seen}{more}; save again, or remove.")
    if state["animated"]:
        note(f"{folder} has pictures of several frames, {state['animated']:,}: the first of each is taken.")


def _cached(folder: Path, paths: list[Path], size: int | None, gray: bool | None) -> Path:
    """Where the decoded bytes are kept: the name tells the folder and what was asked, and what was there."""
    asked = hashlib.sha256(repr((VERSION, str(folder.resolve()), size, gray)).encode()).hexdigest()[:16]
    listing = hashlib.sha256()
    for path in paths:
        status = path.stat()
        listing.update(repr((str(path), status.st_size, status.st_mtime_ns)).encode(errors="surrogateescape"))
    return cache_folder() / "pictures" / f"{asked}-{listing.hexdigest()[:16]}.idx"


def _store(target: Path, content: np.ndarray, state: dict) -> bool:
    """Keep decoded bytes in the cache as an IDX file, and forget those of an older state of the folder.

    A cache that cannot be written is no cache, and no error.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for old in target.parent.glob(f"{target.name.partition('-')[0]}-*"):
            old.unlink(missing_ok=True)
        with whole_file(target.with_suffix(".json")) as path:
            path.write_text(json.dumps(state), encoding="utf-8")
        with whole_file(target) as path, path.open("wb") as file:
            file.write(b"\0\0\x08\x04" + struct.pack(">4I", *content.shape))
            content.tofile(file)
    except OSError:
        return False
    return True
