"""Folders of pictures, against pixels computed by hand from what was saved."""

import os
import struct
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import interpolate

from vae_edu.data import DatasetError, DatasetWarning, load_images, map_images, pictures
from vae_edu.engine import files as engine_files

RANDOM = np.random.default_rng(0)
GRAY = RANDOM.integers(0, 256, (6, 5), np.uint8)
COLOR = RANDOM.integers(0, 256, (6, 5, 3), np.uint8)
OPAQUE = RANDOM.integers(0, 256, (6, 5), np.uint8)
DEEP = RANDOM.integers(0, 65536, (6, 5), np.uint16)
BIG_ENDIAN = Image.frombytes("I;16B", (5, 6), DEEP.astype(">u2").tobytes())
FLAT = np.full((8, 8, 3), (200, 90, 30), np.uint8)
ONE_BIT = GRAY > 99
CLEARED = np.where(GRAY[0, 0] == GRAY, 255, GRAY)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(engine_files.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "vae_edu" / "pictures"


def save(path, array=GRAY, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(path, **options)


def load(folder, split="train", **options):
    """All the images of a folder with train/ (and a test image, so that nothing is divided)."""
    for name in ("test", "train"):
        (folder / name).mkdir(exist_ok=True)
    if not list((folder / "test").iterdir()):
        save(folder / "test" / "a.png", GRAY)
    return load_images(folder, split, device="cpu", **options)


def on_white(color, opacity):
    opacity = opacity[..., None] / 255 if color.ndim == 3 else opacity / 255
    return 255 * (1 - opacity) + opacity * color


def palette():
    image = Image.fromarray(GRAY % 3, "P")
    image.putpalette([10, 20, 30, 200, 100, 0, 7, 7, 7])
    return image


COLORS = np.array([[10, 20, 30], [200, 100, 0], [7, 7, 7]])
TRANSPARENT = np.array([[10, 20, 30], [255, 255, 255], [7, 7, 7]])


def frames():
    return {"save_all": True, "append_images": [Image.fromarray(255 - GRAY)]}


# name of the file: (what is saved, options, bytes that must come out, tolerance)
KINDS = {
    "gray.png": (GRAY, {}, GRAY, 0),
    "color.png": (COLOR, {}, COLOR, 0),
    "UPPER.PNG": (GRAY, {}, GRAY, 0),
    "name with spaces, é 数.png": (GRAY, {}, GRAY, 0),
    "gray.bmp": (GRAY, {}, GRAY, 0),
    "color.ppm": (COLOR, {}, COLOR, 0),
    "gray.pgm": (GRAY, {}, GRAY, 0),
    "color.tga": (COLOR, {}, COLOR, 0),
    "color.tiff": (COLOR, {"compression": "tiff_lzw"}, COLOR, 0),
    "color.webp": (COLOR, {"lossless": True}, COLOR, 0),
    "flat.jpg": (np.full((6, 5), 77, np.uint8), {"quality": 100}, np.full((6, 5), 77), 1),
    "flat_color.jpeg": (FLAT, {"quality": 100}, FLAT, 2),
    "gray as color.png": (np.repeat(GRAY[..., None], 3, 2), {}, GRAY, 0),
    "one bit.png": (Image.fromarray(ONE_BIT), {}, 255 * ONE_BIT, 0),
    "opacity.png": (np.dstack([COLOR, OPAQUE]), {}, on_white(COLOR, OPAQUE), 1),
    "gray opacity.png": (np.dstack([GRAY, OPAQUE]), {}, on_white(GRAY, OPAQUE), 1),
    "all clear.png": (np.dstack([COLOR, 0 * OPAQUE]), {}, np.full((6, 5), 255), 0),
    "palette.png": (palette(), {}, COLORS[GRAY % 3], 0),
    "palette.gif": (palette(), {}, COLORS[GRAY % 3], 0),
    "clear palette.png": (palette(), {"transparency": 1}, TRANSPARENT[GRAY % 3], 0),
    "clear palette.gif": (palette(), {"transparency": 1}, TRANSPARENT[GRAY % 3], 0),
    "clear gray.png": (GRAY, {"transparency": int(GRAY[0, 0])}, CLEARED, 0),
    "16 bits.png": (DEEP, {}, np.round(DEEP / 257), 0),
    "16 bits.tif": (DEEP, {}, np.round(DEEP / 257), 0),
    "big endian.tif": (BIG_ENDIAN, {}, np.round(DEEP / 257), 0),
    "ink.tif": (Image.fromarray(np.dstack([COLOR, 0 * OPAQUE]), "CMYK"), {}, 255 - COLOR.astype(int), 0),
    "animated.gif": (GRAY, frames(), GRAY, 0),
    "pages.tif": (GRAY, frames(), GRAY, 0),
    "animated.png": (GRAY, frames(), GRAY, 0),
    "animated.webp": (COLOR, {**frames(), "lossless": True}, COLOR, 0),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*deprecated:FutureWarning")
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_picture(tmp_path, name):
    saved, options, right, tolerance = KINDS[name]
    save(tmp_path / "train" / name, saved, **options)
    right = np.asarray(right, float)
    right = right[None] if right.ndim == 2 else np.moveaxis(right, 2, 0)
    if "animated" in name or "pages" in name:
        with pytest.warns(DatasetWarning, match="several frames, 1: the first of each is taken"):
            x = load(tmp_path).x
    else:
        x = load(tmp_path).x
    assert x.shape == (1, *right.shape)
    assert np.abs(255 * x[0].numpy() - right).max() <= tolerance + 1e-4


def test_16_bit_pgm(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "a.pgm").write_bytes(b"P5 5 6 65535\n" + DEEP.astype(">u2").tobytes())
    assert np.abs(255 * load(tmp_path).x[0, 0].numpy() - np.round(DEEP / 257)).max() < 1e-4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_upright(tmp_path, orientation):
    """EXIF: 1 as it is, 2 mirrored, 3 upside down, … 8 turned; undone by hand."""
    undo = [
        *[lambda a: a, lambda a: a[:, ::-1], lambda a: a[::-1, ::-1], lambda a: a[::-1]],
        *[lambda a: a.T, lambda a: a.T[:, ::-1], lambda a: a.T[::-1, ::-1], lambda a: a.T[::-1]],
    ][orientation - 1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / "train" / "a.png", GRAY, exif=exif)
    x = load(tmp_path).x[0, 0]
    assert np.abs(255 * x.numpy() - undo(GRAY)).max() < 1e-4


@pytest.mark.parametrize("shape", [(28, 56), (56, 28), (42, 42), (9, 27), (7, 7)])
def test_size_resizes_and_crops_the_center(tmp_path, shape):
    """PyTorch's resize with antialiasing, the shorter side to 14 pixels, and the center cut out by hand."""
    color = RANDOM.integers(0, 256, (*shape, 3), np.uint8)
    save(tmp_path / "train" / "a.png", color)
    (x,) = load(tmp_path, size=14).x
    height, width = (14 * side // min(shape) for side in shape)
    whole = torch.from_numpy(color).movedim(2, 0)[None].float()
    whole = interpolate(whole, (height, width), mode="bilinear", antialias=True)[0]
    top, left = (height - 14) // 2, (width - 14) // 2
    assert (255 * x - whole[:, top : top + 14, left : left + 14]).abs().max() <= 2  # rounding


def test_gray_and_color(tmp_path):
    save(tmp_path / "train" / "a.png", GRAY)
    save(tmp_path / "train" / "b.png", COLOR)
    x = load(tmp_path).x
    assert x.shape == (2, 3, 6, 5)
    assert (x[0] == x[0, :1]).all()  # a gray picture among colored ones
    luma = COLOR @ np.array([0.299, 0.587, 0.114])
    assert np.abs(255 * load(tmp_path, gray=True).x[1, 0].numpy() - luma).max() <= 0.51
    (tmp_path / "train" / "b.png").unlink()
    assert load(tmp_path).x.shape == (1, 1, 6, 5)
    assert load(tmp_path, gray=False).x.shape == (1, 3, 6, 5)


def test_the_environment_asks_for_size_and_gray(tmp_path, monkeypatch):
    save(tmp_path / "train" / "a.png", COLOR)
    save(tmp_path / "train" / "b.png", COLOR[:4])
    with pytest.raises(
        DatasetError, match=r"6 × 5 \(1\), 4 × 5 \(1\).*size=28, --size 28 or VAE_EDU_SIZE=28"
    ):
        load(tmp_path)
    monkeypatch.setenv("VAE_EDU_SIZE", "4")
    monkeypatch.setenv("VAE_EDU_GRAY", "1")
    assert load(tmp_path).x.shape == (2, 1, 4, 4)
    assert load(tmp_path, size=5, gray=False).x.shape == (2, 3, 5, 5)
    assert load_images("strokes", n=2).x.shape == (2, 1, 4, 4)
    for name, value in (("VAE_EDU_SIZE", "big"), ("VAE_EDU_SIZE", "0"), ("VAE_EDU_GRAY", "yes")):
        monkeypatch.setenv(name, value)
        with pytest.raises(ValueError, match=f"^{name}={value} must be"):
            load(tmp_path)
        monkeypatch.setenv(name, "")
    for bad in ({"size": 0}, {"size": 2.5}, {"size": True}, {"gray": 1}, {"gray": "yes"}):
        with pytest.raises(ValueError, match=f"^{next(iter(bad))} = .* must be"):
            load(tmp_path, **bad)


def test_folders_are_labels(tmp_path):
    for split, names in (("train", "ca"), ("test", "abd")):
        for name in names:
            for i in range(3):
                save(tmp_path / split / name / "deeper" / f"{i}.png", GRAY // 4 + 10 * ord(name) % 200)
    train, test = load_images(tmp_path, device="cpu"), load_images(tmp_path, "test", device="cpu")
    assert train.classes == test.classes == ("a", "b", "c", "d")
    assert train.labels.tolist() == [0, 0, 0, 2, 2, 2]
    assert test.labels.tolist() == [0, 0, 0, 1, 1, 1, 3, 3, 3]
    for images in (train, test):
        for i, label in enumerate(images.labels):
            right = GRAY // 4 + 10 * ord(images.classes[label]) % 200
            assert np.abs(255 * images.x[i, 0].numpy() - right).max() < 1e-4
    assert map_images(tmp_path, "test", n=4, seed=1, device="cpu").classes == train.classes


@pytest.mark.parametrize(
    "names", [("train", "val"), ("Training", "Validation"), ("TRAIN", "test"), ("train", "dev")]
)
def test_names_of_splits(tmp_path, names):
    save(tmp_path / "set" / names[0] / "a.png", GRAY)
    save(tmp_path / "set" / names[1] / "a.png", 255 - GRAY)
    for split, right in (("train", GRAY), ("test", 255 - GRAY)):
        x = load_images(tmp_path, split, device="cpu").x  # the folder around everything does not count
        assert np.abs(255 * x[0, 0].numpy() - right).max() < 1e-4


def test_one_folder_is_divided(tmp_path):
    for i in range(15):
        save(tmp_path / "own" / f"{i:02}.png", GRAY // 4 + 12 * i)
    with pytest.warns(
        DatasetWarning, match=r"set of 15 images: 13 of them, .* for training and 2 for testing"
    ):
        train = load_images(tmp_path / "own", device="cpu")
    with pytest.warns(DatasetWarning):
        test = load_images(tmp_path / "own", "test", seed=5, device="cpu")
    assert train.labels is None
    assert train.classes is None
    shades = sorted(round(255 * float(image.min())) for image in torch.cat([train.x, test.x]))
    assert shades == [int((GRAY // 4).min()) + 12 * i for i in range(15)]  # each once
    with pytest.warns(DatasetWarning):
        some = load_images(tmp_path / "own", n=13, seed=1, device="cpu")
    assert all((train.x == image).flatten(1).all(1).any() for image in some.x)
    with pytest.raises(ValueError, match=r"n = 14, but .* has 13 train images"), pytest.warns(DatasetWarning):
        load_images(tmp_path / "own", n=14)
    save(tmp_path / "single" / "a.png", GRAY)
    with pytest.raises(DatasetError, match="one image, and two are needed"):
        load_images(tmp_path / "single")


def test_broken_pictures_are_left_out_with_a_count(tmp_path):
    for name in "abcdef":
        save(tmp_path / "train" / name / "1.png", GRAY)
    (tmp_path / "train" / "a" / "0.png").write_bytes(b"")
    (tmp_path / "train" / "b" / "0.jpg").write_bytes(b"no picture")
    whole = (tmp_path / "train" / "c" / "1.png").read_bytes()
    (tmp_path / "train" / "c" / "2.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "train" / "d" / "0.heic").write_bytes(b"from a phone")
    save(tmp_path / "train" / "e" / "0.tif", GRAY.astype(np.float32))
    for _ in range(2):  # the second time from the cache
        with pytest.warns(
            DatasetWarning, match=r"5 pictures of .* cannot be read .* 0.png \(Pillow"
        ) as caught:
            images = load(tmp_path)
        assert "\n" not in str(caught[0].message)
        assert images.labels.tolist() == [0, 1, 2, 3, 4, 5]
        assert np.abs(255 * images.x[:, 0].numpy() - GRAY).max() < 1e-4
    for path in (tmp_path / "train").rglob("1.png"):
        path.unlink()
    with pytest.raises(DatasetError, match="none of the 5 pictures in"):
        load(tmp_path)


def test_a_picture_of_too_many_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    save(tmp_path / "train" / "a.png", GRAY)
    save(tmp_path / "train" / "b.png", np.zeros((7, 7), np.uint8))  # a warning of Pillow
    save(tmp_path / "train" / "c.png", np.zeros((20, 20), np.uint8))  # an error
    with pytest.warns(
        DatasetWarning, match=r"2 pictures .* b.png \(it has more than 40 pixels: make it smaller\)"
    ):
        assert len(load(tmp_path, size=5)) == 1


def test_what_is_no_picture_is_ignored(tmp_path):
    save(tmp_path / "train" / "a.png", GRAY)
    for name in (".hidden.png", "Thumbs.db", ".DS_Store", "labels.csv", "readme.txt", "a.png.txt"):
        (tmp_path / "train" / name).write_bytes(b"something")
    save(tmp_path / "__MACOSX" / "a.png", COLOR)
    save(tmp_path / ".git" / "a.png", COLOR)
    (tmp_path / "empty").mkdir()
    with warnings.catch_warnings():
        warnings.simplefilter("error", DatasetWarning)
        assert load(tmp_path).x.shape == (1, 1, 6, 5)
    (tmp_path / "empty" / "up").symlink_to(tmp_path)  # a circle
    save(tmp_path / "empty" / "a.png", GRAY)
    with pytest.raises(DatasetError, match="has empty next to train"):
        load(tmp_path)


def test_pictures_next_to_folders_of_pictures(tmp_path):
    save(tmp_path / "a.png", GRAY)
    save(tmp_path / "b" / "a.png", GRAY)
    with pytest.raises(DatasetError, match=r"1 pictures next to folders of pictures \(b, …\)"):
        load_images(tmp_path)


def test_the_cache(tmp_path, cache, monkeypatch):
    save(tmp_path / "train" / "a.png", GRAY)
    first = load(tmp_path).x
    kept = sorted(cache.iterdir())
    assert [path.suffix for path in kept] == [".idx", ".json"]
    calls = []
    decode = pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda *a: calls.append(a) or decode(*a))
    assert torch.equal(load(tmp_path).x, first)
    assert not calls
    mapped = map_images(tmp_path, device="cpu")
    assert torch.equal(mapped[:], first)
    assert not calls
    save(tmp_path / "train" / "a.png", 255 - GRAY)
    os.utime(tmp_path / "train" / "a.png", ns=(1, 1))
    assert np.abs(255 * load(tmp_path).x[0, 0].numpy() - (255 - GRAY)).max() < 1e-4
    assert len(list(cache.iterdir())) == 2  # the older entry is gone
    load(tmp_path, size=3)
    assert len(list(cache.iterdir())) == 4  # another question, another answer
    for path in cache.glob("*.idx"):
        path.write_bytes(path.read_bytes()[:-1])
    assert load(tmp_path).x.shape == (1, 1, 6, 5)  # a damaged entry is made anew


@pytest.mark.parametrize("how", ["a file in its place", "a full disk"])
def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, cache, monkeypatch, how):
    if how == "a full disk":

        def full(*args, **kwargs):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(pictures.Path, "write_text", full)
    else:
        (tmp_path / "cache").write_text("")
    save(tmp_path / "train" / "a.png", GRAY)
    assert np.abs(255 * load(tmp_path).x[0, 0].numpy() - GRAY).max() < 1e-4
    assert torch.equal(map_images(tmp_path, device="cpu")[:], load(tmp_path).x)
    assert not cache.exists() or not list(cache.iterdir())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root to become nobody")
@pytest.mark.parametrize("part", ["", "train"])
def test_a_folder_without_permission(part):
    code = (
        "import os, sys, PIL.Image, vae_edu.data; os.setuid(65534)\n"
        "try: vae_edu.data.load_images(sys.argv[1])\n"
        "except vae_edu.data.DatasetError as error: print(error)"
    )
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        os.chmod(folder, 0o755)
        mine = Path(folder) / "mine"
        save(mine / "train" / "a.png", GRAY)
        (mine / part).chmod(0)
        done = subprocess.run([sys.executable, "-c", code, mine], capture_output=True, text=True, check=False)
    assert (
        f"{mine / part} cannot be read (Permission denied): check the path and its permissions."
        in done.stdout
    )


def test_a_header_of_a_huge_picture(tmp_path):
    """A PNG whose header lies: nothing is allocated for it, and the other picture is read."""
    save(tmp_path / "train" / "a.png", GRAY)
    content = bytearray((tmp_path / "train" / "a.png").read_bytes())
    content[16:24] = struct.pack(">2I", 60_000, 60_000)
    (tmp_path / "train" / "b.png").write_bytes(content)
    with pytest.warns(DatasetWarning, match=r"1 picture .* b.png \("):
        assert len(load(tmp_path, size=6)) == 1
