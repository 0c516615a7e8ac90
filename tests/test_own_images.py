"""What people hand in as images: right pixels, by another route, or one sentence that names the way out."""

import gzip
import os
import socket
import sys
import warnings
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

import vae_edu.data.room
from tests.digits import CODES, write_idx
from vae_edu.data import (
    DatasetError,
    DatasetWarning,
    Images,
    binarize,
    images_from,
    load_images,
    map_images,
    stroke_digits,
)

RANDOM = np.random.default_rng(0)
BYTES = RANDOM.integers(0, 256, (6, 8, 7), np.uint8)
COLOR = RANDOM.integers(0, 256, (6, 3, 8, 7), np.uint8)
DIGITS = RANDOM.integers(0, 17, (6, 8, 8))  # levels 0 to 16, as scikit-learn's
DIGITS[0, 0, :2] = 0, 16
LABELS = np.array([3, 1, 4, 1, 5, 9])


def sentence(error):
    """What an error says: one line that ends as a sentence, and tells what to do after a colon."""
    text = str(error)
    assert "\n" not in text
    assert text.endswith(".")
    assert ": " in text
    return text


def agrees(x, right):
    """Whether images are the numbers in [0, 1] that were computed by hand, to float32's rounding."""
    right = np.asarray(right, float)
    right = right[:, None] if right.ndim == 3 else right
    assert x.dtype == torch.float32
    assert tuple(x.shape) == right.shape
    return np.abs(x.cpu().numpy() - right).max() < 1e-6


# Arrays in memory: (array, what comes out).
TAKEN = {
    "bytes": (BYTES, BYTES / 255),
    "color": (COLOR, COLOR / 255),
    "channel first": (BYTES[:, None], BYTES / 255),
    "three images": (BYTES[:3], BYTES[:3] / 255),
    "one image": (BYTES[:1], BYTES[:1] / 255),
    "Fortran order": (np.asfortranarray(BYTES), BYTES / 255),
    "turned around": (BYTES[::-1, :, ::-1], BYTES[::-1, :, ::-1] / 255),
    "every second": (BYTES[::2, ::2], BYTES[::2, ::2] / 255),
    "read only": (np.frombuffer(BYTES.tobytes(), np.uint8).reshape(BYTES.shape), BYTES / 255),
    "bools": (BYTES > 99, 1.0 * (BYTES > 99)),
    "int64": (BYTES.astype(np.int64), BYTES / 255),
    "uint16": (BYTES.astype(np.uint16), BYTES / 255),
    "big-endian int16": (BYTES.astype(">i2"), BYTES / 255),
    "uint64": (BYTES.astype(np.uint64), BYTES / 255),
    "float64": (BYTES / 255, BYTES / 255),
    "float16": ((BYTES > 99).astype(np.float16), 1.0 * (BYTES > 99)),
    "big-endian float": ((BYTES / 255).astype(">f4"), BYTES / 255),
    "long double": ((BYTES / 255).astype(np.longdouble), BYTES / 255),
    "dark floats": (BYTES / 2550, BYTES / 2550),
    "nested lists": (BYTES.tolist(), BYTES / 255),
    "a list of arrays": (list(BYTES), BYTES / 255),
    "a list of color": (list(COLOR), COLOR / 255),
    "a list of Pillow images": ([Image.fromarray(x) for x in BYTES], BYTES / 255),
    "an array of objects": (np.array([*map(Image.fromarray, BYTES), None], object)[:-1], BYTES / 255),
    "a tuple of three": (tuple(BYTES[:3]), BYTES[:3] / 255),
    "a generator": ((x for x in list(BYTES)), BYTES / 255),
    "a list of matrices": ([np.matrix(x) for x in BYTES], BYTES / 255),
    "no masked pixel": (np.ma.masked_array(BYTES, False), BYTES / 255),
    "a uint8 tensor": (torch.tensor(BYTES), BYTES / 255),
    "a bool tensor": (torch.tensor(BYTES) > 99, 1.0 * (BYTES > 99)),
    "a float tensor": (torch.tensor(BYTES) / 255, BYTES / 255),
    "a parameter": (torch.nn.Parameter(torch.tensor(BYTES / 255)), BYTES / 255),
    "bfloat16": ((torch.tensor(BYTES) > 99).bfloat16(), 1.0 * (BYTES > 99)),
    "half": ((torch.tensor(BYTES) > 99).half(), 1.0 * (BYTES > 99)),
    "expanded": (torch.tensor(BYTES[:1]).expand(4, 8, 7), np.repeat(BYTES[:1], 4, 0) / 255),
    "negative view": (torch.imag(torch.conj(torch.tensor(BYTES / 255) * -1j)), BYTES / 255),
    "Images": (Images(torch.tensor(BYTES)[:, None] / 255), BYTES / 255),
    "a list of tensors": ([torch.tensor(x)[None] / 255 for x in BYTES], BYTES / 255),
    "deep Pillow images": ([Image.fromarray(257 * x.astype(np.uint16)) for x in BYTES], BYTES / 255),
}
SIZES = ["8 × 7 (1), 5 × 7 (1)", "size=28", "--size 28", "VAE_EDU_SIZE=28"]

# (array, words of the sentence)
REFUSED = {
    "one image": (BYTES[0], ["(8, 7)", "x[None]"]),
    "one square image": (BYTES[0, :7], ["(7, 7)", "x[None]"]),
    "one color image": (np.moveaxis(COLOR[0], 0, 2), ["(8, 7, 3)", "x[None]", "x[:, None]"]),
    "one image, channel last": (BYTES[0, :, :, None], ["(8, 7, 1)", "x[None]"]),
    "rows of 784": (np.zeros((6, 784), np.uint8), ["(6, 784)", "reshape(-1, 28, 28)"]),
    "rows of 3072": (np.zeros((6, 3072), np.uint8), ["(6, 3072)", "reshape(-1, 3, 32, 32)"]),
    "rows of 785": (np.zeros((600, 785)), ["(600, 785)", "x[:, 1:].reshape(-1, 28, 28)"]),
    "rows of 51": (np.zeros((600, 51)), ["(600, 51)", "reshape(-1, height, width)"]),
    "a row": (np.zeros(784), ["(784,)", "reshape(-1, height, width)"]),
    "five axes": (np.zeros((2, 2, 3, 8, 8)), ["(2, 2, 3, 8, 8)", "reshape"]),
    "opacity last": (np.zeros((6, 8, 8, 4)), ["(6, 8, 8, 4)", "np.moveaxis(x[..., :3], 3, 1)"]),
    "opacity first": (np.zeros((6, 4, 8, 8)), ["(6, 4, 8, 8)", "x[:, :3]"]),
    "two channels": (np.zeros((6, 2, 8, 8)), ["(6, 2, 8, 8)", "1 or 3 channels"]),
    "a number": (np.array(3.0), ["shape is ()"]),
    "nothing": (np.zeros((0, 8, 8)), ["(0, 8, 8)", "no images"]),
    "no height": (np.zeros((6, 0, 8)), ["(6, 0, 8)", "no images"]),
    "an empty list": ([], ["no images"]),
    "an empty generator": (iter(()), ["no images"]),
    "0 to 255 as floats": (BYTES.astype(float), ["0 to 255", "x / 255"]),
    "-1 to 1": (BYTES / 127.5 - 1, ["-1 to 1", "(x + 1) / 2"]),
    "normalized": ((BYTES - 100.0) / 50, ["-2 to 3.1", "x.min()"]),
    "0 to 16 as floats": (DIGITS.astype(float), ["0 to 16", "x / 16"]),
    "0 to 16": (DIGITS, ["0 to 16", "x / 16"]),
    "0 to 16 as bytes": (DIGITS.astype(np.uint8), ["0 to 16", "x / 16"]),
    "0 and 1": ((BYTES > 99).astype(np.uint8), ["0 to 1", "bools, x > 0"]),
    "0 and 1 as int64": ((BYTES > 99).astype(int), ["0 to 1", "bools, x > 0"]),
    "0 and 1 in color": ((COLOR > 99).astype(np.uint8), ["0 to 1", "bools, x > 0"]),
    "divided twice": (BYTES / 255 / 255, ["0.003922", "255 * x"]),
    "16 bits": (257 * BYTES.astype(np.uint16), ["65535", "x / 65535"]),
    "12 bits": (16 * BYTES.astype(np.int32), ["4080", "x / 4095"]),
    "uint64 beyond": (BYTES.astype(np.uint64) + np.uint64(2**63), [str(2**63), "x.min()"]),
    "int8": (BYTES.view(np.int8), ["int8 from -", "x.view(np.uint8)"]),
    "int16 below 0": (BYTES.astype(np.int16) - 128, ["-128 to 127", "x.min()"]),
    "NaN": (np.where(np.arange(6)[:, None, None] == 4, np.nan, BYTES / 255), ["NaN", "image 4"]),
    "infinity": (np.where(np.arange(6)[:, None, None] == 2, np.inf, BYTES / 255), ["infinity", "image 2"]),
    "complex": (BYTES + 0j, ["complex128"]),
    "a complex tensor": (torch.tensor(BYTES / 255) + 0j, ["complex128"]),
    "text": (BYTES.astype(str), ["<U3"]),
    "raw bytes": (BYTES.astype("S3"), ["|S3"]),
    "dates": (np.zeros((2, 8, 8), "M8[s]"), ["datetime64"]),
    "records": (np.zeros((2, 8, 8), "u1,u1"), ["not numbers"]),
    "ragged lists": ([[1, 2], [3]], ["(2,), (1,)"]),
    "several sizes": ([BYTES[0], BYTES[1, :5]], SIZES),
    "Pillow images of several sizes": (
        [Image.fromarray(BYTES[0]), Image.fromarray(BYTES[1, :5])],
        SIZES,
    ),
    "a Pillow image of floats": ([Image.fromarray(BYTES[0].astype(np.float32))], ["mode F", "is white"]),
    "masked": (np.ma.masked_array(BYTES, BYTES > 99), ["masked", "x.filled(0)"]),
    "a sparse tensor": (torch.tensor(BYTES).to_sparse(), ["sparse"]),
    "a meta tensor": (torch.zeros(6, 8, 8, device="meta"), ["meta"]),
    "a path": ("pictures/", ["use load_images('pictures/')"]),
    "no file": (["nowhere.png"], ["nowhere.png is no file"]),
    "None": (None, ["NoneType"]),
    "a number of Python": (3, ["int"]),
    "a Pillow image": (Image.fromarray(BYTES[0]), ["Image"]),
    "numbers": ([1, 2, 3], ["shape ()"]),
    "a set": ({1, 2}, ["shape ()"]),
    "None among images": ([BYTES[0], None], ["items of shape"]),
    "empty pairs": ([()], ["empty item"]),
    "columns without a name": ({"a": BYTES}, ["keys a", "images_from(images, labels)"]),
    "columns of splits": ({"train": BYTES, "test": BYTES}, ["keys train, test"]),
    "two columns of images": ({"images": BYTES, "data": BYTES, "target": LABELS}, ["images, data, target"]),
    "two labels": ([{"img": x, "fine_label": 1, "coarse_label": 2} for x in BYTES], ["fine_label"]),
    "labels for some": ([(BYTES[0], 1), BYTES[1]], ["1 of 2 images"]),
    "Keras' two pairs": (((BYTES, LABELS), (BYTES, LABELS)), ["(2, 6, 8, 7)"]),
}  # fmt: skip


@pytest.mark.parametrize("name", TAKEN)
def test_arrays_that_are_taken(name):
    array, right = TAKEN[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = images_from(array)
    assert images.labels is None
    assert agrees(images.x, right)


@pytest.mark.parametrize("name", REFUSED)
def test_arrays_that_are_refused(name):
    array, words = REFUSED[name]
    with pytest.raises(DatasetError) as error:
        images_from(array)
    said = sentence(error.value)
    for word in words:
        assert word in said


@pytest.mark.parametrize("shape", [(6, 8, 7, 1), (6, 8, 7, 3), (40, 32, 32, 3), (9, 28, 28, 1)])
@pytest.mark.parametrize("scale", [1, 255])
def test_channels_last(shape, scale):
    array = RANDOM.integers(0, 256, shape, np.uint8)
    array = array / 255 if scale == 255 else array
    with pytest.warns(DatasetWarning, match=r"channels come last, and np.moveaxis\(x, 3, 1\)"):
        x = images_from(array).x
    right = np.stack([array[..., c] for c in range(shape[3])], 1)
    assert agrees(x, right * scale / 255)


def test_images_are_copied():
    for array in (BYTES.copy(), BYTES / 255, (BYTES / 255).astype(np.float32), torch.rand(6, 8, 8)):
        x = images_from(array, device="cpu").x
        before = x.clone()
        array[:] = 0
        assert torch.equal(x, before)


@pytest.mark.parametrize("value", [0, 1, 100, 255])
def test_a_constant_set(value):
    with pytest.warns(DatasetWarning, match=f"holds {value} in every pixel of every image"):
        x = images_from(np.full((6, 8, 8), value, np.uint8)).x
    assert agrees(x, np.full((6, 8, 8), value / 255))
    with pytest.warns(DatasetWarning, match=r"in every pixel of every image.*: check"):
        images_from(np.full((6, 8, 8), value / 255))


def test_size_and_gray_of_arrays():
    mixed = [BYTES[0], COLOR[1], BYTES[2, :5] / np.float32(255)]
    assert images_from(mixed[:2], size=5).x.shape == (2, 3, 5, 5)
    assert images_from(mixed[:2], size=5, gray=True).x.shape == (2, 1, 5, 5)
    luma = np.tensordot(COLOR, [0.299, 0.587, 0.114], (1, 0)) / 255
    for array, tolerance in ((COLOR, 0.51 / 255), (COLOR / 255, 1e-5)):
        assert np.abs(images_from(array, gray=True).x[:, 0].cpu().numpy() - luma).max() < tolerance
    assert agrees(images_from(BYTES, gray=False).x, np.repeat(BYTES[:, None], 3, 1) / 255)
    halves = BYTES.reshape(6, 8, 7)[:, :, :6].repeat(2, 1).repeat(2, 2)
    x = images_from(halves, size=6).x
    assert x.shape == (6, 1, 6, 6)
    floats = images_from(halves / 255, size=6).x
    assert (x - floats).abs().max() < 1.01 / 255


# Labels: (what is given, what comes out, classes)
KNOWN = {
    "a list": (LABELS.tolist(), LABELS, None),
    "a tuple": (tuple(LABELS), LABELS, None),
    "bytes": (LABELS.astype(np.uint8), LABELS, None),
    "big-endian": (LABELS.astype(">i4"), LABELS, None),
    "uint64": (LABELS.astype(np.uint64), LABELS, None),
    "one column": (LABELS[:, None], LABELS, None),
    "whole floats": (LABELS.astype(float), LABELS, None),
    "a float tensor": (torch.tensor(LABELS).float(), LABELS, None),
    "an int tensor": (torch.tensor(LABELS).int(), LABELS, None),
    "bools": (LABELS > 2, LABELS > 2, None),
    "objects": (LABELS.astype(object), LABELS, None),
    "large": (LABELS + 2**62, LABELS + 2**62, None),
    "names": (list("cabacd"), [2, 0, 1, 0, 2, 3], ("a", "b", "c", "d")),
    "names as objects": (np.array(list("cabacd"), object), [2, 0, 1, 0, 2, 3], ("a", "b", "c", "d")),
    "names as bytes": (np.array(list("cabacd"), "S1"), [2, 0, 1, 0, 2, 3], ("a", "b", "c", "d")),
    "letters from 1": ([1, 26, 3, 4, 5, 6], [1, 26, 3, 4, 5, 6], None),
}
UNKNOWN = {
    "too few": (LABELS[:5], ["(5,)", "6 images"]),
    "none": ([], ["(0,)", "6 images"]),
    "one for all": (3, ["()", "6 images"]),
    "one-hot": (np.eye(10)[LABELS], ["(6, 10)", "labels.argmax(1)"]),
    "negative": (LABELS - 2, ["label -1", "labels=None"]),
    "uint64 that wraps": (np.array([2**64 - 1, 0, 0, 0, 0, 0], np.uint64), [str(2**64 - 1)]),
    "Python's large numbers": ([2**64 - 1, 0, 0, 0, 0, 0], ["1.8446744073709552e+19"]),
    "beyond 64 bits": ([2**80, 0, 0, 0, 0, 0], ["9223372036854775808"]),
    "halves": (LABELS / 2, ["label 1.5", "image 0"]),
    "NaN": ([0, 1, np.nan, 0, 0, 0], ["label nan", "image 2"]),
    "infinity": ([0, 1, 2, 0, 0, np.inf], ["label inf", "image 5"]),
    "complex": (LABELS + 0j, ["complex128"]),
    "None among them": ([1, None, 2, 3, 4, 5], ["object"]),
    "names and numbers": (np.array(["a", 1, 2, 3, 4, 5], object), ["object"]),
    "dates": (np.zeros(6, "M8[s]"), ["datetime64"]),
    "ragged": ([[1], [1, 2], [1], [1], [1], [1]], ["unequal shapes"]),
    "images": (BYTES, ["(6, 8, 7)", "6 images"]),
}


@pytest.mark.parametrize("name", KNOWN)
def test_labels_that_are_taken(name):
    labels, right, classes = KNOWN[name]
    images = images_from(BYTES, labels)
    assert images.labels.tolist() == list(right)
    assert images.labels.dtype == torch.int64
    assert images.classes == classes


@pytest.mark.parametrize("name", UNKNOWN)
def test_labels_that_are_refused(name):
    labels, words = UNKNOWN[name]
    with pytest.raises(DatasetError) as error:
        images_from(BYTES, labels)
    said = sentence(error.value)
    for word in words:
        assert word in said


class Items(Dataset):
    """A Dataset, without __iter__, of whatever it is given."""

    def __init__(self, items, **attributes):
        self.items = items
        vars(self).update(attributes)

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(torch.tensor(x), int(k)) for x, k in zip(BYTES, LABELS)])


@dataclass
class ClassLabel:
    names: list[str]


class Table:
    """As pandas has it."""

    def __init__(self, array):
        self.array, self.shape, self.ndim = array, array.shape, array.ndim

    def __array__(self, dtype=None, copy=None):
        return self.array

    def to_numpy(self):
        return self.array


NAMES = [f"number {k}" for k in range(10)]
PAIRS = [(x, int(k)) for x, k in zip(BYTES, LABELS)]
PICTURES = [(Image.fromarray(x), int(k)) for x, k in PAIRS]
TENSORS = TensorDataset(torch.tensor(BYTES)[:, None] / 255, torch.tensor(LABELS))

SETS = {
    "a pair": lambda: ((BYTES, LABELS), None),
    "a pair of lists": lambda: ((BYTES, LABELS.tolist()), None),
    "a pair of tensors": lambda: ((torch.tensor(BYTES), torch.tensor(LABELS)), None),
    "columns": lambda: ({"images": BYTES, "labels": LABELS}, None),
    "scikit-learn's names": lambda: ({"data": BYTES, "target": LABELS, "DESCR": "text"}, None),
    "tables": lambda: ((Table(BYTES), Table(LABELS)), None),
    "pairs": lambda: (PAIRS, None),
    "pairs of Pillow images": lambda: (PICTURES, None),
    "lists of two": lambda: ([[torch.tensor(x), k] for x, k in PAIRS], None),
    "triples": lambda: ([(x, k, "more") for x, k in PAIRS], None),
    "labels as tensors": lambda: ([(x, torch.tensor(k)) for x, k in PAIRS], None),
    "a Dataset": lambda: (Items(PAIRS), None),
    "torchvision's classes": lambda: (Items(PICTURES, classes=NAMES), tuple(NAMES)),
    "too few classes": lambda: (Items(PICTURES, classes=NAMES[:4]), None),
    "TensorDataset": lambda: (TENSORS, None),
    "Subset": lambda: (Subset(TENSORS, range(6)), None),
    "IterableDataset": lambda: (Stream(), None),
    "a generator of pairs": lambda: (iter(PAIRS), None),
    "DataLoader": lambda: (DataLoader(TENSORS, batch_size=4), None),
    "a DataLoader of pairs": lambda: (DataLoader(Items([(torch.tensor(x), k) for x, k in PAIRS]), 5), None),
    "Hugging Face": lambda: (
        Items([{"image": x, "label": k} for x, k in PICTURES], features={"label": ClassLabel(NAMES)}),
        tuple(NAMES),
    ),
    "Hugging Face's img": lambda: ([{"img": x, "label": k} for x, k in PICTURES], None),
    "Hugging Face's pixel_values": lambda: ([{"pixel_values": x, "labels": k} for x, k in PAIRS], None),
    "names as labels": lambda: ([(x, NAMES[k]) for x, k in PAIRS], "names"),
}


@pytest.mark.parametrize("name", SETS)
def test_datasets(name):
    data, classes = SETS[name]()
    images = images_from(data)
    assert agrees(images.x, BYTES / 255)
    if classes == "names":
        assert [images.classes[k] for k in images.labels] == [NAMES[k] for k in LABELS]
    else:
        assert images.labels.tolist() == LABELS.tolist()
        assert images.classes == classes


def test_datasets_without_labels():
    for data in (
        Items(list(BYTES)),
        DataLoader(TensorDataset(torch.tensor(BYTES)), 4),
        [{"image": x} for x in BYTES],
    ):
        images = images_from(data)
        assert images.labels is None
        assert agrees(images.x, BYTES / 255)
    with pytest.raises(DatasetError, match="leave labels out"):
        images_from(PAIRS, LABELS)
    with pytest.raises(DatasetError, match="leave labels out"):
        images_from((BYTES, LABELS), LABELS)
    assert images_from(list(BYTES), LABELS).labels.tolist() == LABELS.tolist()


def test_paths_of_pictures(tmp_path):
    for i, image in enumerate(BYTES):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    assert agrees(images_from(sorted(tmp_path.iterdir())).x, BYTES / 255)
    assert images_from([(str(tmp_path / "1.png"), 7)]).labels.tolist() == [7]
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"bad.png is no picture that Pillow reads .*: leave it out"):
        images_from([tmp_path / "bad.png"])


def test_an_endless_stream_ends_where_memory_does(monkeypatch):
    monkeypatch.setattr(vae_edu.data.room, "free_memory", lambda: 1_000_000)

    def endless():
        while True:
            yield BYTES[0]

    with pytest.raises(
        DatasetError, match=r"images and more would take .* GB of memory, and 0.0 GB are free"
    ):
        images_from(endless())


def test_torchvision_mnist(tmp_path):
    torchvision = pytest.importorskip("torchvision")
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem in ("train", "t10k"):
        write_idx(raw / f"{stem}-images-idx3-ubyte", RANDOM.integers(0, 256, (6, 28, 28), np.uint8))
        write_idx(raw / f"{stem}-labels-idx1-ubyte", LABELS)
    for transform in (None, torchvision.transforms.ToTensor()):
        theirs = torchvision.datasets.MNIST(tmp_path, transform=transform)
        images = images_from(theirs)
        assert agrees(images.x, theirs.data.numpy() / 255)
        assert images.labels.tolist() == LABELS.tolist()
        assert images.classes == tuple(theirs.classes)
    assert torch.equal(load_images(tmp_path).x, images.x)


# Files.


def four_idx(folder, pattern="{}-{}-idx{}-ubyte", train="train", test="t10k"):
    """The four files of MNIST under other names."""
    write_idx(folder / pattern.format(train, "images", 3), BYTES)
    write_idx(folder / pattern.format(train, "labels", 1), LABELS)
    write_idx(folder / pattern.format(test, "images", 3), 255 - BYTES)
    write_idx(folder / pattern.format(test, "labels", 1), 9 - LABELS)


def four_npy(folder, *names):
    for name, array in zip(names, (BYTES, LABELS, 255 - BYTES, 9 - LABELS)):
        np.save(folder / name, array)


def npz(folder, names, name="set.npz", save=np.savez):
    save(folder / name, **dict(zip(names.split(), (BYTES, LABELS, 255 - BYTES, 9 - LABELS))))


def kaggle(folder):
    """The archive of Kaggle: each file alone, and again in a folder of its name."""
    four_idx(folder, "{}-{}.idx{}-ubyte")
    for name in ("train-images", "train-labels", "t10k-images", "t10k-labels"):
        number = 3 if "images" in name else 1
        inner = folder / f"{name}-idx{number}-ubyte"
        inner.mkdir()
        (inner / inner.name).write_bytes((folder / f"{name}.idx{number}-ubyte").read_bytes())


def qmnist(folder):
    columns = np.column_stack([LABELS, *RANDOM.integers(0, 100, (7, 6))])
    for part, images, numbers in (("train", BYTES, columns), ("test", 255 - BYTES, columns)):
        numbers = numbers if part == "train" else np.column_stack([9 - LABELS, columns[:, 1:]])
        write_idx(folder / f"qmnist-{part}-images-idx3-ubyte", images)
        write_idx(folder / f"qmnist-{part}-labels-idx2-int", numbers, "i4")


def hidden_copies(folder):
    four_idx(folder)
    (folder / "._train-images-idx3-ubyte").write_bytes(b"of a Mac")
    (folder / "README.md").write_text("a text")
    (folder / "train-images.npy").mkdir()  # a folder with a file's name


def folders_of_splits(folder):
    for part, images, labels in (("train", BYTES, LABELS), ("test", 255 - BYTES, 9 - LABELS)):
        (folder / part).mkdir()
        np.save(folder / part / "images.npy", images)
        np.save(folder / part / "labels.npy", labels)


LAYOUTS = {
    "a folder for each split": folders_of_splits,
    "as MNIST": four_idx,
    "with dots": lambda folder: four_idx(folder, "{}-{}.idx{}-ubyte"),
    "with underscores": lambda folder: four_idx(folder, "{}_{}_idx{}_ubyte"),
    "test for t10k": lambda folder: four_idx(folder, test="test"),
    "Kaggle's archive": kaggle,
    "torchvision's folders": lambda folder: four_idx(folder / "MNIST" / "raw"),
    "a folder around it": lambda folder: four_idx(folder / "data"),
    "EMNIST": lambda folder: four_idx(folder, "emnist-letters-{}-{}-idx{}-ubyte", test="test"),
    "QMNIST": qmnist,
    "hidden copies": hidden_copies,
    "Keras' names": lambda folder: four_npy(folder, "x_train", "y_train", "x_test", "y_test"),
    "capitals": lambda folder: four_npy(folder, "X_train", "y_train", "X_val", "y_val"),
    "ours": lambda folder: four_npy(folder, "train-images", "train-labels", "t10k-images", "t10k-labels"),
    "kind first": lambda folder: four_npy(
        folder, "images_train", "labels_train", "images_test", "labels_test"
    ),
    "one word": lambda folder: four_npy(folder, "trainX", "trainy", "testX", "testy"),
    "data and targets": lambda folder: four_npy(
        folder, "train_data", "train_targets", "test_data", "test_targets"
    ),
    "Keras' archive": lambda folder: npz(folder, "x_train y_train x_test y_test"),
    "packed": lambda folder: npz(folder, "x_train y_train x_test y_test", save=np.savez_compressed),
    "MedMNIST": lambda folder: npz(folder, "train_images train_labels test_images test_labels"),
}


@pytest.mark.filterwarnings("ignore::vae_edu.data.DatasetWarning")
@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_of_files(tmp_path, name):
    LAYOUTS[name](tmp_path)
    for split, right, labels in (("train", BYTES, LABELS), ("test", 255 - BYTES, 9 - LABELS)):
        images = load_images(tmp_path, split)
        assert agrees(images.x, right / 255)
        assert images.labels.tolist() == labels.tolist()
        if not list(tmp_path.glob("*.npz")):
            mapped = map_images(tmp_path, split)
            assert torch.equal(mapped[:], images.x)
            assert torch.equal(mapped.labels, images.labels)


def test_notes_on_layouts(tmp_path):
    for name, words in (("QMNIST", "has 8 numbers for each image"), ("EMNIST", "x.mT turns")):
        (tmp_path / name).mkdir()
        LAYOUTS[name](tmp_path / name)
        with pytest.warns(DatasetWarning, match=words):
            load_images(tmp_path / name)


def test_several_sets_in_one_folder(tmp_path):
    for i, name in enumerate(("letters", "digits")):
        four_idx(tmp_path, f"emnist-{name}-{{}}-{{}}-idx{{}}-ubyte", test="test")
        write_idx(tmp_path / f"emnist-{name}-train-images-idx3-ubyte", BYTES // (i + 1))
    with pytest.raises(
        DatasetError, match=r"several sets, .*emnist-digits, .*emnist-letters: name one"
    ) as error:
        load_images(tmp_path)
    sentence(error.value)
    for i, name in enumerate(("letters", "digits")):
        for path in (f"emnist-{name}", f"emnist-{name}-train-images-idx3-ubyte", f"emnist_{name}"):
            with pytest.warns(DatasetWarning, match="EMNIST"):
                assert agrees(load_images(tmp_path / path).x, BYTES // (i + 1) / 255)


@pytest.mark.parametrize("kind", CODES)
def test_idx_images_of_every_type(tmp_path, kind):
    right = BYTES / 255 if kind[0] == "f" else BYTES
    write_idx(tmp_path / "train-images-idx3-ubyte", right if kind != "i1" else BYTES.view(np.int8), kind)
    write_idx(tmp_path / "train-labels-idx1-ubyte", LABELS, "u1" if kind[0] == "f" else kind)
    write_idx(tmp_path / "t10k-images-idx3-ubyte", BYTES)
    if kind == "i1":
        with pytest.raises(DatasetError, match=r"int8 from -128 to 127.*x.view\(np.uint8\)") as error:
            load_images(tmp_path)
        sentence(error.value)
    else:
        images = load_images(tmp_path)
        assert agrees(images.x, BYTES / 255)
        assert images.labels.tolist() == LABELS.tolist()
    if kind != "u1":
        with pytest.raises(DatasetError, match="only bytes can be mapped: save images as uint8"):
            map_images(tmp_path)


def test_labels_are_optional_in_files(tmp_path):
    np.save(tmp_path / "train-images.npy", BYTES)
    np.save(tmp_path / "t10k-images.npy", 255 - BYTES)
    assert load_images(tmp_path).labels is None
    assert map_images(tmp_path).labels is None
    assert agrees(load_images(tmp_path, "test").x, 1 - BYTES / 255)


@pytest.mark.parametrize("name", ["digits.npy", "images.npy", "digits.npz", "x-idx3-ubyte", "set"])
def test_one_file_is_divided(tmp_path, name):
    if name.endswith("npz"):
        np.savez(tmp_path / name, images=BYTES, labels=LABELS)
    elif name.endswith("npy"):
        np.save(tmp_path / name, BYTES)
    elif name == "set":
        four_npy((tmp_path / "set").absolute().parent, "images", "labels")
        name = "images.npy"
    else:
        write_idx(tmp_path / name, BYTES)
    with pytest.warns(DatasetWarning, match=r"one set of 6 images: 5 of them"):
        train, test = load_images(tmp_path / name), load_images(tmp_path / name, "test", seed=9)
    both = torch.cat([train.x, test.x])
    order = [int((both.cpu() == torch.tensor(x)[None] / 255).flatten(1).all(1).nonzero()) for x in BYTES]
    assert sorted(order) == list(range(6))
    if train.labels is not None:
        assert torch.cat([train.labels, test.labels])[torch.tensor(order)].tolist() == LABELS.tolist()


def pipe(path):
    os.mkfifo(path)


def link(path):
    path.symlink_to("nowhere")


def sock(path):
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)
        server.bind(path.name)


def text(path):
    path.write_text("a,b\n1,2\n")


def folder_of(name, write):
    def make(path):
        path.mkdir()
        write(path / name)

    return make


HOSTILE = {
    "a pipe": (pipe, ["a pipe, a socket or a device"]),
    "a dangling link": (link, ["a link to nowhere, which does not exist"]),
    "a socket": (sock, ["a pipe, a socket or a device"]),
    "a pipe in a folder": (folder_of("train-images-idx3-ubyte", pipe), ["a pipe, a socket or a device"]),
    "a dangling link in a folder": (folder_of("train-images-idx3-ubyte", link), ["a link to nowhere"]),
    "an empty folder": (
        lambda path: path.mkdir(),
        ["has no train-images-idx3-ubyte or other images, nothing"],
    ),
    "a folder of texts": (folder_of("a.csv", text), ["only a.csv", "a folder of pictures"]),
    "a packed folder": (folder_of("a.zip", text), ["only a.zip", "unpack"]),
    "a dangling link that matters to nobody": (folder_of("latest.log", link), ["only latest.log"]),
    "labels alone": (
        folder_of("train-labels.npy", lambda path: np.save(path, LABELS)),
        ["has no train-images"],
    ),
    "a test set alone": (folder_of("t10k-images.npy", lambda path: np.save(path, BYTES)), ["only test"]),
    "two arrays of unknown names": (
        lambda path: np.savez(path.with_suffix(".npz"), a=BYTES, b=BYTES),
        ["the arrays a, b"],
    ),
    "two arrays of images": (
        lambda path: np.savez(path.with_suffix(".npz"), images=BYTES, data=BYTES),
        ["the arrays images, data"],
    ),
    "an empty archive": (lambda path: np.savez(path.with_suffix(".npz")), ["the arrays none"]),
    "an archive of objects": (
        lambda path: np.savez(path.with_suffix(".npz"), images=np.array([{}, None])),
        ["not a .npz file of numbers", "allow_pickle"],
    ),
    "an archive that is none": (lambda path: text(path.with_suffix(".npz")), ["not a .npz file of numbers"]),
    "a zip file": (lambda path: text(path.with_suffix(".zip")), ["unpack it"]),
    "a table": (lambda path: text(path.with_suffix(".csv")), ["images_from(x, labels)"]),
    "a pickle": (lambda path: text(path.with_suffix(".pt")), ["images_from(x, labels)"]),
    "an empty file": (lambda path: path.with_suffix(".npy").touch(), ["not a .npy file of numbers"]),
    "a text as IDX": (lambda path: text(path.with_suffix(".idx3-ubyte")), ["not an IDX file"]),
    "a picture": (lambda path: Image.fromarray(BYTES[0]).save(path.with_suffix(".png")), ["one picture"]),
    "labels as images": (lambda path: np.save(path.with_suffix(".npy"), LABELS), ["(6,)", "labels"]),
    "rows": (lambda path: np.save(path.with_suffix(".npy"), np.zeros((9, 784))), ["reshape(-1, 28, 28)"]),
    "objects": (lambda path: np.save(path.with_suffix(".npy"), np.array([{}])), ["Python objects"]),
}


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and links are of Unix")
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_paths(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, words = HOSTILE[name]
    make(tmp_path / "own")
    (path,) = tmp_path.iterdir()
    for load in (load_images, map_images):
        with pytest.raises(DatasetError) as error:
            load(path)
        said = sentence(error.value)
        if load is load_images:
            for word in words:
                assert word in said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (123, ["int", "images_from"]),
        ([1], ["list", "images_from"]),
        (b"/tmp", ["bytes"]),
        (BYTES, ["ndarray", "images_from"]),
        (torch.tensor(BYTES), ["Tensor", "images_from"]),
        (TENSORS, ["TensorDataset", "images_from"]),
        ({}, ["dict"]),
        (True, ["bool"]),
        ("nowhere/at/all", ["unknown data set 'nowhere/at/all'", "a folder of pictures"]),
        ("C:\\Users\\me\\digits", ["unknown data set"]),
        ("https://example.org/digits.zip", ["is an address: download it"]),
        ("file:///home/me/digits", ["is an address"]),
        ("MNIST", ["unknown data set 'MNIST'", "mnist"]),
        ("a\0b", ["cannot be read"]),
        ("x" * 5000, ["cannot be read (File name too long)"]),
    ],
)
def test_names_that_are_none(name, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for load in (load_images, map_images):
        with pytest.raises(ValueError, match=r"^.") as error:
            load(name)
        said = sentence(error.value)
        for word in words:
            assert word in said


@pytest.mark.parametrize(
    "call",
    [
        lambda: load_images("strokes", n=1_000_000_000),
        lambda: stroke_digits(10**9),
        lambda: stroke_digits(10**15),
        lambda: load_images("strokes", "test", n=10**9, device="cpu"),
    ],
)
def test_a_billion_images_are_refused_by_arithmetic(call):
    with pytest.raises(
        DatasetError, match=r"would take [\d,.]+ GB of memory, and [\d.]+ GB are free: ask for"
    ) as error:
        call()
    assert ",000,000" in sentence(error.value)


def test_what_does_not_fit_is_refused(tmp_path, monkeypatch):
    np.save(tmp_path / "images.npy", np.tile(BYTES, (400, 1, 1)))
    with pytest.warns(DatasetWarning):
        load_images(tmp_path)
    monkeypatch.setattr(vae_edu.data.room, "free_memory", lambda: 1_000)
    for path in (tmp_path, tmp_path / "images.npy"):
        with pytest.raises(DatasetError, match=r"images.npy would take"):
            load_images(path)
    with pytest.warns(DatasetWarning):
        assert map_images(tmp_path)[0].shape == (1, 1, 8, 7)


def test_a_file_that_becomes_shorter_while_it_is_used(tmp_path):
    np.save(tmp_path / "train-images.npy", np.tile(BYTES, (4000, 1, 1)))
    np.save(tmp_path / "t10k-images.npy", BYTES)
    mapped = map_images(tmp_path, device="cpu")
    assert agrees(mapped[-6:], BYTES / 255)
    os.truncate(tmp_path / "train-images.npy", 500)
    with pytest.raises(DatasetError, match="became shorter while it was in use") as error:
        mapped[-6:]
    sentence(error.value)
    (tmp_path / "train-images.npy").unlink()
    with pytest.raises(DatasetError, match="became shorter"):
        mapped[-6:]


def test_indices_of_numpy():
    images = images_from(BYTES, LABELS)
    for index in (np.int64(3), np.uint8(3), np.array(3), np.argmax(LABELS == 1) + 2, torch.tensor(3)):
        assert images[index].x.shape == (1, 1, 8, 7)
        assert torch.equal(images[index].x, images[3:4].x)
    assert images[np.array([1, 2])].labels.tolist() == [1, 4]
    with pytest.raises(IndexError, match="no image 6 of 6"):
        images[np.int64(6)]


def test_binarize_speaks_up():
    digits = stroke_digits(200)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        binarize(digits.x)
        binarize(digits.x, seed=1)
        binarize(digits.shrink().x)
        binarize(digits.shrink(4).x)
    photographs = torch.rand(5, 1, 28, 28) * 0.6 + 0.2
    for seed in (None, 0):
        with pytest.warns(DatasetWarning, match=r'100% of the pixels were gray.*likelihood="gaussian"'):
            binarize(photographs, seed)
    with pytest.warns(
        DatasetWarning, match="every pixel is 0 now, since the largest was 0.0627: give brighter"
    ):
        binarize(torch.full((2, 1, 8, 8), 16 / 255))
    with pytest.warns(DatasetWarning, match=r"every pixel is 1 now, since the smallest was 0.98"):
        binarize(torch.full((2, 1, 8, 8), 0.98))
    for bad in (digits, BYTES, None, 3):
        with pytest.raises(ValueError, match=r"takes a tensor, not .*: give images.x"):
            binarize(bad)


def test_binarize_is_silent_on_mnist(mnist):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for split in ("train", "test"):
            binarize(load_images(mnist, split).x)


# Whatever Hypothesis makes of it: right pixels or one sentence, and by every route the same.

FINITE = {
    "u1": 255,
    "i1": 127,
    "i2": 300,
    "i4": 70_000,
    "i8": 70_000,
    "u2": 65_535,
    "f4": 1,
    "f8": 1,
    "b1": 1,
}


@st.composite
def arrays(draw):
    """Arrays of every type, layout, order and range, many of them nonsense."""
    kind = draw(st.sampled_from(sorted(FINITE)))
    shape = tuple(draw(st.lists(st.sampled_from([0, 1, 2, 3, 4, 5, 8, 9]), min_size=1, max_size=5)))
    shape = draw(st.sampled_from([shape, (4, 8, 9), (4, 3, 8, 9), (4, 8, 9, 3), (4, 8, 9, 1)]))
    low, high = sorted(draw(st.tuples(*[st.sampled_from([-1.0, 0.0, 0.004, 0.06, 0.5, 1.0])] * 2)))
    unit = np.random.default_rng(draw(st.integers(0, 99))).uniform(low, high, shape)
    array = np.round(unit * FINITE[kind]) if kind[0] in "iu" else unit > 0.3 if kind == "b1" else unit
    array = array.clip(0) if kind[0] == "u" else array
    array = np.asarray(array).astype(draw(st.sampled_from("<>")) + kind)
    if kind[0] == "f" and array.size and draw(st.integers(0, 9)) == 0:
        array.flat[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    return draw(st.sampled_from([np.ascontiguousarray, np.asfortranarray, lambda a: a[::-1]]))(array)


def by_hand(array):
    """The images in an array, or None if it must be refused: written down again, from the documentation."""
    if array.ndim not in (3, 4) or array.size == 0:
        return None
    channels_last = array.ndim == 4 and array.shape[1] not in (1, 3) and array.shape[3] in (1, 3)
    if array.ndim == 4 and array.shape[1] not in (1, 3) and not channels_last:
        return None
    if array.ndim == 3 and array.shape[2] in (1, 3, 4) and min(array.shape[:2]) > 4:
        return None
    x = array.astype(float)
    if not np.isfinite(x).all() or x.min() < 0:
        return None
    if array.dtype.kind == "f":
        if x.max() > 1 or (x.max() <= 1 / 255 and x.min() < x.max()):
            return None
    elif array.dtype.kind != "b":
        if array.dtype == np.int8 or x.max() > 255 or (x.max() <= 16 and x.min() < x.max()):
            return None
        x = x / 255
    if channels_last:
        return np.stack([x[:, :, :, c] for c in range(x.shape[3])], 1)
    return x[:, None] if x.ndim == 3 else x


@pytest.mark.filterwarnings("ignore::vae_edu.data.DatasetWarning")
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(array=arrays())
def test_any_array_by_any_route(tmp_path, array):
    right = by_hand(array)
    for name in ("train", "t10k"):
        np.save(tmp_path / f"{name}-images.npy", array)
    np.savez(tmp_path / "set.npz", x_train=array, x_test=array)
    routes = [
        lambda: images_from(array),
        lambda: load_images(tmp_path),
        lambda: load_images(tmp_path / "set.npz"),
    ]
    kind = array.dtype.kind + str(array.dtype.itemsize)
    if kind in CODES and 1 <= array.ndim <= 4:
        (tmp_path / "idx").mkdir(exist_ok=True)
        for name in ("train", "t10k"):
            write_idx(tmp_path / "idx" / f"{name}-images-idx3-ubyte", array, kind)
        routes.append(lambda: load_images(tmp_path / "idx"))
    for route in routes:
        if right is None:
            with pytest.raises(DatasetError) as error:
                route()
            sentence(error.value)
        else:
            assert agrees(route().x, right)


@pytest.mark.filterwarnings("ignore::vae_edu.data.DatasetWarning")
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_damage_to_a_file(tmp_path, data):
    """Cut off, longer, or with some bytes changed: images, whatever they are then, or a sentence."""
    name = data.draw(st.sampled_from(["a.npy", "a-idx3-ubyte", "a-idx3-ubyte.gz", "a.npz"]))
    if name == "a.npy":
        np.save(tmp_path / name, BYTES)
    elif name == "a.npz":
        np.savez(tmp_path / name, images=BYTES)
    else:
        write_idx(tmp_path / name, BYTES)
        if name.endswith("gz"):
            (tmp_path / name).write_bytes(gzip.compress((tmp_path / name).read_bytes(), mtime=0))
    content = bytearray((tmp_path / name).read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, min(len(content), 200) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(0, len(content) + 3))
    (tmp_path / name).write_bytes((content + b"abc")[:end] if data.draw(st.booleans()) else content)
    for load in (load_images, map_images):
        try:
            images = load(tmp_path / name)
        except DatasetError as error:
            sentence(error)
        else:
            x = images.x if load is load_images else images[:]
            assert x.dim() == 4
            assert ((x >= 0) & (x <= 1)).all()
