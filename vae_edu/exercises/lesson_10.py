"""The exercises of lesson 10: Your own images."""

import math

import torch
from torch import Tensor

from vae_edu.exercises.exercise import Exercise


def photographs(B: int, D: int, d: int) -> dict[str, Tensor | float]:
    """Arguments for "independent_pixels": the first pixel never changes in train, the second less than floor."""
    D, floor = D + 2, 0.03 + 0.02 * torch.rand(()).item()
    spread = torch.cat([torch.tensor([0.0, floor / 3]), 0.06 + 0.2 * torch.rand(D - 2)])
    mean = torch.cat([torch.tensor([0.5]), 0.2 + 0.6 * torch.rand(D - 1)])
    return {
        "train": mean + spread * torch.randn(D + B + 4, D),
        "x": mean + (spread + floor) * torch.randn(B, D),
        "floor": floor,
    }


def spread(train: Tensor, floor: float) -> Tensor:
    """The variance of every pixel, (D,), of which none is below floor²."""
    return train.var(0, correction=0).clamp(min=floor**2)


def per_pixel(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """The logarithm of a Gaussian density for every pixel, of the shape of x."""
    return -0.5 * ((x - mean).square() / variance + variance.log() + math.log(2 * math.pi))


def log_density(x: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """log p(x) of every image, (B,), under independent Gaussian pixels."""
    return per_pixel(x, mean, variance).sum(1)


def independent_pixels(train: Tensor, x: Tensor, floor: float) -> Tensor:
    """log p(x), (B,), under the mean and the variance that each pixel has over train."""
    return log_density(x, train.mean(0), spread(train, floor))


# fmt: off
EXERCISES = {
    "independent_pixels": Exercise(
        independent_pixels,
        "train is (N, D), x is (B, D), floor is a number, the smallest σ; the answer is (B,), in nats, which lets gradients through to x",
        photographs,
        [
            (lambda train, x, floor: per_pixel(x, train.mean(0), spread(train, floor)).mean(1),
             "it averages over the pixels; the log-density of an image is their sum"),
            (lambda train, x, floor: -independent_pixels(train, x, floor),
             "the sign is flipped: this is a loss, −log p(x)"),
            (lambda train, x, floor: log_density(x, train.mean(0), train.var(0, correction=0)),
             "a pixel that never changes has the variance 0 here, and nothing divided by it is finite; no σ may be smaller than floor"),
            (lambda train, x, floor: log_density(x, train.mean(0), train.var(0, correction=0).clamp(min=floor)),
             "it compares the variance with floor; floor is a σ, and the variance is its square"),
            (lambda train, x, floor: log_density(x, train.mean(0), train.var(0).clamp(min=floor**2)),
             "the variance divides by N − 1, which is the default of var and std; the most likely one divides by N"),
            (lambda train, x, floor: log_density(x, train.mean(), spread(train, floor)),
             "all pixels have one mean; each has its own, over the images of train"),
            (lambda train, x, floor: log_density(x, train.mean(0), train.var(correction=0).clamp(min=floor**2).expand(x.shape[1])),
             "all pixels have one variance, that of all the numbers in train; each has its own"),
            (lambda train, x, floor: log_density(x, train.mean(), train.var(correction=0).clamp(min=floor**2).expand(x.shape[1])),
             "all pixels have one mean and one variance; each has its own, over the images of train"),
            (lambda train, x, floor: log_density(x, train.mean(0), spread(train, floor).mean().expand(x.shape[1])),
             "the variances of the pixels are averaged; each pixel keeps its own"),
            (lambda train, x, floor: log_density(x, x.mean(0), spread(x, floor)),
             "mean and variance come from x itself, so the model has seen the images that it is tested on; take both from train"),
            (lambda train, x, floor: log_density(x, train.mean(0), spread(x, floor)),
             "the variance comes from x, the images that the model is tested on; take it from train"),
            (lambda train, x, floor: log_density(x, x.mean(0), spread(train, floor)),
             "the mean comes from x, the images that the model is tested on; take it from train"),
            (lambda train, x, floor: log_density(x, torch.cat([train, x]).mean(0), spread(torch.cat([train, x]), floor)),
             "mean and variance are taken over train and x together; the model may not see x"),
            (lambda train, x, floor: log_density(x, train.mean(0), (train.std(0, correction=0) + floor).square()),
             "floor is added to σ; only a σ below floor changes, and becomes floor"),
            (lambda train, x, floor: log_density(x, train.mean(0), train.var(0, correction=0) + floor**2),
             "the square of floor is added to the variance; only a variance below it changes"),
            (lambda train, x, floor: log_density(x, train.mean(0), torch.full_like(x[0], floor**2)),
             "every σ is floor; it is only the smallest that a σ may be"),
            (lambda train, x, floor: log_density(x, train.mean(0), spread(train, floor)) + 0.5 * x.shape[1] * math.log(2 * math.pi),
             "log 2π is missing, which every pixel has once"),
            (lambda train, x, floor: log_density(x, train.mean(0), spread(train, floor)) + 0.5 * (x.shape[1] - 1) * math.log(2 * math.pi),
             "log 2π counts once for the whole image; every pixel has one"),
            (lambda train, x, floor: 2 * independent_pixels(train, x, floor),
             "the ½ is missing"),
            (lambda train, x, floor: independent_pixels(train, x, floor) - 0.5 * ((x - train.mean(0)).square() / spread(train, floor)).sum(1),
             "the ½ in front of the squared error is missing"),
            (lambda train, x, floor: independent_pixels(train, x, floor) - 0.5 * spread(train, floor).log().sum(),
             "it subtracts log σ²; log σ is half of that"),
            (lambda train, x, floor: independent_pixels(train, x, floor) + 0.5 * spread(train, floor).log().sum(),
             "log σ is missing, the price of a wide Gaussian"),
            (lambda train, x, floor: independent_pixels(train, x, floor) + spread(train, floor).log().sum(),
             "log σ has the wrong sign: a wide Gaussian is low everywhere"),
            (lambda train, x, floor: log_density(x, train.mean(0), spread(train, floor).sqrt()),
             "σ stands where the variance σ² belongs"),
            (lambda train, x, floor: log_density(x, train.mean(0), spread(train, floor).square()),
             "the variance stands where σ belongs; torch.distributions.Normal wants a σ"),
            (lambda train, x, floor: log_density(x, train.mean(0), train.square().mean(0).clamp(min=floor**2)),
             "the variance is the mean of the squares; take the squares of the distance to the mean"),
            (lambda train, x, floor: -0.5 * ((x - train.mean(0)).square() / spread(train, floor)).sum(1),
             "this is the squared error alone; a density that adds up to 1 has log σ and log 2π, too"),
        ],
        extreme=[
            lambda train, x, floor: {"floor": 1.0},
            lambda train, x, floor: {"train": train[:1]},
            lambda train, x, floor: {"x": 20 * x},
        ],
        gradients=("x",),
        terms=lambda train, x, floor: {
            "the squared error": -0.5 * ((x - train.mean(0)).square() / spread(train, floor)).sum(1),
            "the log σ of all pixels": -0.5 * spread(train, floor).log().sum(),
            "the log 2π of all pixels": -0.5 * x.new_tensor(x.shape[1] * math.log(2 * math.pi)),
        },
        sizes=lambda train, x, floor: {
            "N, the number of images in train": len(train), "B, the number of images in x": len(x),
            "D, the number of pixels": x.shape[1],
        },
    ),
}
