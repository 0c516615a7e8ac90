"""How the learning rate moves during training: functions for the `lr` of `vae_edu.train.fit`."""

import math
from collections.abc import Callable

from vae_edu.engine.arguments import positive_number

START = 0.01  # of the peak, with which the rise begins: a step at rate 0 would be wasted


def cosine(peak: float, epochs: float, warm_up: float = 1.0) -> Callable[[float], float]:
    """Adam's rate rises in a line over the first epochs, and then falls as half a cosine.

    λ(e) = λ_peak e/w while e < w, and λ_peak [1 + cos π (e − w)/(E − w)]/2 after it, with E epochs in all and
    w of warm-up (Loshchilov & Hutter 2017, without restarts; the warm-up as in Goyal et al. 2017). A high
    rate moves fast; as it falls, the noise of the steps averages out.

    Args:
        peak: The highest rate, λ_peak.
        epochs: E, as many as `fit` gets.
        warm_up: w, below E.

    Returns:
        Epochs done (2.5, say) → the rate, above 0.

    Raises:
        ValueError: A number that is not above 0, or a warm-up as long as the training.
    """
    peak = positive_number("peak", peak, "2e-3")
    epochs, warm_up = positive_number("epochs", epochs, "10"), positive_number("warm_up", warm_up, "1")
    if warm_up >= epochs:
        raise ValueError(f"warm_up = {warm_up:g} must be shorter than the {epochs:g} epochs of the training.")

    def rate(epoch: float) -> float:
        rise = min(1.0, START + (1 - START) * epoch / warm_up)
        fall = (1 + math.cos(math.pi * min(1.0, max(0.0, epoch - warm_up) / (epochs - warm_up)))) / 2
        return peak * rise * max(fall, 1e-6)

    return rate
