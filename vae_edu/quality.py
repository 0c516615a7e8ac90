"""How good samples are, with no download: a classifier's opinion, and the nearest training image."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from vae_edu import device
from vae_edu.data import Images
from vae_edu.engine.randomness import random_stream
from vae_edu.networks import conv_encoder
from vae_edu.probe import classification_loss
from vae_edu.train import fit

BLOCK = 512  # images compared with all training images at a time


class Opinion(NamedTuple):
    """What a classifier makes of images.

    labels: (N,), the most likely class. confidence: (N,), its probability.
    balance: (classes,), the share of the images in each class.
    """

    labels: Tensor
    confidence: Tensor
    balance: Tensor


class Nearest(NamedTuple):
    """index: (N,), which training image is nearest. distance: (N,), ‖x − x_train‖₂, in grey levels."""

    index: Tensor
    distance: Tensor


def classifier(train: Images, epochs: int = 3, *, seed: int = 0, progress: bool = True) -> nn.Module:
    """A small CNN that gives logits (N, classes) for images (N, C, H, W), trained on the labels by `fit`.

    It knows the data's classes and nothing else: it cannot say "this is no digit", and gives a smudge a
    class too, sometimes with confidence.
    """
    with random_stream(seed):
        model = conv_encoder(train.x.shape[1:], int(train.labels.max()) + 1, (16, 32)).to(device())
    history = fit(
        model, classification_loss, (train.x, train.labels), epochs, lr=2e-3, seed=seed, progress=progress
    )
    if history.interrupted:
        raise KeyboardInterrupt("a half-trained classifier has no opinion worth asking for")
    return model.eval()


@torch.no_grad()
def opinion(classifier: nn.Module, x: Tensor) -> Opinion:
    """The classifier's class and confidence for every image of x (N, C, H, W), and the balance of classes."""
    probabilities = torch.cat([classifier(part).softmax(1) for part in x.split(1000)])
    confidence, labels = probabilities.max(1)
    counts = labels.bincount(minlength=probabilities.shape[1])
    return Opinion(labels, confidence, counts / len(x))


@torch.no_grad()
def nearest(x: Tensor, train: Tensor) -> Nearest:
    """For every image of x (N, …) the training image that differs least, in Euclidean distance.

    ‖a − b‖² = ‖a‖² − 2 a·b + ‖b‖², so that all pairs are one matrix product.
    Raises ValueError where the images differ in shape, or there are none to compare with.
    """
    if x.shape[1:] != train.shape[1:] or not len(train):
        raise ValueError(f"x is {tuple(x.shape)}, train {tuple(train.shape)}: give images of one shape.")
    x, train = x.flatten(1), train.flatten(1)
    squares = train.square().sum(1)
    index = torch.cat([(squares - 2 * part @ train.T).argmin(1) for part in x.split(BLOCK)])
    return Nearest(index, (x - train[index]).norm(dim=1))
