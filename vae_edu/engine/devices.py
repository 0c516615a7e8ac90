"""Which device to compute on: one that can add two float64 numbers."""

import functools
import os
import warnings

import torch

from vae_edu import DeviceWarning


def find(name: str | int | torch.device | None) -> torch.device:
    """What `vae_edu.device` returns."""
    if name is None or name == "":
        name = os.environ.get("VAE_EDU_DEVICE", "").strip() or ("cuda" if _cuda_works() else "cpu")
    if isinstance(name, str):
        name = " ".join(name.lower().split())
    if problem := _problem(name):
        raise ValueError(
            f"{name} is not a device that works here ({problem}); use cpu, or cuda with an NVIDIA GPU "
            "(as an argument, or in the environment variable VAE_EDU_DEVICE)."
        )
    return torch.device(name)


@functools.cache
def _cuda_works() -> bool:
    """Whether to compute on the GPU, if nobody says where to."""
    problem = _problem("cuda") if torch.cuda.is_available() else ""
    if problem:
        warnings.warn(
            f"PyTorch sees a GPU and cannot use it ({problem}), so everything runs on the CPU; install a "
            "PyTorch for this GPU and its driver, or set VAE_EDU_DEVICE=cpu.",
            DeviceWarning,
            stacklevel=4,  # from here: find, device, its caller
        )
    return torch.cuda.is_available() and not problem


def _problem(name: str | int | torch.device) -> str:
    """Why the device cannot add two float64 numbers; empty if it can."""
    try:
        kind = torch.device(name).type
    except Exception:  # each kind of nonsense fails in its own way
        return "PyTorch knows no such name"
    if kind == "mps":
        return "Apple's GPUs have no float64, in which sums are taken"
    try:
        one = torch.ones(1, dtype=torch.float64, device=name)
        (one + one).item()  # a kernel runs, and its result comes back
    except Exception as error:  # and so does each backend
        return str(error).strip().partition("\n")[0].rstrip(".")[:80] or type(error).__name__
    return ""
