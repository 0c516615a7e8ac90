"""How good samples are: a classifier's opinion, and the nearest training image."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_edu import device
from vae_edu.data import Images
from vae_edu.engine.precision import check_precision, exact, full
from vae_edu.engine.randomness import random_stream
from vae_edu.networks import conv_encoder
from vae_edu.probe import class_count, fit_classifier

BLOCK = 512  # images to compare with all training images at a time


class Opinion(NamedTuple):
    """What a classifier makes of images.

    Attributes:
        labels: (N,), the most likely class.
        confidence: (N,), its probability.
        balance: (classes,), the share of the images in each class.
    """

    labels: Tensor
    confidence: Tensor
    balance: Tensor


@dataclass(frozen=True)
class Nearest:
    """The nearest training images.

    Attributes:
        index: (N,), which training image is nearest.
        distance: (N,), ‖x − x_train‖₂, in gray levels.
    """

    index: Tensor
    distance: Tensor


def classifier(train: Images, epochs: int = 3, *, seed: int = 0, progress: bool = True) -> nn.Module:
    """Train a small CNN to tell the classes of images.

    It knows these classes and nothing else: it cannot say "this is no digit", and gives even a smudge a
    class, sometimes with confidence.

    Args:
        train: Images with labels.
        epochs: How many times every image is seen.
        seed: Of the weights and of the order of the images.
        progress: Whether to show a progress bar.

    Returns:
        A network from images (N, C, H, W) to logits (N, classes).

    Raises:
        KeyboardInterrupt: After Ctrl-C, since a half-trained classifier misjudges.
    """
    with random_stream(seed):
        model = conv_encoder(train.x.shape[1:], class_count(train.known_labels), (16, 32)).to(device())
    return fit_classifier(model, (train.x, train.known_labels), epochs, lr=2e-3, seed=seed, progress=progress)


@torch.no_grad()
@exact()
def opinion(classifier: nn.Module, x: Tensor) -> Opinion:
    """What a classifier makes of images.

    Args:
        classifier: From images (N, C, H, W) to logits (N, classes).
        x: Images (N, C, H, W).

    Returns:
        The most likely class of every image, its probability, and the balance of the classes.

    Raises:
        ValueError: There are no images, or something is in float16.
    """
    check_precision(classifier, x)
    if not isinstance(x, Tensor) or not len(x):
        raise ValueError("an opinion is of images: give a tensor (N, C, H, W) with one at least.")
    probabilities = torch.cat([classifier(part).softmax(1) for part in x.split(1000)])
    confidence, labels = probabilities.max(1)
    counts = labels.bincount(minlength=probabilities.shape[1])
    return Opinion(labels, confidence, counts / len(x))


@torch.no_grad()
@exact()
def nearest(x: Tensor, train: Tensor) -> Nearest:
    """For every image the training image at the least Euclidean distance.

    ‖a − b‖² = ‖a‖² − 2 a·b + ‖b‖², so that all pairs are one matrix product.

    Args:
        x: Images (N, …).
        train: Training images (M, …).

    Returns:
        Which one is nearest, and how far it is.

    Raises:
        ValueError: If the images differ in shape, or there are none to compare with, or they are no tensors of
            floats.
    """
    check_precision(None, x, train)
    if not all(isinstance(images, Tensor) and images.is_floating_point() for images in (x, train)):
        raise ValueError("x and train must be tensors of floating-point pixels, such as the x of Images.")
    if x.shape[1:] != train.shape[1:] or not len(train):
        raise ValueError(f"x is {tuple(x.shape)}, train {tuple(train.shape)}: give images of one shape.")
    x, train = full(x).flatten(1), full(train).flatten(1)
    squares = train.square().sum(1)
    index = torch.cat([(squares - 2 * part @ train.T).argmin(1) for part in x.split(BLOCK)])
    return Nearest(index, (x - train[index]).norm(dim=1))
