"""Variational autoencoders, one lecture line at a time: every line a function, every claim measured.

The map of the course: each lesson, the modules that it is the first to use, and what they compute.

    00  data, pixelrnn, train, uncertainty          explicit density, L0; the images and the training loop
    01  autoencoder, networks, probe                autoencoders, L1; what their features are good for
    02  vae, grid, interface, linear, marginal      the model, and the marginal likelihood, L2
    03  bayes, elbo                                 Bayes' rule, L3 and L4; D1 to D6, and the bound, L5
    04  gaussian, reparameterization                the KL divergence, and gradients through a draw
    05  active_units, generate, monitor             the five steps of training; which dimensions of z are used
    06  aggregate_posterior, quality                generating; q(z) and the prior; how good images are
    07  disentangle, edit, measure                  editing; the factors that a dimension of z stands for
    08  iwae, reproduce                             importance-weighted bounds, and the table of their paper

What a person handles: plots, sliders, checks (of the exercises), commands and options (`python -m vae_edu`).
What no lesson imports has a folder: engine (fast, resumable, bounded in memory), exercises, grading.
"""

import functools
import os
import warnings

import torch

__version__ = "0.2.0"
__all__ = ["DeviceWarning", "device"]

# cuDNN multiplies float32 in TF32, with ten bits, and may add in any order, unless it is told otherwise. What
# is exact on a CPU must be exact on a GPU, and a seed must give the same numbers twice. PyTorch's own matrix
# products are both by default. Whoever wants convolutions and LSTMs faster says so after the import.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PyTorch 2.9 has new names for the old ones, which 2.6 does not know
    torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.deterministic = True


class DeviceWarning(UserWarning):
    """There is a GPU, but PyTorch cannot use it."""


def device(name: str | int | torch.device | None = None) -> torch.device:
    """The device that everything runs on: the one that is named, else CUDA when it works, else the CPU.

    The environment variable `VAE_EDU_DEVICE` overrides the choice, for example
    `VAE_EDU_DEVICE=cpu` or `VAE_EDU_DEVICE=cuda:1`. Data and models that the package
    makes are there, so a lesson runs unchanged on either.

    Args:
        name: Such as "cpu", "cuda" or "cuda:1".

    Raises:
        ValueError: If the name is no device of this machine, or one without float64, such as Apple's mps.

    Warns:
        DeviceWarning: There is a GPU that PyTorch cannot use, and nobody named it. Once in a process.
    """
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
            stacklevel=3,
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
