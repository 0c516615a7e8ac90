"""Several processes against one: the same losses, weights and files, through the real command line."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.test_commands import SMALL, history_of, write_digits
from vae_edu.engine.checkpoint import load
from vae_edu.engine.distributed import add_up, parallel, process_group, rank, share, world_size
from vae_edu.engine.randomness import for_whole_batch, part_of_batch, random_stream, sample
from vae_edu.gaussian import diagonal_gaussian

CPU = {**os.environ, "VAE_EDU_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_digits(tmp_path_factory.mktemp("digits"))


def torchrun(processes, *arguments):
    launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [sys.executable, "-m", *launcher, *map(str, arguments)]


def run(command, env=CPU):
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def train(processes, out, *options):
    module = ["-m", "vae_edu", "train", *SMALL, *options, "--out", out]
    return run(torchrun(processes, *module) if processes > 1 else [sys.executable, *map(str, module)])


def assert_same(one, two, tolerance):
    one, two = load(one), load(two)
    assert history_of(one)["steps"]
    for name in ("steps", "train", "held_out"):
        assert history_of(two)[name] == pytest.approx(history_of(one)[name], rel=tolerance)
    for name, weight in one["model"].items():
        torch.testing.assert_close(two["model"][name], weight, rtol=0, atol=10 * tolerance)


@pytest.mark.parametrize(("processes", "binarization"), [(2, "half"), (3, "stochastic")])
def test_many_processes_compute_what_one_does(tmp_path, folder, processes, binarization):
    """203 images in batches of 16: 3 processes divide none of them evenly, and the last has 11."""
    options = ["--data", folder, "--epochs", "2", "--binarize", binarization, "--latent-dim", "3"]
    alone = train(1, tmp_path / "one.pt", *options)
    together = train(processes, tmp_path / "many.pt", *options)
    assert_same(tmp_path / "one.pt", tmp_path / "many.pt", 1e-4)
    assert together.stdout.count("held-out ELBO") == 1
    assert together.stdout.split(" nats")[0] == alone.stdout.split(" nats")[0]


def test_a_batch_may_have_fewer_images_than_processes(tmp_path, folder):
    """33 images in batches of 16: the last one holds a single image, for two processes."""
    options = ["--data", folder, "--epochs", "2", "--images", "33", "--network", "cnn", "--hidden", "4"]
    train(1, tmp_path / "one.pt", *options)
    train(2, tmp_path / "two.pt", *options)
    assert_same(tmp_path / "one.pt", tmp_path / "two.pt", 1e-4)


def test_resumed_equals_uninterrupted(tmp_path, folder):
    options = ["--data", folder, "--likelihood", "gaussian"]
    train(2, tmp_path / "whole.pt", *options, "--epochs", "3")
    train(2, tmp_path / "parts.pt", *options, "--epochs", "1")
    train(2, tmp_path / "parts.pt", "--resume", "--epochs", "3")
    assert_same(tmp_path / "whole.pt", tmp_path / "parts.pt", 1e-6)
    assert len(load(tmp_path / "parts.pt")["history"]["train"]) == 3


def start_without_end(tmp_path, folder):
    """A run that has written its first epoch, and the ids of its two workers."""
    out = tmp_path / "run.pt"
    command = torchrun(
        2, *["-m", "vae_edu", "train", *SMALL, "--data", folder, "--epochs", "100000"], "--out", out
    )
    process = subprocess.Popen(command, env=CPU, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not out.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        workers = [int(child) for child in file.read().split()]
    return process, workers, out


def ended(process):
    try:
        return process.communicate(timeout=60)
    finally:
        process.kill()


linux = pytest.mark.skipif(sys.platform != "linux", reason="finds the workers in /proc")


@linux
def test_a_killed_process_ends_the_run(tmp_path, folder):
    process, workers, out = start_without_end(tmp_path, folder)
    os.kill(workers[-1], signal.SIGKILL)
    ended(process)
    assert process.returncode not in (0, None)
    assert load(out)["history"]["train"]  # what was learned is still there


@linux
def test_an_interrupt_of_one_stops_all_after_the_same_step(tmp_path, folder):
    process, workers, out = start_without_end(tmp_path, folder)
    os.kill(workers[-1], signal.SIGINT)
    printed, errors = ended(process)
    assert printed.count("Stopped after step") == 1
    assert f"--resume --out {out} goes on" in errors
    assert load(out)["history"]["interrupted"]


def test_without_a_group_nothing_happens(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    module, rows = torch.nn.Linear(1, 1), torch.arange(5)
    with process_group(), share(rows) as own:
        assert own is rows
        assert parallel(module) is module
        assert (rank(), world_size(), add_up(2.5)) == (0, 1, 2.5)


@pytest.mark.parametrize("sizes", [[32, 32], [5, 4, 4], [1, 0]])
@pytest.mark.parametrize("dims", [1, 2, 7])
def test_the_parts_of_a_draw_are_the_whole(sizes, dims):
    total = sum(sizes)
    q = diagonal_gaussian(torch.randn(total, dims), torch.randn(total, dims))
    with random_stream(3):
        whole, more, uniform = sample(q, 2), torch.rand(1), torch.rand(total, dims)
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    seen = []
    for start, size in zip(starts, sizes, strict=True):
        part = diagonal_gaussian(
            q.mean[start : start + size], q.base_dist.scale[start : start + size].log() * 2
        )
        with random_stream(3), part_of_batch(start, total):
            z, after = sample(part, 2), torch.rand(1)
            seen.append((z, for_whole_batch(lambda rows: torch.rand(rows, dims), size)))
        assert after == more  # every process stays in step
    torch.testing.assert_close(torch.cat([z for z, _ in seen], dim=1), whole)
    assert torch.equal(torch.cat([u for _, u in seen]), uniform)
