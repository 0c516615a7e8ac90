"""Several processes against one: the same losses, weights and files, through the real command line."""

import math
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from tests.test_commands import SMALL, history_of
from vae_edu.engine import distributed
from vae_edu.engine.checkpoint import load
from vae_edu.engine.distributed import (
    add_up,
    gather,
    own_seed,
    parallel,
    process_group,
    rank,
    share,
    world_size,
)

CPU = {**os.environ, "VAE_EDU_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}


def torchrun(processes, *arguments):
    launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    return [sys.executable, "-m", *launcher, *map(str, arguments)]


def run(command, env=CPU):
    done = subprocess.run(
        list(map(str, command)), env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done


def train(processes, out, *options):
    module = ["-m", "vae_edu", "train", *SMALL, *options, "--out", out]
    return run(torchrun(processes, *module) if processes > 1 else [sys.executable, *map(str, module)])


REGRESSION = """
import json, os, sys
import torch
from vae_edu.engine import distributed
from vae_edu.train import fit

def squared(model, batch):
    return (model(batch[0]) - batch[1]).square().sum(1)

out, images, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
generator = torch.Generator().manual_seed(1)
x = torch.randn(images, 5, generator=generator)
data = x, x.sin() @ torch.ones(5, 2)
with distributed.process_group():
    torch.manual_seed(distributed.rank())  # process 0's weights count
    model = torch.nn.Sequential(torch.nn.Linear(5, 9), torch.nn.Tanh(), torch.nn.Linear(9, 2))
    options = {"batch_size": 16, "held_out": data, "checkpoint": out, "progress": False}
    fit(model, squared, data, epochs, lr=0.01, **options)
os._exit(0)  # gloo's threads can abort the exit of a process
"""


@pytest.mark.parametrize(("processes", "images"), [(2, 203), (3, 203), (2, 33)])
def test_a_deterministic_loss_trains_as_in_one_process(tmp_path, processes, images):
    """3 processes divide no batch of 16 evenly; the last batch has 11 images, or a single one for two."""
    script = tmp_path / "script.py"
    script.write_text(REGRESSION)
    run([sys.executable, script, tmp_path / "one.pt", images, 4])
    run(torchrun(processes, script, tmp_path / "many.pt", images, 2))
    run(torchrun(processes, script, tmp_path / "many.pt", images, 4))  # goes on
    one, many = load(tmp_path / "one.pt"), load(tmp_path / "many.pt")
    assert len(history_of(one)["steps"]) == 4 * -(-images // 16)
    for name in ("steps", "train", "held_out"):
        assert history_of(many)[name] == pytest.approx(history_of(one)[name], rel=1e-5)
    for name, weight in one["model"].items():
        torch.testing.assert_close(many["model"][name], weight, rtol=0, atol=1e-5)


@pytest.mark.parametrize("options", [["--binarize", "stochastic"], ["--likelihood", "gaussian"]])
def test_a_vae_trains_as_well_as_in_one_process(tmp_path, folder, options):
    """Its draws are others, so its losses differ by what chance makes: here 13 steps of 16 images."""
    options = ["--data", folder, "--epochs", "2", "--latent-dim", "3", *options]
    alone = train(1, tmp_path / "one.pt", *options)
    together = train(2, tmp_path / "two.pt", *options)
    assert (alone.stdout.count("held-out ELBO"), together.stdout.count("held-out ELBO")) == (1, 1)
    one, two = history_of(load(tmp_path / "one.pt")), history_of(load(tmp_path / "two.pt"))
    difference = torch.tensor(one["steps"]) - torch.tensor(two["steps"])
    standard_error = difference.std() / math.sqrt(len(difference))
    assert 0 < standard_error < 0.02 * abs(one["train"][0])
    assert abs(difference.mean()) < 5 * standard_error
    assert two["held_out"][-1] == pytest.approx(one["held_out"][-1], rel=0.1)


def test_resumed_equals_uninterrupted(tmp_path, folder):
    """Every process goes on with its own random numbers."""
    options = ["--data", folder, "--likelihood", "gaussian"]
    train(2, tmp_path / "whole.pt", *options, "--epochs", "3")
    train(2, tmp_path / "parts.pt", *options, "--epochs", "1")
    train(2, tmp_path / "parts.pt", "--resume", "--epochs", "3")
    whole, parts = load(tmp_path / "whole.pt"), load(tmp_path / "parts.pt")
    assert len(history_of(parts)["train"]) == 3
    for name in ("steps", "train", "held_out"):
        assert history_of(parts)[name] == pytest.approx(history_of(whole)[name], rel=1e-6)
    for name, weight in whole["model"].items():
        torch.testing.assert_close(parts["model"][name], weight, rtol=0, atol=1e-5)


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
    assert errors.count("Stopped after step") == 1
    assert printed == ""  # stdout is for results
    assert f"--resume --out {out} goes on" in errors
    assert load(out)["history"]["interrupted"]


def test_without_a_group_nothing_happens(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    module, rows = torch.nn.Linear(1, 1), torch.arange(5)
    with process_group():
        own, counts = share(rows)
        assert own.tolist() == rows.tolist()
        assert counts
        assert parallel(module) is module
        assert (rank(), world_size(), add_up(2.5), gather("a")) == (0, 1, 2.5, ["a"])
        assert own_seed(7) == 7


@pytest.mark.parametrize(("processes", "images"), [(2, 16), (3, 16), (4, 3)])
def test_the_shares_of_a_batch_are_the_batch(monkeypatch, processes, images):
    rows, counted, seeds = torch.arange(100, 100 + images), [], set()
    monkeypatch.setattr(distributed, "world_size", lambda: processes)
    for number in range(processes):
        monkeypatch.setattr(distributed, "rank", lambda number=number: number)
        own, counts = share(rows)
        assert len(own) > 0  # a loss need not know an empty batch
        counted += own.tolist() if counts else []
        seeds.add(own_seed(7))
    assert counted == rows.tolist()
    assert len(seeds) == processes  # each draws from its own stream
