"""Training in several processes, as torchrun starts them: each computes its share of every batch."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vae_edu import device
from vae_edu.engine.randomness import part_of_batch

TIMEOUT = timedelta(minutes=10)  # for the others to arrive where this process waits


@contextmanager
def process_group(name: str | None = None) -> Iterator[None]:
    """The group of the processes that torchrun started, on one GPU each or on the CPU; otherwise nothing.

    Raises ValueError where there are more processes than GPUs.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield
        return
    local, gpus = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if local < gpus:
        torch.cuda.set_device(local)  # from now on "cuda" is this one
    cuda = device(name).type == "cuda"
    if cuda and local >= gpus:
        raise ValueError(
            f"{gpus} GPUs are too few for process {local}: lower --nproc-per-node, or set VAE_EDU_DEVICE=cpu."
        )
    dist.init_process_group("nccl" if cuda else "gloo", timeout=TIMEOUT)
    try:
        yield
    finally:
        dist.destroy_process_group()


def in_group() -> bool:
    """Whether there are other processes to work with."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Which process this is: 0 for the one that writes and prints, and without a group."""
    return dist.get_rank() if in_group() else 0


def world_size() -> int:
    """How many processes there are: 1 without a group."""
    return dist.get_world_size() if in_group() else 1


def parallel(module: nn.Module) -> nn.Module:
    """The module itself, or, in a group, one that starts from process 0's weights and averages gradients."""
    return DistributedDataParallel(module) if in_group() else module


@contextmanager
def share(rows: Tensor) -> Iterator[Tensor]:
    """This process's part of the rows of a batch; all of them without a group.

    Where a batch has fewer rows than there are processes, the last ones get row 0 once more, because few
    losses know an empty batch: process `rank()` counts where rank() < len(rows).
    Random numbers inside that go through `vae_edu.engine.randomness.for_whole_batch` are those that a single
    process would draw for these rows.
    """
    if not in_group():
        yield rows
        return
    parts = torch.arange(len(rows)).tensor_split(world_size())
    mine = parts[rank()] if rank() < len(rows) else parts[0]
    with part_of_batch(int(mine[0]), len(rows)):
        yield rows[mine.to(rows.device)]


def add_up(value: float) -> float:
    """The sum of the processes' values; the value itself without a group. Every process must call it."""
    if not in_group():
        return value
    where = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(value, dtype=torch.float64, device=where)
    dist.all_reduce(total)
    return total.item()


def mean(value: Tensor) -> Tensor:
    """The mean of the processes' values; the value itself without a group. Every process must call it."""
    if not in_group():
        return value
    total = value.double()
    dist.all_reduce(total)
    return (total / world_size()).to(value)
