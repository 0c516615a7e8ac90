"""Learning rates as functions of the epochs done, for the argument lr of `fit`."""

import math
from collections.abc import Callable


def cosine(peak: float, epochs: float, warm_up: float = 1.0) -> Callable[[float], float]:
    """A rate that rises linearly from peak/100 over warm_up epochs, then falls as half a cosine to 0.

    lr(t) = peak (1 + cos(π (t − w) / (T − w))) / 2 after the warm-up w, where T is the number of epochs
    (Loshchilov & Hutter 2017, without restarts).

    Args:
        peak: The highest rate.
        epochs: T.
        warm_up: w, in epochs.

    Returns:
        A function from the epochs done to the rate.
    """

    def rate(done: float) -> float:
        if done < warm_up:
            return peak * (0.01 + 0.99 * done / warm_up)
        return peak * (1 + math.cos(math.pi * (done - warm_up) / (epochs - warm_up))) / 2

    return rate
