"""Chunks under a memory limit: what a piece of work allocates is measured, not guessed."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.progress import progress_bar
from vae_edu.engine.sync_checks import unchecked

MEMORY = {"cpu": 2**25, "cuda": 2**30}  # bytes at a time: 32 MiB, which caches like; 1 GiB fill a GPU


class _Allocations(TorchDispatchMode):
    """Counts the bytes of every new tensor, as if none were freed again."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        known = {leaf.untyped_storage().data_ptr() for leaf in tree_leaves((args, kwargs)) if _is(leaf)}
        for leaf in tree_leaves(result):
            if _is(leaf) and leaf.untyped_storage().data_ptr() not in known:  # a view costs nothing
                self.bytes += leaf.untyped_storage().nbytes()
        return result


def in_chunks(
    work: Callable[[Tensor, int, int], Any],
    x: Tensor,
    codes: int,
    memory: int | None = None,
    progress: bool = False,
) -> Iterator[Iterator[Any]]:
    """For each block of images x (B, …) in turn, the results of work(block, start, stop) over all codes.

    Blocks and stretches of codes are as large as `memory` bytes allow, without it `MEMORY`.
    Inside, nothing is checked (`vae_edu.engine.sync_checks`): the images have been, and the results can be.
    progress: whether to show a bar.
    Raises ValueError where not even one image with one code fits.
    """

    def unchecked_work(images: Tensor, start: int, stop: int) -> Any:
        with unchecked():
            return work(images, start, stop)

    b, k = chunk_sizes(
        lambda b, k: unchecked_work(x[:1].expand(b, *x.shape[1:]), 0, k), len(x), codes, bytes_for(x, memory)
    )
    reuse_freed_memory()
    with progress_bar(total=len(x), unit="image", shown=progress) as bar:
        for block in x.split(b):
            yield (unchecked_work(block, start, min(start + k, codes)) for start in range(0, codes, k))
            bar.update(len(block))


def reuse_freed_memory() -> None:
    """Have glibc use again freed blocks of up to 32 MiB, where it would give them back and ask for new pages.

    It raises its own threshold when a block of that size, not even touched, is freed. Without this line
    importance sampling took 1.9 s where it takes 1.3 (measured on the machine of `make bench`).
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8)


def bytes_for(x: Tensor, memory: int | None = None) -> int:
    """memory, or, without it, what suits the device of x."""
    return MEMORY.get(x.device.type, MEMORY["cpu"]) if memory is None else whole_number("memory", memory, 1)


def chunk_sizes(work: Callable[[int, int], Any], images: int, codes: int, memory: int) -> tuple[int, int]:
    """How many images and codes at a time keep work(images, codes) under `memory` bytes.

    work(b, k) runs on b images and k codes; it is tried with 1 and 2 of each, and its bytes are taken
    as c·b + a·k + e·b·k. That holds for any model, whatever its networks look like.
    Raises ValueError where not even one of each fits.
    """

    def cost(b: int, k: int) -> int:
        with _Allocations() as allocations:
            work(b, k)
        return allocations.bytes

    one = cost(1, 1)
    if memory < one:
        raise ValueError(f"memory = {memory} bytes is too little: one image with one code takes {one}.")
    more_images, more_codes, more = cost(2, 1), cost(1, 2), cost(2, 2)
    pair = max(1, more - more_images - more_codes + one)
    image, code = max(0, more_images - one - pair), max(0, more_codes - one - pair)
    b = int(memory / 2 / (image + pair * min(codes, 64)))
    b = min(max(1, b), images)
    k = int((memory - image * b) / (code + pair * b))
    return b, min(max(1, k), codes)


def _is(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.layout == torch.strided
