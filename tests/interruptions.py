"""Stop a training by signals at random moments, let it go on, and compare it with one that was not stopped.

    OMP_NUM_THREADS=1 python -m tests.interruptions 50

For each signal, half of the runs are `fit` itself, half `python -m vae_edu train`; half are stopped twice.
"""

import contextlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch
from tqdm import tqdm

from tests.digits import write_digits
from vae_edu.__main__ import main
from vae_edu.elbo import negative_elbo
from vae_edu.engine import checkpoint
from vae_edu.train import fit
from vae_edu.vae import VAE

EPOCHS, IMAGES = 5, 100


def by_fit(path):
    """Train by `fit`; a new process knows nothing but the file."""
    torch.manual_seed(0)
    x = torch.rand(IMAGES, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    vae = VAE(x.shape[1:], 3, "gaussian", hidden=(150,), device="cpu")
    options = {"held_out": x[:20], "batch_size": 8, "device": "cpu", "progress": False}
    history = fit(vae, negative_elbo, x, EPOCHS, checkpoint=path, **options)
    return 130 if history.interrupted else 0


def by_command(path):
    """Train by the command line."""
    os.environ["VAE_EDU_DEVICE"] = "cpu"
    if path.exists():
        return main(["train", "--resume", "--out", str(path)])
    options = ["--data", str(path.parent.parent / "digits"), "--epochs", str(EPOCHS), "--hidden", "60"]
    return main(["train", *options, "--batch-size", "8", "--out", str(path)])


def start(train, path):
    """Run a training in a process of its own: its id."""
    sys.stdout.flush()
    if process := os.fork():
        return process
    code = 1
    tqdm.set_lock(threading.RLock())  # its own lock is shared by processes, and a killed one keeps it
    with contextlib.suppress(BaseException):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        code = train(path)
    os._exit(code)


def same(one, two):
    """Whether two values of checkpoints are equal to the last bit."""
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(two) and all(map(same, one, two))
    return torch.equal(one, two) if isinstance(one, torch.Tensor) else one == two


def interrupted(train, number, folder, right, seconds, chance):
    """Stop one training once or twice at random moments, and let it go on: how often it was stopped."""
    path, stopped, resumed = folder / "run.pt", 0, 0
    for _ in range(chance.choice([1, 2])):
        process = start(train, path)
        time.sleep(chance.uniform(0, seconds))
        os.kill(process, number)
        stopped += os.waitpid(process, 0)[1] != 0
        resumed += path.exists()
    code = os.waitpid(start(train, path), 0)[1]
    assert code == 0, f"going on ended with {code}"
    found = checkpoint.load(path)
    for section in ("model", "optimizer", "random", "history"):
        assert same(found[section], right[section]), f"{section} differs after {signal.Signals(number).name}"
    assert [file.name for file in folder.iterdir()] == ["run.pt"], sorted(folder.iterdir())
    return stopped, resumed


def interrupt_all(runs, signals=(signal.SIGINT, signal.SIGKILL, signal.SIGTERM), seed=0):
    """Interrupt so many runs by each signal, and print what became of them."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as root:
        by_fit(Path(root) / "first.pt")  # what PyTorch imports at the first step, the processes then have
        uninterrupted = {}
        digits = Path(root) / "digits"
        digits.mkdir()
        write_digits(digits)
        for train in (by_fit, by_command):
            path = Path(root) / "uninterrupted" / f"{train.__name__}.pt"
            path.parent.mkdir(exist_ok=True)
            before = time.monotonic()
            assert os.waitpid(start(train, path), 0)[1] == 0
            uninterrupted[train] = checkpoint.load(path), time.monotonic() - before
        for number in signals:
            stopped = resumed = 0
            for run in range(runs):
                train = (by_fit, by_command)[run % 2]
                with tempfile.TemporaryDirectory(dir=root) as folder:
                    counts = interrupted(train, number, Path(folder), *uninterrupted[train], chance)
                stopped, resumed = stopped + counts[0], resumed + counts[1]
            print(
                f"{signal.Signals(number).name}: {runs} runs, {stopped} times stopped, {resumed} gone on",
                flush=True,
            )


if __name__ == "__main__":
    torch.set_num_threads(1)
    interrupt_all(int(sys.argv[1]))
