"""The exercises of lesson 05: Training."""

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from vae_edu.exercises.exercise import Exercise, bce
from vae_edu.gaussian import kl_to_standard_normal as kl
from vae_edu.reparameterization import reparameterize


def sigma(logvar: Tensor) -> Tensor:
    """The standard deviation σ = exp(½ log σ²)."""
    return (0.5 * logvar).exp()


def decoded(mu: Tensor, logvar: Tensor, eps: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """The logits of a decoder with one layer, (B, D), at the code z = μ + σ ε."""
    return reparameterize(mu, logvar, eps) @ W.T + b


def ink(B: int, D: int) -> Tensor:
    """Random images of 0s and 1s, (B, D), each with both of them."""
    x = torch.rand(B, D).round()
    return torch.cat([1 - x[:, 1:2], x[:, 1:]], dim=1)


def reports(B: int) -> dict[str, Tensor]:
    """What B trained models report, each in one of four ways: sound, or with a mistake, as in `verdict`."""
    kind = (torch.arange(B) + torch.randint(4, ())) % 4
    low, high = torch.tensor([[-120, -60], [-60, -30], [-210, -150], [-120, -60]])[kind].T
    reconstruction = low + (high - low) * torch.rand(B)
    low, high = torch.tensor([[5.0, 30], [65, 110], [0, 0.02], [15, 30]])[kind].T
    kl = low + (high - low) * torch.rand(B)
    log_p_x = reconstruction - kl + 0.5 + 6 * torch.rand(B)
    return {"reconstruction": reconstruction, "kl": torch.where(kind == 3, kl / 20, kl), "log_p_x": log_p_x}


def verdict(
    reconstruction: Tensor,
    kl: Tensor,
    log_p_x: Tensor,
    *,
    cheap: int = 1,
    collapsed: int = 2,
    no_bound: int = 3,
    nothing: float = 0.3,
    slack: float = 0.0,
) -> Tensor:
    """Which mistake each report shows, (B,): 0 none, 1 cheap codes, 2 a collapse, 3 a bound that is none.

    Args:
        reconstruction: Term 1 of the bound, (B,), in nats.
        kl: Term 2.
        log_p_x: The log-likelihood that term 1 minus term 2 must not exceed.
        cheap: The verdict on a KL that is larger than the error of the reconstruction.
        collapsed: The verdict on a KL below `nothing`.
        no_bound: The verdict on a bound above log p(x) by more than `slack`.
        nothing: Nats.
        slack: Nats.
    """
    found = torch.where(kl > -reconstruction, cheap, 0)
    found = torch.where(kl < nothing, collapsed, found)
    return torch.where(reconstruction - kl > log_p_x + slack, no_bound, found)


def law(eigenvalues: Tensor, variance: float) -> Tensor:
    """The KL divergence of every dimension of the best linear VAE, ½ log(λ/σ²) or 0: (n,), in nats."""
    return 0.5 * (eigenvalues / variance).log().clamp(min=0)


def spectrum(n: int) -> dict[str, Tensor | float]:
    """Eigenvalues, the largest first, some of them above the variance σ² and some below."""
    variance = float(0.3 + 2 * torch.rand(()))
    around = torch.linspace(2, -1.5, n) + 0.2 * torch.rand(n)
    return {"eigenvalues": variance * around.exp(), "variance": variance}


def color(B: int, D: int) -> Tensor:
    """Random images of two or three channels that are not square, (B, C, D − 1, D)."""
    return torch.rand(B, 2 + B % 2, D - 1, D)


def squares(x_hat: Tensor, x: Tensor) -> Tensor:
    """The squared differences, of the shape of x."""
    return (x_hat - x).square()


# fmt: off
EXERCISES = {
    "vae_loss": Exercise(
        lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
        "x is (B, D), mu, logvar and eps are (B, d), W is (D, d), b is (D,); the answer is (B,), also for "
        "logits of hundreds, and lets gradients through to mu, logvar, W and b",
        lambda B, D, d: {
            "x": ink(B, D + 1), "mu": torch.randn(B, d), "logvar": torch.randn(B, d),
            "eps": torch.randn(B, d), "W": torch.randn(D + 1, d) / d**0.5, "b": torch.randn(D + 1),
        },
        [
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(mu @ W.T + b, x).sum(1),
             "the draw is missing: it decodes μ, not a code drawn from q"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(eps @ W.T + b, x).sum(1),
             "it decodes ε itself; the code is z = μ + σ ε"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce((mu + logvar * eps) @ W.T + b, x).sum(1),
             "ε is multiplied by log σ²; multiply by σ = exp(½ log σ²)"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce((mu + logvar.exp() * eps) @ W.T + b, x).sum(1),
             "ε is multiplied by the variance σ²; multiply by σ = exp(½ log σ²)"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce((mu + eps) @ W.T + b, x).sum(1),
             "ε is added as it is; multiply it by σ first"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce((mu - sigma(logvar) * eps) @ W.T + b, x).sum(1),
             "σ ε is subtracted; z = μ + σ ε"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce((sigma(logvar) * eps) @ W.T + b, x).sum(1),
             "the code has no μ in it; z = μ + σ ε"),
            (lambda x, mu, logvar, eps, W, b: bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "term 2, the KL divergence to the prior, is missing"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar),
             "term 1, the reconstruction, is missing"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) - bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "term 1 has the wrong sign: the loss is KL − log p(x|z)"),
            (lambda x, mu, logvar, eps, W, b: bce(decoded(mu, logvar, eps, W, b), x).sum(1) - kl(mu, logvar),
             "the KL divergence is subtracted from the loss; it is a cost, so add it"),
            (lambda x, mu, logvar, eps, W, b: -kl(mu, logvar) - bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "this is the bound itself; a loss is its negative"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(decoded(mu, logvar, eps, W, b), x).mean(1),
             "it averages over the pixels; sum over them, or the KL weighs D times too much"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(decoded(mu, logvar, eps, W, b), x).mean(),
             "term 1 is one mean over all pixels of all images, as PyTorch's losses give by default; sum over the pixels of each image"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(decoded(mu, logvar, eps, W, b), x).sum(),
             "term 1 is one sum over the whole batch, and every image gets it; sum over the pixels of each image"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) / mu.shape[1] + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "the KL divergence is averaged over the latents; sum it"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) / mu.shape[1] + bce(decoded(mu, logvar, eps, W, b), x).mean(1),
             "both terms are averages, over the latents and over the pixels; both are sums"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar).sum() + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "the KL divergence is summed over the whole batch, and every image gets that; sum over the latents alone"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar).mean() + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "the KL divergence is a mean over the images, and every image gets that; each has its own"),
            (lambda x, mu, logvar, eps, W, b: (kl(mu, logvar) + bce(decoded(mu, logvar, eps, W, b), x).sum(1)).mean(),
             "it averages over the images; keep one value each, (B,)"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + squares(decoded(mu, logvar, eps, W, b).sigmoid(), x).sum(1),
             "term 1 is a squared error; the log-likelihood of 0s and 1s is a Bernoulli's"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + squares(decoded(mu, logvar, eps, W, b), x).sum(1),
             "term 1 is a squared error of the logits; a logit is no pixel, and the log-likelihood is a Bernoulli's"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(decoded(mu, logvar, eps, W, b).sigmoid(), x).sum(1),
             "the formula of term 1 takes logits, and gets probabilities: the sigmoid is in it already"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(decoded(mu, logvar, eps, W, b), 1 - x).sum(1),
             "0 and 1 are swapped in term 1: a large logit is ink"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) - (x * torch.log_softmax(decoded(mu, logvar, eps, W, b), 1)).sum(1),
             "a softmax over the pixels makes one pixel of the image black; every pixel has a sigmoid of its own"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) - (x * torch.nn.functional.logsigmoid(decoded(mu, logvar, eps, W, b))).sum(1),
             "term 1 counts the pixels that are 1 alone; those that are 0 have a likelihood, too"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) - (x * decoded(mu, logvar, eps, W, b)).sum(1),
             "log(1 + exp(logit)) is missing in term 1"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) - (x * decoded(mu, logvar, eps, W, b) + softplus(decoded(mu, logvar, eps, W, b))).sum(1),
             "log(1 + exp(logit)) is added in term 1; subtract it"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) - (x * decoded(mu, logvar, eps, W, b) - softplus(-decoded(mu, logvar, eps, W, b))).sum(1),
             "the logit in log(1 + exp(logit)) has the wrong sign"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(reparameterize(mu, logvar, eps).relu() @ W.T + b, x).sum(1),
             "the code passes through a ReLU; it may be negative"),
            (lambda x, mu, logvar, eps, W, b: 0.5 * (reparameterize(mu, logvar, eps).square() + logvar.exp() - 1 - logvar).sum(1) + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "term 2 has the code z in it; it is a formula in μ and σ"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(mu @ W.T + sigma(logvar) * eps @ W.T, x).sum(1),
             "the decoder's bias b is missing"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, logvar) + bce(decoded(mu, logvar, eps, W, b).relu(), x).sum(1),
             "the logits pass through a ReLU; they may be negative"),
            (lambda x, mu, logvar, eps, W, b: 0.5 * reparameterize(mu, logvar, eps).square().sum(1) + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "term 2 is −log p(z) of the one code; the KL divergence has a formula in μ and σ"),
            (lambda x, mu, logvar, eps, W, b: 0.5 * (reparameterize(mu, logvar, eps).square() - eps.square() - logvar).sum(1) + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "term 2 is estimated from the one code, log q(z|x) − log p(z); its exact value is a formula in μ and σ"),
            (lambda x, mu, logvar, eps, W, b: 0.5 * (mu.square() + sigma(logvar) - 1 - logvar).sum(1) + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "term 2 has σ in it; the variance is σ²"),
            (lambda x, mu, logvar, eps, W, b: 0.5 * (mu.square() + logvar.exp() - 1 + logvar).sum(1) + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "log σ² has the wrong sign in term 2"),
            (lambda x, mu, logvar, eps, W, b: 0.5 * (mu.square() + logvar - 1 - logvar.exp()).sum(1) + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "σ² and log σ² are swapped in term 2"),
            (lambda x, mu, logvar, eps, W, b: 0.5 * (logvar.exp() - 1 - logvar).sum(1) + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "μ² is missing in term 2"),
            (lambda x, mu, logvar, eps, W, b: kl(mu, 2 * logvar) + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "log σ² is taken for log σ in term 2"),
            (lambda x, mu, logvar, eps, W, b: 0.5 * (mu.square() + logvar.exp() - logvar).sum(1) + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "the −1 in term 2 is missing, once for every dimension"),
            (lambda x, mu, logvar, eps, W, b: 0.5 * ((mu.square() + logvar.exp() - logvar).sum(1) - 1) + bce(decoded(mu, logvar, eps, W, b), x).sum(1),
             "the −1 in term 2 counts once; it is inside the sum, once for every dimension"),
        ],
        extreme=lambda x, mu, logvar, eps, W, b: {"W": 50 * W},
        gradients=("mu", "logvar", "W", "b"),
        terms=lambda x, mu, logvar, eps, W, b: {
            "the reconstruction term": bce(decoded(mu, logvar, eps, W, b), x).sum(1),
            "the KL term": kl(mu, logvar),
        },
        sizes=lambda x, mu, logvar, eps, W, b: {
            "B, the number of images": len(x), "D, the number of pixels": x.shape[1],
            "d, the number of latent dimensions": mu.shape[1],
        },
    ),
    "which_mistake": Exercise(
        verdict,
        "reconstruction, kl and log_p_x are (B,), in nats per image; the answer is (B,), of 0, 1, 2 and 3",
        lambda B, D, d: reports(B),
        [
            (lambda reconstruction, kl, log_p_x: verdict(reconstruction, kl, log_p_x, no_bound=0),
             "a bound above log p(x) passes as sound; no bound can lie there"),
            (lambda reconstruction, kl, log_p_x: verdict(reconstruction, kl, log_p_x, collapsed=0),
             "a KL of zero passes as sound; then q is the prior for every image, and the code says nothing"),
            (lambda reconstruction, kl, log_p_x: verdict(reconstruction, kl, log_p_x, cheap=0),
             "a code that costs more nats than the reconstruction lacks passes as sound"),
            (lambda reconstruction, kl, log_p_x: verdict(reconstruction, kl, log_p_x, cheap=2, collapsed=1),
             "1 and 2 are swapped: a cheap code has a large KL, a dear one has none"),
            (lambda reconstruction, kl, log_p_x: verdict(reconstruction, kl, log_p_x) + 1,
             "it counts from 1; a sound model is 0"),
            (lambda reconstruction, kl, log_p_x: verdict(reconstruction, kl, log_p_x, slack=-1e9),
             "every model is called impossible: a bound below log p(x) is as it should be"),
            (lambda reconstruction, kl, log_p_x: torch.where(reconstruction > log_p_x, 3, verdict(reconstruction, kl, log_p_x)),
             "a sound term 1 lies above log p(x), too, and this calls it impossible; the bound is term 1 minus the KL"),
            (lambda reconstruction, kl, log_p_x: torch.where(kl < 3, 2, verdict(reconstruction, kl, log_p_x)),
             "a nat of KL is called a collapse; a collapsed code has none, and this bound lies above log p(x)"),
            (lambda reconstruction, kl, log_p_x: torch.where(reconstruction - kl > log_p_x, 1, verdict(reconstruction, kl, log_p_x)),
             "a bound above log p(x) is called a cheap code; that one has a large KL, and its bound is one"),
            (lambda reconstruction, kl, log_p_x: torch.where(reconstruction > -50, 1, 0) + 0 * verdict(reconstruction, kl, log_p_x),
             "it looks at the reconstruction alone; look at what it cost, too"),
            (lambda reconstruction, kl, log_p_x: verdict(reconstruction.mean(), kl.mean(), log_p_x.mean()),
             "it gives one verdict for all models; each row has its own"),
            (lambda reconstruction, kl, log_p_x: verdict(reconstruction.mean(), kl.mean(), log_p_x.mean()).expand(len(kl)),
             "all models get the verdict on their mean; each row has its own"),
        ],
    ),
    "collapse_law": Exercise(
        law,
        "eigenvalues is (n,), variance is a number, σ²; the answer is (n,), in nats",
        lambda B, D, d: spectrum(D),
        [
            (lambda eigenvalues, variance: 0.5 * (eigenvalues / variance).log(),
             "below σ² it goes on and becomes negative; there the column of W is 0, and so is the KL"),
            (lambda eigenvalues, variance: 2 * law(eigenvalues, variance),
             "the factor ½ is missing"),
            (lambda eigenvalues, variance: 0.5 * (variance / eigenvalues).log().clamp(min=0),
             "λ and σ² are swapped: the strong directions say something, the weak ones nothing"),
            (lambda eigenvalues, variance: -law(eigenvalues, variance),
             "the sign is flipped; a divergence is never negative"),
            (lambda eigenvalues, variance: 0.5 * (eigenvalues / variance).log().abs(),
             "it takes the absolute value; a direction weaker than the noise says nothing"),
            (lambda eigenvalues, variance: 0.5 * (1 + eigenvalues / variance).log(),
             "it takes λ for w²; the eigenvalue holds the noise, too: λ = w² + σ²"),
            (lambda eigenvalues, variance: 0.5 * (1 - variance / eigenvalues).clamp(min=0),
             "this is the mean of μ² alone, halved; the variance of q is not 1, and its terms count"),
            (lambda eigenvalues, variance: 0.5 * (variance / eigenvalues - 1 + (eigenvalues / variance).log()) * (eigenvalues > variance),
             "the mean of μ² is missing: the codes of the images differ, and that costs"),
            (lambda eigenvalues, variance: 0.5 * (eigenvalues / variance - 1).clamp(min=0),
             "it is λ/σ² − 1 where a logarithm belongs"),
            (lambda eigenvalues, variance: 0.5 * (eigenvalues / variance**0.5).log().clamp(min=0),
             "it divides by σ; variance is σ² already, so take no root of it"),
            (lambda eigenvalues, variance: 0.5 * (eigenvalues / variance**2).log().clamp(min=0),
             "it divides by σ⁴; variance is σ² already, so do not square it"),
            (lambda eigenvalues, variance: 0.5 * eigenvalues.log().clamp(min=0),
             "σ² is not used: it compares λ with 1, the variance of the prior, not with that of the noise"),
            (lambda eigenvalues, variance: law(eigenvalues, variance).sum(),
             "this is the KL of the whole code; keep one value per dimension"),
            (lambda eigenvalues, variance: law(eigenvalues, variance).mean(),
             "this is a mean over the dimensions; keep one value for each"),
            (lambda eigenvalues, variance: law(eigenvalues, variance) / math.log(2),
             "these are bits; this lesson counts in nats"),
            (lambda eigenvalues, variance: (eigenvalues > variance).float(),
             "it says whether a dimension lives; say how many nats it costs"),
            (lambda eigenvalues, variance: 0.5 * (eigenvalues - variance).clamp(min=0),
             "this is w², halved; the divergence is a logarithm"),
        ],
        extreme=lambda eigenvalues, variance: {
            "eigenvalues": torch.cat([1e4 * eigenvalues[:-1], 0 * eigenvalues[-1:]])
        },
        sizes=lambda eigenvalues, variance: {"the number of dimensions": len(eigenvalues)},
    ),
    "best_sigma": Exercise(
        lambda x_hat, x: squares(x_hat, x).mean().sqrt(),
        "x_hat and x are (B, C, H, W); the answer is one number, a tensor of shape ()",
        lambda B, D, d: {"x_hat": color(B, D), "x": 0.2 + color(B, D)},
        [
            (lambda x_hat, x: squares(x_hat, x).mean(),
             "this is the variance σ²; σ is its square root"),
            (lambda x_hat, x: (x_hat - x).var(),
             "this is the variance of the differences around their own mean, with one value less; σ² is the mean of the squares, and σ its root"),
            (lambda x_hat, x: (x.std() - x_hat.std()).abs(),
             "it compares the spreads of x and x_hat; subtract pixel by pixel first"),
            (lambda x_hat, x: squares(x_hat, x).flatten(1).sum(1).mean().sqrt(),
             "it sums over the pixels; σ is that of a single pixel, so average"),
            (lambda x_hat, x: squares(x_hat, x).sum().sqrt(),
             "this is the length of the whole difference; average the squares over images and pixels before the root"),
            (lambda x_hat, x: squares(x_hat, x).sum().sqrt() / x.numel(),
             "the number of values is outside the root; average first, then take the root"),
            (lambda x_hat, x: squares(x_hat, x).sum().sqrt() / len(x),
             "the root of the sum is divided by the number of images; average over images and pixels, then take the root"),
            (lambda x_hat, x: squares(x_hat, x).sum(0).mean().sqrt(),
             "it sums over the images; average over them, too"),
            (lambda x_hat, x: squares(x_hat, x).sum(1).mean().sqrt(),
             "it sums over the channels; average over them, too"),
            (lambda x_hat, x: (squares(x_hat, x).sum() / (x.numel() - 1)).sqrt(),
             "it divides by one value less than there are; the best σ² is a plain mean"),
            (lambda x_hat, x: squares(x_hat, x).flatten(1).mean(1).sqrt().mean(),
             "it takes a σ for each image and averages them; one σ serves all: average first, then the root"),
            (lambda x_hat, x: squares(x_hat, x).flatten(1).mean(1).sqrt(),
             "it keeps a σ for each image; one serves all"),
            (lambda x_hat, x: squares(x_hat, x).mean((0, 2, 3)).sqrt(),
             "it keeps a σ for each channel; one serves all"),
            (lambda x_hat, x: squares(x_hat, x).mean(0).sqrt(),
             "it keeps a σ for each pixel; one serves all"),
            (lambda x_hat, x: squares(x_hat, x).mean(0).sqrt().mean(),
             "it takes a σ for each pixel and averages them; one mean comes first, then the root"),
            (lambda x_hat, x: squares(x_hat, x).flatten(1).sum(1).sqrt().mean(),
             "it averages the distances of the images; average the squares over images and pixels"),
            (lambda x_hat, x: squares(x_hat, x).sum((2, 3)).sqrt().mean(),
             "it averages the lengths of the channels' differences; average the squares, then take the root"),
            (lambda x_hat, x: squares(x_hat, x).mean((2, 3)).sqrt().mean(),
             "it takes a σ for each channel of each image and averages them; one mean comes first, then the root"),
            (lambda x_hat, x: squares(x_hat, x)[:, 0].mean().sqrt(),
             "it looks at the first channel alone"),
            (lambda x_hat, x: squares(x_hat, x)[0].mean().sqrt(),
             "it looks at the first image alone"),
            (lambda x_hat, x: (x_hat - x).abs().mean(),
             "it averages absolute values; a Gaussian wants squares"),
            (lambda x_hat, x: (x_hat - x).abs().mean().sqrt(),
             "it averages absolute values, not squares, before the root"),
            (lambda x_hat, x: squares(x_hat, x).median().sqrt(),
             "it takes a median; the likelihood is largest at the mean of the squares"),
            (lambda x_hat, x: (x_hat - x).abs().amax(),
             "it takes the largest difference; average the squares"),
            (lambda x_hat, x: (x_hat - x).std(),
             "it subtracts the mean difference first; the mean of p(x|z) is x_hat itself"),
            (lambda x_hat, x: (x_hat - x).std(correction=0),
             "it is the spread of the differences around their own mean; they are to be measured from 0, since the mean of p(x|z) is x_hat"),
            (lambda x_hat, x: squares(x_hat, x).mean().log(),
             "this is log σ²; give σ"),
            (lambda x_hat, x: squares(x_hat, x).mean().sqrt().log(),
             "this is log σ; give σ itself"),
            (lambda x_hat, x: x.std(),
             "this is the spread of the pixels; measure how far they are from x_hat"),
            (lambda x_hat, x: x_hat.std(),
             "this is the spread of x_hat; measure how far the pixels are from it"),
            (lambda x_hat, x: squares(x_hat, x).std(),
             "this is the spread of the squares; take their mean, then the root"),
            (lambda x_hat, x: squares(x_hat, x).mean().sqrt() / 2,
             "it has a factor ½ too many"),
            (lambda x_hat, x: (squares(x_hat, x).mean() / 2).sqrt(),
             "it has a factor ½ too many under the root"),
            (lambda x_hat, x: (2 * squares(x_hat, x).mean()).sqrt(),
             "it has a factor 2 too many under the root"),
            (lambda x_hat, x: 1 / squares(x_hat, x).mean().sqrt(),
             "this is 1/σ"),
            (lambda x_hat, x: 1 / squares(x_hat, x).mean(),
             "this is the precision 1/σ²; give σ"),
            (lambda x_hat, x: squares(x_hat, x).mean().square(),
             "it squares where the root belongs"),
            (lambda x_hat, x: squares(x_hat.square(), x.square()).mean().sqrt(),
             "it squares the images; square their difference"),
            (lambda x_hat, x: (x_hat.square() - x.square()).mean().abs().sqrt(),
             "it subtracts squares; square the difference"),
        ],
        extreme=[
            lambda x_hat, x: {"x_hat": 1000 * x_hat},
            lambda x_hat, x: {"x_hat": x + 1e-3 * (x_hat - x)},
        ],
        sizes=lambda x_hat, x: {
            "B, the number of images": len(x), "C, the number of channels": x.shape[1],
            "the number of values of an image": x[0].numel(),
        },
    ),
}
