"""Images kept as bytes against those that are floats: the same numbers and weights, in less memory."""

import json
import sys

import numpy as np
import pytest
import torch

from tests.test_distributed import CPU, run, torchrun
from vae_edu.data import MappedImages, binarize, load_images, map_images
from vae_edu.elbo import negative_elbo_of_binarized
from vae_edu.engine.checkpoint import load
from vae_edu.train import evaluate, fit
from vae_edu.vae import VAE


@pytest.mark.parametrize("n", [None, 50])
def test_rows_are_those_of_the_images_in_memory(folder, n):
    whole, pixels = load_images(folder, n=n, seed=3), map_images(folder, n=n, seed=3)
    x = whole.x
    assert isinstance(pixels, MappedImages)
    assert (len(pixels), pixels.shape, pixels.device) == (len(x), x.shape, x.device)
    assert torch.equal(pixels.labels, whole.labels)
    for index in (
        slice(None),
        slice(-5, None, 2),
        torch.tensor([4, 0, -1, 4]),
        torch.tensor([7], device=x.device),
        [2, 49],
        whole.labels == 3,
    ):
        taken = pixels[index]
        assert torch.equal(taken, x[index])
        assert (taken.dtype, taken.device) == (x.dtype, x.device)
    for one in (6, -2, torch.tensor(6)):
        assert torch.equal(pixels[one][0], x[int(one)])
        assert torch.equal(pixels[one], whole[one].x)
    assert torch.equal(torch.cat(list(pixels)), x)  # a loop ends
    for outside in (len(x), -len(x) - 1):
        with pytest.raises(IndexError, match=f"no image {outside} of {len(x)}"):
            pixels[outside]
    with pytest.raises(ValueError, match="mapped images stay gray"):
        binarize(pixels)


def test_every_byte():
    """What an image holds is byte / 255, as NumPy rounds it."""
    content = torch.arange(256, dtype=torch.uint8).reshape(64, 1, 2, 2)
    labels, right = torch.arange(64), np.arange(256, dtype=np.float32) / np.float32(255)
    assert np.array_equal(MappedImages(content, labels)[:].flatten().numpy(), right)
    chosen = MappedImages(content, labels[:3], torch.tensor([60, 2, 9]))
    assert torch.equal(chosen[1:], MappedImages(content, labels)[[2, 9]])
    with pytest.raises(ValueError, match=r"uint8, not torch.float32"):
        MappedImages(content.float(), labels)


def test_training_is_the_same_bit_for_bit(folder, tmp_path):
    """From floats and from a file, with held-out images, and from a checkpoint in the middle."""

    def train(load, epochs, checkpoint):
        torch.manual_seed(0)
        vae = VAE((1, 28, 28), 2, "bernoulli", hidden=[20])
        data, test = (load(split) for split in ("train", "test"))
        options = {"held_out": test, "batch_size": 16, "progress": False, "checkpoint": checkpoint}
        history = fit(vae, negative_elbo_of_binarized, data, epochs, **options)
        return history, evaluate(vae, negative_elbo_of_binarized, test)

    def floats(split):
        return load_images(folder, split).x

    def mapped(split):
        return map_images(folder, split)

    whole, right = train(floats, 2, tmp_path / "whole.pt")
    train(mapped, 1, tmp_path / "mapped.pt")
    history, value = train(mapped, 2, tmp_path / "mapped.pt")
    assert value == right
    assert history == whole
    one, two = load(tmp_path / "whole.pt"), load(tmp_path / "mapped.pt")
    assert one["settings"] == two["settings"]
    assert all(torch.equal(weight, two["model"][name]) for name, weight in one["model"].items())


LIMITED = """
import re, resource, sys, torch
from vae_edu.data import load_images, map_images
from vae_edu.train import fit

def kib(name):
    with open("/proc/self/status") as file:
        return int(re.search(rf"{name}:\\s+(\\d+) kB", file.read())[1])

anonymous, total = [], 0.0

def loss(model, x):
    global total
    anonymous.append(kib("RssAnon"))
    total += x.sum().item()
    return model(x.flatten(1)).square().sum(1)

torch.manual_seed(0)
options = {"batch_size": 2000, "progress": False}
fit(torch.nn.Linear(784, 2), loss, torch.zeros(4000, 1, 28, 28), 1, **options)  # everything is imported
anonymous, total, limit = [], 0.0, (kib("VmData") << 10) + (48 << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    load_images(sys.argv[1])
except (MemoryError, RuntimeError):
    print("in memory: too large")
images = map_images(sys.argv[1])
fit(torch.nn.Linear(784, 2), loss, images, 1, **options)
tenth = len(anonymous) // 10
print(len(images), len(anonymous), total, max(anonymous[tenth:]) - max(anonymous[:tenth]), max(anonymous))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit, and the memory in use, are Linux's")
@pytest.mark.parametrize("kind", ["idx", "npy"])
def test_a_file_several_times_the_memory(tmp_path, kind):
    """314 MB where 48 more are allowed: all of it is read, and memory stays what the first tenth took."""
    np.save(tmp_path / "t10k-images.npy", np.eye(28, dtype=bool)[None])  # so that no image is for testing
    n, bright = 400_000, np.random.default_rng(0).choice(399_999, 50, replace=False)
    if kind == "npy":
        path, kwargs = tmp_path / "train-images.npy", {"dtype": np.uint8, "shape": (n, 28, 28)}
        content = np.lib.format.open_memmap(path, "w+", **kwargs)
    else:
        path = tmp_path / "train-images-idx3-ubyte"
        path.write_bytes(b"\0\0\x08\x03" + np.array([n, 28, 28], ">u4").tobytes())
        content = np.memmap(
            path, np.uint8, "r+", offset=16, shape=(n, 28, 28)
        )  # mostly holes: quick to write
    content[bright] = 255  # not the last one
    content[-1, -1, -1] = 255
    content.flush()
    done = run([sys.executable, "-c", LIMITED, str(tmp_path)], {**CPU, "MALLOC_ARENA_MAX": "1"})
    first, last = done.stdout.splitlines()
    assert first == "in memory: too large"
    count, steps, total, growth, _ = map(float, last.split())
    assert (count, steps) == (n, 200)
    assert total == 50 * 784 + 1
    assert growth < 12 << 10, done.stdout  # KiB, two batches of 2000


SHARES = """
import json, os, sys
from vae_edu.engine import distributed
from vae_edu.data import MappedImages, map_images
from vae_edu.elbo import negative_elbo_of_binarized
from vae_edu.engine.randomness import random_stream
from vae_edu.train import fit
from vae_edu.vae import VAE

read, take = [], MappedImages.__getitem__

def recorded(images, index):
    if not isinstance(index, list):  # the checksums of the data take a list of three
        read.append(index.tolist())
    return take(images, index)

MappedImages.__getitem__ = recorded
with distributed.process_group(), random_stream(0):
    vae = VAE((1, 28, 28), 2, "bernoulli", hidden=[20])
    x = map_images(sys.argv[1])
    history = fit(vae, negative_elbo_of_binarized, x, 1, batch_size=16, progress=False)
    with open(f"{sys.argv[2]}-{distributed.rank()}.json", "w") as file:
        json.dump({"read": read, "steps": history.steps}, file)
os._exit(0)  # gloo's threads can abort the exit of a process
"""


def test_each_process_reads_its_own_share(folder, tmp_path):
    (tmp_path / "script.py").write_text(SHARES)
    run([sys.executable, str(tmp_path / "script.py"), str(folder), str(tmp_path / "alone")])
    run(torchrun(2, tmp_path / "script.py", folder, tmp_path / "both"))
    alone, *both = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("alone-0", "both-0", "both-1")
    )
    assert len(alone["read"]) == 13
    assert sorted(row for batch in alone["read"] for row in batch) == list(range(203))
    for batch, one, two in zip(alone["read"], both[0]["read"], both[1]["read"], strict=True):
        assert one + two == batch  # in parts that share nothing, as the batch has every image once
        assert abs(len(one) - len(two)) <= 1
    one, two = both
    assert one["steps"] == two["steps"]  # the losses of the whole batch
    assert one["steps"] == pytest.approx(alone["steps"], rel=0.02)  # the draws are others


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
@pytest.mark.parametrize("free", [1 << 30, 1000])
def test_on_a_gpu_with_room_and_without(folder, free, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 1 << 34))
    monkeypatch.setenv("VAE_EDU_DEVICE", "cuda")
    for n in (None, 50):
        x, pixels = load_images(folder, n=n).x, map_images(folder, n=n)
        assert pixels._content.is_cuda == (free > 1000)
        rows = torch.randperm(len(x), device="cuda")[:20]
        assert pixels[rows].is_cuda
        assert torch.equal(pixels[rows], x[rows])
        assert torch.equal(pixels[rows.cpu()], x[rows])
        assert pixels.to("cuda") is pixels
    assert not pixels.to("cpu")[rows].is_cuda
