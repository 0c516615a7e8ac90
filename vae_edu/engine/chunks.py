"""Chunks under a memory limit: what a piece of work allocates is measured, not guessed."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution
from torch.utils._python_dispatch import TorchDispatchMode

from vae_edu.engine.arguments import whole_number
from vae_edu.engine.memory import bytes_for, reuse_freed_memory
from vae_edu.engine.precision import exact
from vae_edu.engine.progress import progress_bar
from vae_edu.engine.randomness import random_stream
from vae_edu.engine.sync_checks import unchecked

Encode = Callable[[Tensor], Distribution]


class Block(NamedTuple):
    """Some images with their encoding.

    Attributes:
        x: Images (b, …).
        q: q(z|x) of these images, or None if nothing encodes them.
    """

    x: Tensor
    q: Any


def over_codes(
    work: Callable[[Block, int, int], Tensor],
    x: Tensor,
    codes: int,
    combine: Callable[[Iterator[Tensor]], Tensor],
    *,
    encode: Encode | None = None,
    kept: int = 0,
    dim: int = -1,
    memory: int | None = None,
    seed: int | None = None,
    progress: bool = False,
) -> Tensor:
    """Work on every image with every code, in chunks that keep to a memory limit.

    Each block of images is encoded once. For its chunks of codes, work(block, start, stop) runs one after the
    other, and combine makes one tensor of their results. The results of all blocks are concatenated. Numbers
    are multiplied in full (`vae_edu.engine.precision`). Nothing is checked inside (see
    `vae_edu.engine.sync_checks`): check the images before and the result afterwards.

    With gradients, everything that the backward pass needs stays in memory, whatever the limit is.

    Args:
        work: (block, start, stop) → the result for these images and the codes start … stop.
        x: Images (B, …).
        codes: The number of codes for each image.
        combine: An iterator over the results of one block → a tensor whose dimension `dim` counts its images.
        encode: Images → q(z|x), for block.q.
        kept: Bytes that combine holds for each image and code, if it holds all of them.
        dim: The dimension along which the blocks' results are concatenated.
        memory: Bytes of intermediate results at a time; default: `vae_edu.engine.memory.MEMORY`, or what one
            image with one code needs, if that is more.
        seed: Of a stream of random numbers for this work and for the runs that measure it. Default: work
            takes the caller's random numbers, and measuring takes none.
        progress: Whether to show a bar that counts the images.

    Raises:
        ValueError: Not even one image with one code fits into the memory.
    """
    limit = bytes_for(x, memory)
    largest = min(len(x), max(1, limit // (kept * codes))) if kept else len(x)  # images in a block

    def block(images: Tensor) -> Block:
        return Block(images, encode(images) if encode else None)

    def measured(b: int, k: int) -> Tensor:
        return work(block(x[:1].expand(b, *x.shape[1:])), 0, k)

    seeded = seed is not None
    results = []
    with exact(), unchecked(), random_stream(whole_number("seed", seed, 0)) if seeded else nullcontext():
        # With a seed, measuring draws from its stream, and so always makes the same runs: what follows in the
        # stream must not depend on a shortcut.
        with nullcontext() if seeded else random_stream(0):
            b, k = chunk_sizes(measured, largest, codes, limit, shortcut=not seeded, grow=memory is None)
        reuse_freed_memory()
        with progress_bar(total=len(x), unit="image", shown=progress) as bar:
            for images in x.split(b):
                one = block(images)
                parts = (work(one, start, min(start + k, codes)) for start in range(0, codes, k))
                results.append(combine(parts))
                bar.update(len(images))
    return torch.cat(results, dim)


def chunk_sizes(
    work: Callable[[int, int], Any],
    images: int,
    codes: int,
    memory: int,
    *,
    shortcut: bool = False,
    grow: bool = False,
) -> tuple[int, int]:
    """How many images and codes at a time keep work(images, codes) under `memory` bytes.

    work(b, k) is tried with 1 and 2 images and codes, and its bytes are taken as c·b + a·k + e·b·k. That
    holds for any model, whatever its networks look like.

    Args:
        work: Runs on b images and k codes.
        images: The most images at a time.
        codes: The most codes at a time.
        memory: The limit in bytes.
        shortcut: Stop after one run if it shows that everything fits; the answer is the same.
        grow: Take one image and one code if not even they fit into the limit.

    Raises:
        ValueError: Not even one image with one code fits, into the limit or into the GPU.
    """

    def cost(b: int, k: int) -> int:
        with _Allocations() as allocations:
            work(b, k)
        return allocations.bytes

    try:
        one = cost(1, 1)
    except torch.OutOfMemoryError as error:
        raise ValueError(
            "the GPU has too little memory for one image with one code: end other programs that use it, or "
            "set VAE_EDU_DEVICE=cpu."
        ) from error
    if memory < one and grow:
        return 1, 1
    if memory < one:
        raise ValueError(f"memory = {memory} bytes is too little: one image with one code takes {one}.")
    if shortcut and 2 * one * images * codes <= memory:
        return images, codes
    more_images, more_codes, more = cost(2, 1), cost(1, 2), cost(2, 2)
    pair = max(1, more - more_images - more_codes + one)
    image, code = max(0, more_images - one - pair), max(0, more_codes - one - pair)
    b = int(memory / 2 / (image + pair * min(codes, 64)))
    b = min(max(1, b), images)
    k = int((memory - image * b) / (code + pair * b))
    return b, min(max(1, k), codes)


class _Allocations(TorchDispatchMode):
    """Counts the bytes of every new tensor, as if none were ever freed."""

    bytes = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Whether PyTorch imports its compiler, which takes seconds, to keep it from what happens here."""
        return False

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        known = {leaf.untyped_storage().data_ptr() for leaf in _tensors((args, kwargs))}
        for leaf in _tensors(result):
            if leaf.untyped_storage().data_ptr() not in known:  # a view costs nothing
                self.bytes += leaf.untyped_storage().nbytes()
        return result


def _tensors(tree: Any) -> list[Tensor]:
    """The strided tensors in nested lists, tuples and dicts."""
    if isinstance(tree, Tensor):
        return [tree] if tree.layout == torch.strided else []
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, list | tuple):
        return []
    return [leaf for part in tree for leaf in _tensors(part)]
