"""Variational autoencoders, one lecture line at a time: every line a function, every claim measured."""

import os

import torch

__version__ = "0.1.0"
__all__ = ["device"]


def device(name: str | torch.device | None = None) -> torch.device:
    """The device that everything runs on: the one that is named, else CUDA when there is one, else the CPU.

    The environment variable `VAE_EDU_DEVICE` overrides the choice, for example
    `VAE_EDU_DEVICE=cpu` or `VAE_EDU_DEVICE=cuda:1`. Data and models that the package
    makes live there, so a lesson runs unchanged on either.

    Raises ValueError where the name is no device of this machine.
    """
    name = name or os.environ.get("VAE_EDU_DEVICE") or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name).item()
        return torch.device(name)
    except Exception as error:  # PyTorch's backends fail in ways of their own
        raise ValueError(
            f"{name} is not a device that PyTorch finds on this machine; use cpu, or cuda where there is "
            "an NVIDIA GPU (as an argument, or in the environment variable VAE_EDU_DEVICE)."
        ) from error
