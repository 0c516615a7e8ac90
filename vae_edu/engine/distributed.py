"""Training in several processes, as torchrun starts them, by PyTorch's DistributedDataParallel.

Each process takes its share of every batch and draws random numbers from its own stream; gradients are
averaged. A deterministic loss trains as in one process; a loss that draws does so with other draws.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vae_edu import device
from vae_edu.engine.randomness import mixed_seed

TIMEOUT = timedelta(minutes=10)  # how long a process waits for the others


@contextmanager
def process_group(name: str | torch.device | None = None) -> Iterator[None]:
    """The group of the processes that torchrun started, one GPU each or on the CPU; else nothing.

    Args:
        name: Of the device, `vae_edu.device()` by default.

    Raises:
        ValueError: If there are more processes than GPUs.
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
    """The number of this process; 0 writes and prints, and is the only one without a group."""
    return dist.get_rank() if in_group() else 0


def world_size() -> int:
    """How many processes there are: 1 without a group."""
    return dist.get_world_size() if in_group() else 1


def own_seed(seed: int) -> int:
    """The seed of this process's stream of random numbers; for process 0 the seed itself."""
    return mixed_seed(seed, rank()) if rank() else seed


def parallel(module: nn.Module) -> nn.Module:
    """The module; in a group, one that starts from process 0's weights and averages gradients."""
    return DistributedDataParallel(module) if in_group() else module


def share(rows: Tensor) -> tuple[Tensor, bool]:
    """This process's rows of a batch, (b,), and whether they count.

    If there are fewer rows than processes, the others take row 0 once more, which then does not count:
    most losses fail on an empty batch.
    """
    own = rows.tensor_split(world_size())[rank()]
    return (own, True) if len(own) else (rows[:1], False)


def add_up(value: float) -> float:
    """The sum of the processes' values; without a group the value. Every process must call it."""
    if not in_group():
        return value
    where = "cuda" if dist.get_backend() == "nccl" else "cpu"
    total = torch.tensor(value, dtype=torch.float64, device=where)
    dist.all_reduce(total)
    return total.item()


def mean_over_processes(value: Tensor) -> Tensor:
    """The mean of the processes' tensors; without a group the tensor. Every process must call it."""
    if not in_group():
        return value
    total = value.double()
    dist.all_reduce(total)
    return (total / world_size()).to(value)


def gather(value: Any) -> list[Any]:
    """What each process gave, in the order of their ranks. Every process must call it."""
    if not in_group():
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value)
    return values
