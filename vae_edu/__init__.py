"""Variational autoencoders, one lecture line at a time: every line a function, every claim measured."""

import os

import torch

__version__ = "0.1.0"
__all__ = ["device"]


def device() -> torch.device:
    """The device that everything runs on: CUDA when there is one, else the CPU.

    The environment variable `VAE_EDU_DEVICE` overrides the choice, for example
    `VAE_EDU_DEVICE=cpu` or `VAE_EDU_DEVICE=cuda:1`. Data and models that the package
    makes live there, so a lesson runs unchanged on either.

    Raises ValueError where the variable names no device of this machine.
    """
    name = os.environ.get("VAE_EDU_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"VAE_EDU_DEVICE={name} is not a device that PyTorch finds on this machine; "
            "use cpu, or cuda where there is an NVIDIA GPU, or unset the variable."
        ) from error
