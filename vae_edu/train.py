"""The one training loop of the course, short enough for a slide."""

from collections.abc import Callable
from typing import Any

from torch import nn

from vae_edu.engine.run import History, Run
from vae_edu.engine.step import Loss, evaluate

__all__ = ["History", "evaluate", "fit"]


def fit(
    model: nn.Module,
    loss: Loss,
    data: Any,
    epochs: int,
    *,
    held_out: Any = None,
    batch_size: int = 128,
    lr: float | Callable[[float], float] = 1e-3,
    beta: float | Callable[[float], float] | None = None,
    seed: int = 0,
    watch: Callable[[Any, History], None] | None = None,
    **options: Any,
) -> History:
    """Minimize the mean of loss(model, batch) over the data with Adam (Kingma & Ba 2015).

    Ctrl-C, a notebook's stop button, or SIGTERM ends training between two steps and keeps what was learned.
    On a GPU nothing waits for it inside an epoch: losses are read at the end of each. In a group of
    processes (`vae_edu.engine.distributed`) all of them call `fit` with the same arguments. Each takes its
    share of every batch, and process 0 shows, prints and writes. Threads may train at the same time: they
    take turns, and each has the losses that it has alone, if none calls `torch.manual_seed` or draws by
    itself meanwhile. For the whole process, large blocks of freed memory are kept for reuse
    (`vae_edu.engine.memory`).

    Args:
        model: Changed in place.
        loss: Returns one value an image, (B,); the only mean is taken here.
        data: A tensor (N, …), a tuple of tensors, `Images`, or `MappedImages`; a batch is rows of it. The
            loss must take such a batch; those of this package take images alone, `Images.x`.
        epochs: How many times every image is seen.
        held_out: Data of the same kind; their loss is measured after every epoch.
        batch_size: Images in a step.
        lr: A number, or a function from the epochs done (2.5, say) to the rate. On resuming, its values at
            the first and the last step taken must be the same.
        beta: A number, or a function from the epochs done, that the loss gets as loss(model, batch, beta=β)
            at every step: the weight of a β-VAE's KL divergence (`vae_edu.elbo.negative_elbo`), and its
            warm-up, in one run of Adam. β is a tensor () there, so that a CUDA graph reads it anew. The
            held-out loss has the β of the last step. Default: the loss is called without it.
        seed: Fixes the order of the images and the random draws of the loss; the caller's stay untouched.
        watch: Called as watch(model, history) after every whole epoch, in evaluation mode, without gradients
            and with separate random numbers, so that it changes nothing of the training.
        **options: Eps, device, unit, checkpoint, progress, capture: see `vae_edu.engine.run.Options`.

    Returns:
        The losses, per image, in the unit of the loss.

    Raises:
        ValueError: For bad arguments, images with NaN or infinity, a checkpoint that is damaged or of
            another run, and if another training writes the same one.
        TypeError: For an option that does not exist.
        FloatingPointError: If a loss or a weight is not finite, with the step. The checkpoint keeps the
            last good epoch.
    """
    settings = {"held_out": held_out, "batch_size": batch_size, "lr": lr, "beta": beta, "seed": seed}
    with Run(model, loss, data, epochs, watch=watch, **settings, **options) as run:
        for epoch in run.epochs():  # those that the checkpoint does not hold yet
            for batch in run.batches(epoch):  # every image once, in a new order
                run.step(batch)  # the mean loss of the batch, its gradient, one step of Adam
            run.end_of_epoch()  # the held-out loss, watch, the checkpoint
    return run.history
