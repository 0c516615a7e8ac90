"""Data sets by name and by folder, and the sentences for what goes wrong."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

import vae_edu
from vae_edu.data import DatasetError, Images, binarize, load_images, map_images


def write_folder(folder, n=7, labels=None, side=5):
    """Four IDX files of n images, the test half gzipped; returns the pixels of the training images."""
    folder.mkdir(exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (n, side, side), np.uint8)
    images = b"\0\0\x08\x03" + struct.pack(">3I", n, side, side) + pixels.tobytes()
    count = n if labels is None else labels
    names = b"\0\0\x08\x01" + struct.pack(">I", count) + bytes(i % 10 for i in range(count))
    (folder / "train-images-idx3-ubyte").write_bytes(images)
    (folder / "train-labels-idx1-ubyte").write_bytes(names)
    (folder / "t10k-images.idx3-ubyte.gz").write_bytes(gzip.compress(images))
    (folder / "t10k-labels.idx1-ubyte.gz").write_bytes(gzip.compress(names))
    return pixels


def test_a_folder_of_ones_own(tmp_path):
    pixels = write_folder(tmp_path / "mine")
    for split in ("train", "test"):
        images = load_images(tmp_path / "mine", split)
        assert images.x.shape == (7, 1, 5, 5)
        np.testing.assert_allclose(images.x[:, 0].cpu().numpy(), pixels / 255, rtol=1e-6)
        assert images.labels.tolist() == list(range(7))
        assert images.factors is None


@pytest.mark.parametrize("load", [load_images, map_images])
def test_a_folder_of_npy_files(tmp_path, load):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 3, 5, 4), np.uint8)
    np.save(tmp_path / "train-images.npy", pixels)
    np.save(tmp_path / "train-labels.npy", np.arange(7))
    np.save(tmp_path / "t10k-images.npy", pixels[:2, 0])
    np.save(tmp_path / "t10k-labels.npy", np.arange(2, dtype=np.int32))
    images = load(tmp_path)
    x = images.x if load is load_images else images
    assert x.shape == (7, 3, 5, 4)
    np.testing.assert_allclose(x[:].cpu().numpy(), pixels / 255, rtol=1e-6)
    assert images.labels.tolist() == list(range(7))
    test = load(tmp_path, "test")
    x_test = test.x if load is load_images else test
    assert x_test.shape == (2, 1, 5, 4)
    assert torch.equal(x_test[:], x[:2][:, :1])
    assert test.labels.dtype == torch.int64
    with pytest.raises(ValueError, match="has 7 train images"):
        load(tmp_path, n=8)
    np.save(tmp_path / "t10k-images.npy", pixels[:2].astype(int))
    if load is load_images:
        assert torch.equal(load(tmp_path, "test").x, x[:2])
    else:
        with pytest.raises(DatasetError, match=r"holds int64, and only bytes .* images as uint8"):
            load(tmp_path, "test")
    np.save(tmp_path / "t10k-images.npy", pixels[0, 0])
    with pytest.raises(DatasetError, match=r"the shape \(5, 4\), not \(N, H, W\)"):
        load(tmp_path, "test")


def test_what_can_be_mapped(tmp_path):
    pixels = write_folder(tmp_path / "mine")
    mapped = map_images(tmp_path / "mine")
    np.testing.assert_allclose(mapped[:][:, 0].cpu().numpy(), pixels / 255, rtol=1e-6)
    with pytest.raises(DatasetError, match=r"t10k-images.idx3-ubyte.gz is gzipped, .* gunzip it first"):
        map_images(tmp_path / "mine", "test")
    np.save(tmp_path / "mine" / "t10k-images.npy", 255 - pixels)  # comes before a file that cannot be mapped
    mapped = map_images(tmp_path / "mine", "test")
    np.testing.assert_allclose(mapped[:][:, 0].cpu().numpy(), 1 - pixels / 255, atol=1e-6)
    with pytest.raises(ValueError, match="strokes has no files of its own"):
        map_images("strokes")
    write_folder(tmp_path / "counts", n=7, labels=6)
    with pytest.raises(DatasetError, match=r"holds labels of shape \(6,\), and there are 7 images"):
        map_images(tmp_path / "counts")


def test_n_chooses_at_random_by_the_seed(tmp_path):
    write_folder(tmp_path / "mine", n=200)
    everything = load_images(tmp_path / "mine")
    some, again, others = (load_images(tmp_path / "mine", n=20, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(some.x, again.x)
    assert not torch.equal(some.x, others.x)
    known = {
        (image.cpu().numpy().tobytes(), label)
        for image, label in zip(everything.x, everything.labels.tolist(), strict=True)
    }
    chosen = {
        (image.cpu().numpy().tobytes(), label)
        for image, label in zip(some.x, some.labels.tolist(), strict=True)
    }
    assert len(chosen) == 20
    assert chosen <= known


def test_the_environment_names_data_set_and_folder(tmp_path, monkeypatch):
    write_folder(tmp_path / "kmnist")
    monkeypatch.setenv("VAE_EDU_DATA", str(tmp_path))
    monkeypatch.setenv("VAE_EDU_DATASET", "kmnist")
    assert len(load_images()) == 7
    monkeypatch.setenv("VAE_EDU_DATASET", "")
    assert load_images(n=3).factors is not None


def test_real_mnist(mnist):
    train, test = load_images(mnist), load_images(mnist, "test")
    assert train.x.shape == (60_000, 1, 28, 28)
    assert test.x.shape == (10_000, 1, 28, 28)
    assert train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert train.x.mean().item() == pytest.approx(0.1307, abs=1e-4)  # the published mean
    assert train.labels.bincount().tolist()[:3] == [5923, 6742, 5958]


def test_images_are_indexed_as_a_whole():
    images = load_images("strokes", n=30)
    assert images.x.device.type == vae_edu.device().type
    threes = images[images.labels == images.labels[0]]
    assert (threes.factors["digit"] == images.labels[0]).all()
    assert len(images[4]) == 1
    assert torch.equal(images[4].x[0], images.x[4])
    assert torch.equal(images[5:9].factors["slant"], images.factors["slant"][5:9])
    assert sum(1 for _ in images) == 30
    assert images[torch.tensor(4)].x.shape == (1, 1, 28, 28)
    assert images == images


def test_binarize():
    x = torch.tensor([0.0, 0.2, 0.5, 0.8, 1.0]).repeat(20_000, 1)
    assert binarize(x)[0].tolist() == [0, 0, 1, 1, 1]
    drawn = binarize(x, seed=3)
    assert set(drawn.unique().tolist()) == {0, 1}
    assert drawn.mean(0).tolist() == pytest.approx([0, 0.2, 0.5, 0.8, 1], abs=0.015)
    assert torch.equal(drawn, binarize(x, seed=3))
    assert not torch.equal(drawn, binarize(x, seed=4))
    assert drawn.dtype == x.dtype
    assert binarize(torch.ones(3, dtype=torch.uint8), seed=0).tolist() == [1, 1, 1]
    for bad in (x * 255, -x - 0.1, x / 0):
        with pytest.raises(ValueError, match=r"\[0, 1\]"):
            binarize(bad)


def test_bad_requests(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="strokes, photograph, mnist, fashion_mnist, kmnist") as error:
        load_images("minst")
    assert "folder" in str(error.value)
    with pytest.raises(ValueError, match="'train' or 'test'"):
        load_images(split="validation")
    for n in (0, -3, 1.5, True, "many"):
        with pytest.raises(ValueError, match="must be a whole number"):
            load_images(n=n)
    write_folder(tmp_path / "mine")
    with pytest.raises(ValueError, match="seed = -1"):
        load_images(tmp_path / "mine", seed=-1)
    with pytest.raises(ValueError, match="has 7 train images"):
        load_images(tmp_path / "mine", n=8)
    monkeypatch.setenv("VAE_EDU_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DatasetError, match="is not a folder"):
        load_images("mnist")


def test_bad_folders(tmp_path):
    write_folder(tmp_path / "counts", n=7, labels=6)
    with pytest.raises(DatasetError, match=r"holds labels of shape \(6,\), and there are 7 images"):
        load_images(tmp_path / "counts")
    write_folder(tmp_path / "none", n=0)
    with pytest.raises(DatasetError, match="holds nothing"):
        load_images(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="has no train-images-idx3-ubyte"):
        load_images(tmp_path / "empty")
    write_folder(tmp_path / "swapped")
    (tmp_path / "swapped" / "train-images-idx3-ubyte").rename(tmp_path / "x")
    (tmp_path / "swapped" / "train-labels-idx1-ubyte").rename(
        tmp_path / "swapped" / "train-images-idx3-ubyte"
    )
    (tmp_path / "x").rename(tmp_path / "swapped" / "train-labels-idx1-ubyte")
    with pytest.raises(DatasetError, match=r"has the shape \(7,\), not .* labels"):
        load_images(tmp_path / "swapped")


def test_paths_of_every_kind(tmp_path, monkeypatch):
    write_folder(tmp_path / "mnist")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VAE_EDU_DATA", "~")
    for name in ("~/mnist", "./mnist", tmp_path / "mnist", Path("mnist"), "mnist"):
        assert len(load_images(name)) == 7
    with pytest.raises(ValueError, match=r"no folder kmnist: .* load_images\('kmnist'\)"):
        load_images(Path("kmnist"))  # a Path is a folder, never a download


def test_device_from_the_environment(monkeypatch):
    monkeypatch.setenv("VAE_EDU_DEVICE", "cpu")
    assert vae_edu.device() == torch.device("cpu")
    for name in ("gpu", "cuda:99", "meta", "hpu"):
        monkeypatch.setenv("VAE_EDU_DEVICE", name)
        with pytest.raises(ValueError, match=f"^{name} is not a device"):
            vae_edu.device()


def test_shrinking_averages_blocks():
    images = load_images("strokes", n=5)
    small = images.shrink()
    assert small.x.shape == (5, 1, 14, 14)
    by_hand = images.x[3, 0, 10:12, 6:8].mean()
    torch.testing.assert_close(small.x[3, 0, 5, 3], by_hand)
    assert small.labels is images.labels
    assert small.factors is images.factors
    assert images.shrink(4).x.shape == (5, 1, 7, 7)
    with pytest.raises(ValueError, match="3 does not divide the 28 × 28"):
        images.shrink(3)
    for width, height in ((6, 4), (4, 6)):
        odd = Images(torch.zeros(1, 1, height, width), torch.zeros(1))
        with pytest.raises(ValueError, match="4 does not divide"):
            odd.shrink(4)
    for factor, left in ((14, "2 × 2"), (28, "1 × 1")):
        with pytest.raises(ValueError, match=rf"leaves {left} of 28 × 28 pixels.* default is 2"):
            images.shrink(factor)
    with pytest.raises(ValueError, match="factor = 0"):
        images.shrink(0)


def test_at_most(tmp_path):
    write_folder(tmp_path / "mine")
    whole = load_images(tmp_path / "mine", at_most=1_000)
    assert len(whole) == 7
    assert len(map_images(tmp_path / "mine", at_most=1_000)) == 7
    assert torch.equal(load_images(tmp_path / "mine", at_most=3).x, load_images(tmp_path / "mine", n=3).x)
    assert torch.equal(load_images("strokes", at_most=5).x, load_images("strokes", n=5).x)
    with pytest.raises(ValueError, match="n = 3 and at_most = 4"):
        load_images("strokes", n=3, at_most=4)


def test_images_without_labels():
    images = Images(torch.rand(6, 1, 8, 8))
    assert images[2:4].labels is None
    assert images.shrink(2).to("cpu").labels is None
    with pytest.raises(ValueError, match="have no labels, and this needs them"):
        _ = images.known_labels


@pytest.mark.parametrize(
    ("shape", "shrunk"),
    [((28, 28), (14, 14)), ((8, 8), (8, 8)), ((7, 5), (7, 5)), ((29, 31), (13, 14)), ((100, 10), (14, 1))],
)
def test_images_of_any_size_shrink_to_a_side(shape, shrunk):
    images = Images(torch.rand(3, 1, *shape), torch.arange(3))
    small = images.shrink_to(14)
    assert small.x.shape[2:] == shrunk
    assert torch.equal(small.labels, images.labels)
    assert (small.x.mean() - images.x.mean()).abs() < 0.02
    if shape == (28, 28):
        assert torch.equal(small.x, images.shrink().x)
    with pytest.raises(ValueError, match="side = 0"):
        images.shrink_to(0)
