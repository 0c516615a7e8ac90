"""The public data sets: where their files are, and a download that leaves nothing half-written."""

import hashlib
import tempfile
import time
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from vae_edu.data.errors import DatasetError, one_line
from vae_edu.data.paths import kind_of
from vae_edu.engine.files import cache_folder, whole_file
from vae_edu.engine.progress import progress_bar

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
TIMEOUT = 30  # seconds without a byte, or with few, before the next mirror is tried
SLOWEST = 1000  # bytes a second
LARGEST = 100_000_000  # bytes: the largest file has 26 million

# name: (mirrors, md5 of each gzipped file)
SOURCES = {
    "mnist": (
        [
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        {
            TRAIN_IMAGES: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
            TRAIN_LABELS: "d53e105ee54ea40749a09fcbcd1e9432",
            TEST_IMAGES: "9fb629c4189551a2d022fa330f9573f3",
            TEST_LABELS: "ec29112dd5afa0611ce80d1b7f02629c",
        },
    ),
    "fashion_mnist": (
        [
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
            "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        ],
        {
            TRAIN_IMAGES: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            TRAIN_LABELS: "25c81989df183df01b3e8a0aad5dffbe",
            TEST_IMAGES: "bef4ecab320f06d8554ea6380940ec79",
            TEST_LABELS: "bb300cfdad3c16e7a12a480ee83cd310",
        },
    ),
    "kmnist": (
        [
            "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
            "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        ],
        {
            TRAIN_IMAGES: "bdb82020997e1d708af4cf47b453dcf7",
            TRAIN_LABELS: "e144d726b3acfaa3e44228e80efcd344",
            TEST_IMAGES: "5c965bf0a639b31b8f53240b1b52f4d7",
            TEST_LABELS: "7320c461ea6c1c855c0b718fb2a4b134",
        },
    ),
}


def fetch(name: str, file: str) -> Path:
    """Path of a data set's file in the user's cache, downloaded first if it is not there yet.

    The mirrors are tried in turn. The download goes to a temporary file, is checked, and only then moved
    into place, so that a cut line or a second process leaves no half file.

    Raises:
        DatasetError: If the cache cannot be written, or no mirror gives the file.
    """
    mirrors, md5 = SOURCES[name]
    target = cache_folder() / name / f"{file}.gz"
    if kind_of(target) == "file":
        return target
    _make_folder(target.parent)
    failures = []
    for mirror in mirrors:
        try:
            with whole_file(target) as temporary:
                _download(f"{mirror}{file}.gz", temporary, md5[file])
            return target
        except (OSError, HTTPException, ValueError) as error:
            failures.append(f"{urlsplit(mirror).netloc}: {one_line(error)}")
    raise DatasetError(
        f"{name} could not be downloaded ({'; '.join(failures)}): check the network, or put its files "
        f"into {target.parent}, or set VAE_EDU_DATA to a folder that has {name}/, "
        "or work offline with load_images('strokes')."
    )


def _make_folder(folder: Path) -> None:
    """Make the folder, and see that files can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise DatasetError(
            f"the cache {folder} cannot be written ({error.strerror}): free it, or set "
            "VAE_EDU_DATA to a folder that holds the files."
        ) from error


def _download(url: str, path: Path, md5: str) -> None:
    digest, begin = hashlib.md5(usedforsecurity=False), time.monotonic()
    with urlopen(url, timeout=TIMEOUT) as answer, path.open("wb") as file:
        size = int(answer.headers.get("Content-Length") or 0)
        name = path.name.split(".")[0]
        with progress_bar(total=size or None, unit="B", unit_scale=True, desc=name) as bar:
            while piece := answer.read1(1 << 16):  # what has come, without waiting for more
                file.write(piece)
                digest.update(piece)
                bar.update(len(piece))
                _check_pace(file.tell(), time.monotonic() - begin)
        if file.tell() < size:
            raise ValueError(f"the connection ended after {file.tell()} of {size} bytes")
    if digest.hexdigest() != md5:
        raise ValueError("the file has the wrong checksum")


def _check_pace(size: int, seconds: float) -> None:
    if size > LARGEST:
        raise ValueError(f"the file has more than {LARGEST:,} bytes, which none of this set has")
    if seconds > TIMEOUT and size < SLOWEST * seconds:
        raise ValueError(f"only {size:,} bytes came in {seconds:.0f} seconds")
