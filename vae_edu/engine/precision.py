"""The precision of matrix products: float32, or less of it for more speed."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

PRECISIONS = ("float32", "tf32", "bf16")


def check_precision(precision: str) -> str:
    """precision, where it is one of PRECISIONS. Raises ValueError where it is not."""
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}: use {', '.join(PRECISIONS)}.")
    return precision


@contextmanager
def matrix_products(precision: str, device: torch.device) -> Iterator[None]:
    """Inside, products of float32 matrices are computed in this precision; what is stored stays float32.

    "float32": as PyTorch is set, 24 bits of mantissa unless somebody changed that. "tf32": 11 bits, on
    NVIDIA's tensor cores; without them as float32. "bf16": 8 bits (autocast), on any device.
    """
    if precision == "float32":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else before)
    try:
        with torch.autocast(device.type, torch.bfloat16, precision == "bf16", cache_enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)
