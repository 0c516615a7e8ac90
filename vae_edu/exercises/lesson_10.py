"""The exercises of lesson 10: Your own images."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from vae_edu.exercises.exercise import Exercise, image_shape, image_sizes

LN_2 = math.log(2)


def photographs(B: int, D: int, d: int) -> dict[str, Tensor | float]:
    """Arguments for "independent_pixels": the first pixel never changes in train, the second less than floor."""
    D, floor = D + 2, 0.03 + 0.02 * torch.rand(()).item()
    spread = torch.cat([torch.tensor([0.0, floor / 3]), 0.06 + 0.2 * torch.rand(D - 2)])
    mean = torch.cat([torch.tensor([0.5]), 0.2 + 0.6 * torch.rand(D - 1)])
    return {
        "train": mean + spread * torch.randn(D + B + 3, D),
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


def varying(train: Tensor, x: Tensor, least: float) -> Tensor:
    """log p(x), (B,), of the pixels whose σ is above the least."""
    kept = train.std(0, correction=0) > least
    return log_density(x[:, kept], train[:, kept].mean(0), train[:, kept].var(0, correction=0))


def densities(B: int, D: int, d: int) -> dict[str, Tensor | int]:
    """Arguments for "bits_per_dimension": models that need too many bits, fewer, and fewer than none."""
    levels = int(2 ** (2 + 8 * torch.rand(())))
    share = torch.linspace(-0.5, 1.2, B) + 0.1 * torch.rand(B)
    pixels = D * (D + 1) + int(torch.randint(D, ()))
    return {"log_p": pixels * math.log(levels) * share, "D": pixels, "levels": levels}


def bits_per_dimension(log_p: Tensor, D: int, levels: int) -> Tensor:
    """−log₂ P / D, (B,), where P is the density times the volume that an image of these levels stands for."""
    return math.log2(levels) - log_p / (D * LN_2)


def gray(B: int, D: int) -> Tensor:
    """Gray images (B, C, H, W); every second one, from the first, has pixels that are 0, and some that are 1."""
    x = torch.rand(image_shape(B, D))
    x[::2, :, 0, ::3], x[::2, :, -1, 1::4] = 0, 1
    return x


def per_gray(x: Tensor) -> Tensor:
    """x log x + (1 − x) log(1 − x) of every pixel."""
    return torch.xlogy(x, x) + torch.xlogy(1 - x, 1 - x)


def bernoulli_limit(x: Tensor) -> Tensor:
    """The largest log-likelihood of each image, (B,), that a Bernoulli decoder can reach."""
    return per_gray(x).sum((1, 2, 3))


def cross(x: Tensor, p: Tensor) -> Tensor:
    """The log-likelihood of each image, (B,), if the decoder's probabilities are p."""
    return (torch.xlogy(x, p) + torch.xlogy(1 - x, 1 - p)).sum((1, 2, 3))


def curve(B: int, D: int, d: int) -> dict[str, Tensor | int]:
    """Arguments for "best_epoch": losses in whole nats, so that some are equal.

    They rise for a while and fall again before the best epoch, and they fall even lower after the stop. If d
    is 2 and there are more than two images, training never stops.
    """
    few = B < 3
    patience = d + 1 + (0 if few else int(torch.randint(2, ())))
    losses = [300]

    def better(count: int = 1) -> None:
        for _ in range(count):
            losses.append(min(losses) - int(torch.randint(1, 4, ())))

    def worse(count: int, equal: int = -1, dips: bool = False) -> None:
        best = min(losses)
        for i in range(count):
            losses.append(best if i == equal else best + 2 * i + 4 - 3 * (dips and i == 2))

    better(d + 2 + int(torch.randint(2, ())))
    losses.append(losses[-1])
    better()
    worse(patience - 2)
    better()
    if not few:
        worse(patience - 2)
        better()
    worse(patience - 1)
    better()
    if d == 2 and not few:
        worse(patience - 1, equal=1)
        better()
        losses += [320, 318]
        better(2)
        worse(patience - 1, equal=1)
    else:
        worse(patience, equal=0, dips=True)
        better(2)
        worse(1 if few else patience, equal=0)
    if not few and d != 2:
        better()
        worse(patience + 1, equal=1, dips=True)
        better()
        worse(patience + 1, equal=0, dips=True)
        better()
        losses += [320, 318]
        better(2)
        worse(patience)
    return {"losses": torch.tensor(losses).float(), "patience": patience}


def best_epoch(losses: Tensor, patience: int) -> int:
    """The epoch with the smallest loss, from 0, until patience epochs in a row have brought no smaller one."""
    return first(losses[: stop(losses, patience) + 1])


def first(losses: Tensor) -> int:
    """The epoch with the smallest loss, the first of several."""
    return int(losses.argmin())


def latest(losses: Tensor) -> int:
    """The epoch with the smallest loss, the last of several."""
    return len(losses) - 1 - int(losses.flip(0).argmin())


def stop(
    losses: Tensor,
    patience: int,
    improves: Callable[[Tensor, Tensor], Tensor] = lambda past, new: new < past.min(),
    in_a_row: bool = True,
) -> int:
    """The last epoch that is trained, by what counts as an improvement on the losses before it."""
    waited = 0
    for epoch in range(1, len(losses)):
        good = bool(improves(losses[:epoch], losses[epoch]))
        waited = 0 if good and in_a_row else waited + (not good)
        if waited >= patience:
            return epoch
    return len(losses) - 1


def stops(losses: Tensor, patience: int) -> bool:
    """Whether training stops before the losses end, or with the last of them."""
    return stop(torch.cat([losses, losses.amin(0, keepdim=True) - 1]), patience) < len(losses)


# fmt: off
EXERCISES = {
    "independent_pixels": Exercise(
        independent_pixels,
        "train is (N, D), x is (B, D), floor is a number, the smallest σ; the answer is (B,), in nats, which lets gradients through to x",
        photographs,
        [
            (lambda train, x, floor: per_pixel(x, train.mean(0), spread(train, floor)).mean(1),
             "it averages over the pixels; the log-density of an image is their sum"),
            (lambda train, x, floor: per_pixel(x, train.mean(0), spread(train, floor)).sum(0),
             "it sums over the images; sum over the pixels of each"),
            (lambda train, x, floor: -independent_pixels(train, x, floor),
             "the sign is flipped: this is a loss, −log p(x)"),
            (lambda train, x, floor: log_density(x, train.mean(0), train.var(0, correction=0)),
             "a pixel that never changes has the variance 0 here, and nothing divided by it is finite; no σ may be smaller than floor"),
            (lambda train, x, floor: log_density(x, train.mean(0), train.var(0, correction=0).clamp(min=floor)),
             "it compares the variance with floor; floor is a σ, and the variance is its square"),
            (lambda train, x, floor: log_density(x, train.mean(0), torch.where(train.std(0, correction=0) < floor, floor, train.var(0, correction=0))),
             "where σ is too small, floor becomes the variance; it becomes σ"),
            (lambda train, x, floor: log_density(x, train.mean(0), train.var(0).clamp(min=floor**2)),
             "the variance divides by N − 1, which is the default of var and std; the most likely one divides by N"),
            (lambda train, x, floor: log_density(x, train.mean(), spread(train, floor)),
             "all pixels have one mean; each has its own, over the images of train"),
            (lambda train, x, floor: log_density(x, train.mean(0), train.var(correction=0).clamp(min=floor**2).expand(x.shape[1])),
             "all pixels have one variance, that of all the numbers in train; each has its own"),
            (lambda train, x, floor: log_density(x, train.mean(), train.var(correction=0).clamp(min=floor**2).expand(x.shape[1])),
             "all pixels have one mean and one variance; each has its own, over the images of train"),
            (lambda train, x, floor: log_density(x, x.mean(1, keepdim=True), x.var(1, correction=0, keepdim=True).clamp(min=floor**2)),
             "each image has its own mean and variance, over its pixels; each pixel has them, over the images of train"),
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
            (lambda train, x, floor: varying(train, x, 0.0),
             "pixels that never change in train are left out; they get floor as their σ, and count"),
            (lambda train, x, floor: varying(train, x, floor),
             "pixels that vary less than floor are left out; they get floor as their σ, and count"),
            (lambda train, x, floor: log_density(x, train.mean(0), spread(train, floor)) + 0.5 * x.shape[1] * math.log(2 * math.pi),
             "log 2π is missing, which every pixel has once"),
            (lambda train, x, floor: 2 * independent_pixels(train, x, floor),
             "the ½ is missing"),
            (lambda train, x, floor: independent_pixels(train, x, floor) - 0.5 * spread(train, floor).log().sum(),
             "it subtracts log σ²; log σ is half of that"),
            (lambda train, x, floor: independent_pixels(train, x, floor) + 0.5 * spread(train, floor).log().sum(),
             "log σ is missing, the price of a wide Gaussian"),
            (lambda train, x, floor: log_density(x, train.mean(0), spread(train, floor).sqrt()),
             "σ stands where the variance σ² belongs"),
            (lambda train, x, floor: log_density(x, train.mean(0), spread(train, floor).square()),
             "the variance stands where σ belongs; torch.distributions.Normal wants a σ"),
            (lambda train, x, floor: log_density(x, train.mean(0), (train - train.mean(0)).square().sum(0).clamp(min=floor**2)),
             "the variance is a sum of squares; divide it by N"),
            (lambda train, x, floor: log_density(x, train.mean(0), train.square().mean(0).clamp(min=floor**2)),
             "the variance is the mean of the squares; take the squares of the distance to the mean"),
            (lambda train, x, floor: -0.5 * ((x - train.mean(0)).square() / spread(train, floor)).sum(1),
             "this is the squared error alone; a density that adds up to 1 has log σ and log 2π, too"),
        ],
        extreme=[
            lambda train, x, floor: {"floor": 3 * floor},
            lambda train, x, floor: {"train": train[:2]},
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
    "bits_per_dimension": Exercise(
        bits_per_dimension,
        "log_p is (B,), in nats, D and levels are numbers; the answer is (B,), in bits, which lets gradients through to log_p",
        densities,
        [
            (lambda log_p, D, levels: -log_p / (D * LN_2),
             "levels is left out: a density is no probability until it is multiplied by the width of a level, 1 / levels, for every pixel"),
            (lambda log_p, D, levels: math.log(levels) - log_p / D,
             "these are nats; give bits"),
            (lambda log_p, D, levels: D * math.log2(levels) - log_p / LN_2,
             "these are the bits of a whole image; give those of one of its D pixels"),
            (lambda log_p, D, levels: -log_p / LN_2,
             "these are the bits of a whole image, and levels is left out"),
            (lambda log_p, D, levels: -log_p / D,
             "these are nats, and levels is left out"),
            (lambda log_p, D, levels: -bits_per_dimension(log_p, D, levels),
             "the sign is flipped: a better model needs fewer bits"),
            (lambda log_p, D, levels: math.log2(levels) + log_p / (D * LN_2),
             "log_p is added; the likelier an image, the fewer bits it needs"),
            (lambda log_p, D, levels: -math.log2(levels) - log_p / (D * LN_2),
             "the bits of the levels are subtracted; a level is narrower than 1, so that more of them need more bits"),
            (lambda log_p, D, levels: math.log(levels) - log_p / (D * LN_2),
             "the levels are in nats and the density in bits; bring both to bits"),
            (lambda log_p, D, levels: math.log2(levels) - log_p / D,
             "the density is in nats and the levels in bits; bring both to bits"),
            (lambda log_p, D, levels: levels - log_p / (D * LN_2),
             "it adds levels; add the bits that tell that many apart, a logarithm"),
            (lambda log_p, D, levels: 8 - log_p / (D * LN_2),
             "it takes 8 bits for every pixel, which are right for 256 levels alone; levels is given"),
            (lambda log_p, D, levels: math.log10(levels) - log_p / (D * math.log(10)),
             "the logarithms are to base 10; bits have base 2"),
            (lambda log_p, D, levels: math.log2(levels) - log_p / LN_2,
             "log_p is not divided by D: it belongs to the whole image, the levels to one pixel"),
            (lambda log_p, D, levels: D * math.log2(levels) - log_p / (D * LN_2),
             "the bits of the levels are those of a whole image, the others those of one pixel"),
            (lambda log_p, D, levels: (math.log2(levels) - log_p / LN_2) / D,
             "the bits of the levels are divided by D, too; every pixel has them in full"),
            (lambda log_p, D, levels: bits_per_dimension(log_p, D, levels).mean(),
             "it averages over the images; keep one value for each"),
            (lambda log_p, D, levels: bits_per_dimension(log_p, D, levels).sum(),
             "it sums over the images; keep one value for each"),
            (lambda log_p, D, levels: math.log2(levels) - log_p * LN_2 / D,
             "it multiplies by log 2; a nat is 1 / log 2 bits, more than one"),
            (lambda log_p, D, levels: math.log2(levels) - log_p / (D * LN_2**2),
             "it goes from nats to bits twice; once is enough"),
            (lambda log_p, D, levels: (math.log2(levels) - log_p / D) / LN_2,
             "the bits of the levels are divided by log 2 once more; a logarithm to base 2 is in bits already"),
            (lambda log_p, D, levels: 1 - log_p / (D * LN_2 * math.log2(levels)),
             "this is a share of the bits of the levels; give the bits themselves"),
            (lambda log_p, D, levels: bits_per_dimension(log_p, D, levels).clamp(max=math.log2(levels)),
             "it is cut off at the bits of the levels; a bad model may need more"),
            (lambda log_p, D, levels: bits_per_dimension(log_p, D, levels).clamp(min=0),
             "it is cut off at 0; leave the number as it is, for it tells that a density promises too much"),
            (lambda log_p, D, levels: -(log_p / D).exp() * math.log2(levels),
             "it takes the density out of the logarithm; stay with log_p"),
            (lambda log_p, D, levels: bits_per_dimension(log_p, levels, D),
             "D and levels are swapped"),
            (lambda log_p, D, levels: math.log2(levels - 1) - log_p / (D * LN_2),
             "it takes one level less: 256 levels, from 0 to 255, are 256"),
        ],
        extreme=[
            lambda log_p, D, levels: {"log_p": 1000 * log_p},
            lambda log_p, D, levels: {"levels": 2},
        ],
        gradients=("log_p",),
        terms=lambda log_p, D, levels: {
            "the bits of the levels": log_p.new_tensor(math.log2(levels)),
            "the bits of the density": -log_p / (D * LN_2),
        },
        sizes=lambda log_p, D, levels: {
            "B, the number of images": len(log_p), "D, the number of pixels": D, "the number of levels": levels,
        },
    ),
    "bernoulli_limit": Exercise(
        bernoulli_limit,
        "x is (B, C, H, W), from 0 to 1; the answer is (B,), in nats",
        lambda B, D, d: {"x": gray(B, D)},
        [
            (lambda x: (x * x.log() + (1 - x) * (1 - x).log()).sum((1, 2, 3)),
             "0 · log 0 is not a number for PyTorch; here it is 0, so that a black or white pixel costs nothing"),
            (lambda x: (x * x.log() + (1 - x) * (1 - x).log()).sum((1, 2, 3)).nan_to_num(0),
             "an image with a black or white pixel becomes 0 as a whole; only the pixel counts as 0"),
            (lambda x: -bernoulli_limit(x),
             "the sign is flipped: this is the entropy, and a log-likelihood of pixels is never above 0"),
            (lambda x: torch.xlogy(x, x).sum((1, 2, 3)),
             "the term (1 − x) log(1 − x) is missing"),
            (lambda x: torch.xlogy(1 - x, 1 - x).sum((1, 2, 3)),
             "the term x log x is missing"),
            (lambda x: (torch.xlogy(x, x) - torch.xlogy(1 - x, 1 - x)).sum((1, 2, 3)),
             "the two terms are subtracted; add them"),
            (lambda x: per_gray(x).mean((1, 2, 3)),
             "it averages over the pixels; the log-likelihood of an image is their sum"),
            (lambda x: per_gray(x).sum(),
             "it sums over the images; keep one value for each"),
            (lambda x: bernoulli_limit(x).mean(),
             "it averages over the images; keep one value for each"),
            (lambda x: per_gray(x).sum(-1),
             "it sums over the width alone; sum over channels, height and width"),
            (lambda x: per_gray(x).sum((2, 3)),
             "it keeps a value for each channel; sum over the channels, too"),
            (lambda x: per_gray(x).mean(1).sum((1, 2)),
             "it averages over the channels; sum over them, too"),
            (lambda x: bernoulli_limit(x[:, :1]),
             "it looks at the first channel alone; all of them count"),
            (lambda x: bernoulli_limit(x.mean(1, keepdim=True)),
             "the channels are averaged to one gray picture first; every channel has its own pixels"),
            (lambda x: bernoulli_limit(x) / math.log(2),
             "these are bits; give nats"),
            (lambda x: 0 * x.sum((1, 2, 3)),
             "every image gets 0, or nearly 0, which is the limit for black and white images alone; rounding does that, and an exponential does, too"),
            (lambda x: -math.log(2) * torch.ones_like(x).sum((1, 2, 3)),
             "the decoder is undecided, with the probability ½ everywhere; the best one says as much as the pixel's gray"),
            (lambda x: torch.maximum(x, 1 - x).log().sum((1, 2, 3)),
             "this is the log-likelihood of a black and white image; a gray pixel counts both terms, each with its share"),
            (lambda x: (x * (x + 1e-5).log() + (1 - x) * (1 - x + 1e-5).log()).sum((1, 2, 3)),
             "a small constant inside the logarithm is added at every pixel, and they add up; 0 · log 0 needs none"),
            (lambda x: bernoulli_limit(x.clamp(1e-3, 1 - 1e-3)),
             "x is cut off near 0 and 1, so that black and white pixels cost something; they cost nothing"),
            (lambda x: -torch.nn.functional.binary_cross_entropy(x.clamp(0.01, 0.99), x, reduction="none").sum((1, 2, 3)),
             "the decoder's probability is cut off near 0 and 1; at the limit it equals the pixel"),
            (lambda x: -torch.nn.functional.binary_cross_entropy_with_logits(x, x, reduction="none").sum((1, 2, 3)),
             "it takes x for logits: the function with logits applies a sigmoid first, and x is the probability already"),
            (lambda x: (torch.xlogy(x, 1 - x).clamp(min=-100) + torch.xlogy(1 - x, x).clamp(min=-100)).sum((1, 2, 3)),
             "the logarithms are exchanged: log x goes with x, log(1 − x) with 1 − x"),
            (lambda x: (x.clamp(min=1e-30).log() + (1 - x).clamp(min=1e-30).log()).sum((1, 2, 3)),
             "the two logarithms lack their shares, x and 1 − x"),
            (lambda x: cross(x, x.mean(0)),
             "the decoder shows the mean image of the batch; at the limit it shows the image itself"),
            (lambda x: cross(x, x.mean((1, 2, 3), keepdim=True)),
             "the decoder shows the image's mean gray at every pixel; at the limit it shows each pixel's own"),
            (lambda x: -(x * (1 - x)).sum((1, 2, 3)),
             "this is the variance of the pixels, turned negative; a log-likelihood has logarithms"),
        ],
        extreme=[
            lambda x: {"x": x.round()},
            lambda x: {"x": 1e-4 * x},
        ],
        terms=lambda x: {
            "x log x": torch.xlogy(x, x).sum((1, 2, 3)),
            "(1 − x) log(1 − x)": torch.xlogy(1 - x, 1 - x).sum((1, 2, 3)),
        },
        sizes=lambda x: image_sizes(x),
    ),
    "best_epoch": Exercise(
        best_epoch,
        "losses is (E,), patience is a whole number from 1; the answer is one whole number, from 0 to E − 1",
        curve,
        [
            (lambda losses, patience: first(losses),
             "it takes the best of all epochs; those after the stop were never trained"),
            (lambda losses, patience: stop(losses, patience),
             "this is the last epoch that is trained; the best one came before it"),
            (lambda losses, patience: best_epoch(losses, patience) + 1,
             "it counts epochs from 1; the first is epoch 0"),
            (lambda losses, patience: first(losses[: stop(losses, patience, lambda past, new: new < past[-1]) + 1]),
             "it compares with the epoch before; an epoch that is no better than the best so far brings nothing, even if it is better than the last one"),
            (lambda losses, patience: best_epoch(losses, patience - 1),
             "it stops one epoch too early; wait until patience epochs in a row have brought nothing"),
            (lambda losses, patience: best_epoch(losses, patience + 1),
             "it stops one epoch too late; after patience epochs without a better one there is no further epoch"),
            (lambda losses, patience: first(losses[: stop(losses, patience, in_a_row=False) + 1]),
             "it counts all epochs that brought nothing; they must come in a row, so a new best sets the count back to 0"),
            (lambda losses, patience: latest(losses[: stop(losses, patience, lambda past, new: new <= past.min()) + 1]),
             "a loss equal to the best counts as an improvement; it is none"),
            (lambda losses, patience: first(losses[: stop(losses, patience, lambda past, new: new <= past.min()) + 1]),
             "a loss equal to the best sets the count back; only a lower one does"),
            (lambda losses, patience: latest(losses[: stop(losses, patience) + 1]),
             "of equal losses it takes the last; the first counts"),
            (lambda losses, patience: len(losses) - 1,
             "this is the last of all epochs, good or bad"),
            (lambda losses, patience: int(losses.argmax()),
             "it takes the largest loss; the smallest is the best"),
            (lambda losses, patience: 0,
             "it stays at the first epoch; perhaps it compares the wrong way round, or with a best loss that starts at 0"),
            (lambda losses, patience: stop(losses, 1, lambda past, new: new <= past[-1]) - 1,
             "it stops at the first rise; patience is there to wait until a rise is over"),
            (lambda losses, patience: best_epoch(losses, 1),
             "it stops at the first epoch that is no better; patience says for how many in a row to wait"),
            (lambda losses, patience: losses[best_epoch(losses, patience)],
             "this is the best loss; give the number of its epoch"),
            (lambda losses, patience: best_epoch(losses, patience) if stops(losses, patience) else len(losses) - 1,
             "if training never stops it gives the last epoch; the best of all is the answer then"),
            (lambda losses, patience: best_epoch(losses, patience) if stops(losses, patience) else -1,
             "if training never stops it gives −1; the best of all is the answer then"),
            (lambda losses, patience: stop(losses, patience) if stops(losses, patience) else first(losses),
             "if training stops it gives the epoch of the stop; the best one came before it"),
            (lambda losses, patience: stop(losses, patience) - patience,
             "it steps back by patience from the last epoch, even if training never stops; then the best may be anywhere"),
            (lambda losses, patience: stop(losses, patience) + 1,
             "this is how many epochs are trained; which of them was the best?"),
            (lambda losses, patience: stop(losses, patience) - 1,
             "this is the last epoch but one that is trained; the best one may be long past"),
            (lambda losses, patience: first(losses[:patience]),
             "it looks at the first epochs alone, as many as patience says; training goes on as long as the losses fall"),
            (lambda losses, patience: len(losses) - patience + first(losses[-patience:]),
             "it looks at the last epochs alone, as many as patience says, and they may not be trained at all"),
            (lambda losses, patience: max(i for i in range(1, stop(losses, patience) + 1) if losses[i] < losses[i - 1]),
             "this is the last epoch that was better than the one before it; the best is better than all before it"),
        ],
        extreme=[
            lambda losses, patience: {"patience": 1},
            lambda losses, patience: {"patience": len(losses)},
            lambda losses, patience: {"losses": torch.cat([losses[:1], 200 + losses[: patience + 1], losses])},
        ],
        sizes=lambda losses, patience: {"E, the number of epochs": len(losses)},
    ),
}
