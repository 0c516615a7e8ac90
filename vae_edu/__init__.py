"""Variational autoencoders, one lecture line at a time: every line a function, every claim measured.

The map of the course: each lesson, the modules that it is the first to use, and what they compute.

    00  data, pixelrnn, train, uncertainty          explicit density, L0; the images and the training loop
    01  autoencoder, networks, probe, quality       autoencoders, L1; what their features are good for
    02  vae, grid, interface, linear, marginal      the model, and the marginal likelihood, L2
    03  bayes, elbo                                 Bayes' rule, L3 and L4; D1 to D6, and the bound, L5
    04  gaussian, reparameterization                the KL divergence, and gradients through a draw
    05  active_units, generate, monitor             the five steps of training; which dimensions of z are used
    06  aggregate_posterior                         generating; q(z) and the prior; how good images are
    07  disentangle, edit, measure                  editing; the factors that a dimension of z stands for
    08  iwae, reproduce, schedules                  importance-weighted bounds, and the table of their paper
    09  conditional                                 a label behind the bar of every line, D1 to L5
    10  first_look, principal_axes, report          a project on your own images, decision by decision

What a person handles: plots, diagrams, sliders, checks (of the exercises), predictions; commands, options,
report_page, explore (pages), streams (a terminal).
What no lesson imports has a folder: engine (fast, resumable, bounded in memory), exercises, grading.
"""

TYPE_CHECKING = False  # true for type checkers; typing and PyTorch take time, which Ctrl-C may hit
if TYPE_CHECKING:
    import torch

__version__ = "0.7.0"
__all__ = ["DeviceWarning", "device"]


class DeviceWarning(UserWarning):
    """There is a GPU, but PyTorch cannot use it."""


def device(name: "str | int | torch.device | None" = None) -> "torch.device":
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
    from vae_edu.engine.devices import find  # only now: PyTorch takes a while to import

    return find(name)
