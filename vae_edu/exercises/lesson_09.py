"""The exercises of lesson 09: Draw me a 7."""

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from vae_edu.conditional import posterior_of_labels
from vae_edu.exercises.exercise import Exercise, levels


def coded(y: Tensor, classes: int, z: Tensor) -> Tensor:
    """Labels as one-hot rows (B, classes), of the dtype of z."""
    return one_hot(y, classes).to(z)


def joined(z: Tensor, code: Tensor) -> Tensor:
    """Codes with something behind each."""
    return torch.cat([z, code.to(z)], 1)


def labels(B: int, classes: int) -> Tensor:
    """Labels (B,) that differ if there is room, of which none is the last class."""
    return torch.randperm(max(B, classes - 1))[:B] % (classes - 1)


def swap_arguments(B: int, D: int, d: int) -> dict[str, Tensor]:
    """Arguments for "label_swap": the first image keeps its label, if there are others."""
    K = d + 3
    y = labels(B, K)
    new = (y + torch.arange(B) % (K - 1) + (B == 1)) % K
    return {
        "x": torch.randn(B, D + 4), "y": y, "new": new, "A": torch.randn(d, D + 4) / 2,
        "W": torch.randn(D + 4, d), "C": torch.randn(K, D + 4),
    }  # fmt: skip


def swapped(x: Tensor, y: Tensor, new: Tensor, A: Tensor, W: Tensor, C: Tensor) -> Tensor:
    """z = A (x − C[y]), then W z + C[new]."""
    return (x - C[y]) @ A.T @ W.T + C[new]


def evidence(B: int, D: int, d: int) -> dict[str, Tensor]:
    """Arguments for "label_posterior": a few nats between the labels, and labels of which some are rare."""
    return {
        "log_likelihood": levels(B, d) - 4 * torch.rand(D + 2, B),
        "log_prior": (1.5 * torch.randn(D + 2)).log_softmax(0),
    }


def opinions(B: int, D: int, d: int) -> dict[str, Tensor]:
    """Arguments for "overconfidence": of a careful classifier, and if d is 2 of one that promises too much."""
    bold = d == 2
    p = ((3.0 if bold else 0.8) * torch.randn(D + 1, B)).softmax(0)
    best, second = p.topk(2, 0).indices
    wrong = torch.arange(B) % 4 != 1 if bold else torch.arange(B) % 4 == 2
    return {"p": p, "y": torch.where(wrong, second, best)}


def promise(p: Tensor) -> Tensor:
    """The accuracy that p(y|x) promises: the mean probability of the likeliest label."""
    return p.amax(0).mean()


def hits(p: Tensor, y: Tensor) -> Tensor:
    """Which images the likeliest label is right for, (B,), as numbers."""
    return (p.argmax(0) == y).to(p)


def of_truth(p: Tensor, y: Tensor) -> Tensor:
    """The probability of the true labels, (B,)."""
    return p.gather(0, y[None])[0]


# fmt: off
EXERCISES = {
    "decoder_input": Exercise(
        lambda z, y, classes: torch.cat([z, one_hot(y, classes).to(z)], 1),
        "z is (B, d), y is (B,), classes is a number; the answer is (B, d + classes), which lets gradients through to z",
        lambda B, D, d: {"z": torch.randn(B, d), "y": labels(B, D), "classes": D},
        [
            (lambda z, y, classes: joined(z, y[:, None]),
             "the label is joined as a number, as if 8 were twice as much of something as 4; give each label a column of its own"),
            (lambda z, y, classes: torch.cat([coded(y, classes, z), z], 1),
             "the label comes before the code; z goes first"),
            (lambda z, y, classes: joined(z, one_hot(y)),
             "it has as many columns as the labels of this batch need; the number of classes is given, since a batch may lack some"),
            (lambda z, y, classes: joined(z, y[:, None].expand(-1, classes)),
             "the label's number stands in every column; one column is 1, the others are 0"),
            (lambda z, y, classes: joined(z, coded(y, classes, z) * y[:, None]),
             "the column of the label holds its number; it should hold 1"),
            (lambda z, y, classes: joined(z, coded(y, classes, z) * (y[:, None] + 1)),
             "the column of the label holds its number plus 1; it should hold 1"),
            (lambda z, y, classes: joined(z, one_hot((y + 1) % classes, classes)),
             "the 1 stands one column too far to the right: labels count from 0"),
            (lambda z, y, classes: joined(z, one_hot((y - 1) % classes, classes)),
             "the 1 stands one column too far to the left: labels count from 0"),
            (lambda z, y, classes: joined(z, one_hot(y, classes).flip(1)),
             "the columns are in the reverse order: label 0 is the first of them"),
            (lambda z, y, classes: joined(z, 1 - one_hot(y, classes)),
             "ones and zeros are exchanged: every column but the label's is 1"),
            (lambda z, y, classes: joined(z, 2 * one_hot(y, classes) - 1),
             "the other columns hold −1; they should hold 0"),
            (lambda z, y, classes: joined(z, torch.arange(classes, device=y.device) <= y[:, None]),
             "all columns up to the label's are 1, so that labels with near numbers look alike; only its own is 1"),
            (lambda z, y, classes: joined(z, coded(y, classes, z) / classes),
             "the label's column holds 1 divided by the number of classes; it should hold 1"),
            (lambda z, y, classes: joined(z, coded(y, classes, z).softmax(1)),
             "a softmax of the one-hot row leaves no zeros in it; leave the row as it is"),
            (lambda z, y, classes: joined(z, one_hot(y[:1], classes).expand(len(y), -1)),
             "the label of the first image is used for all of them"),
            (lambda z, y, classes: joined(z, one_hot(y.sort().values, classes)),
             "the labels are sorted, so that images get those of others"),
            (lambda z, y, classes: joined(z, one_hot(y, classes).flip(0)),
             "the labels are in the reverse order of the images"),
            (lambda z, y, classes: joined(z, one_hot(y, classes).sum(0, keepdim=True).expand(len(y), -1)),
             "every image gets the counts of the whole batch; each has one label"),
            (lambda z, y, classes: coded(y, classes, z),
             "the code is missing: join z and the label"),
            (lambda z, y, classes: joined(torch.zeros_like(z), coded(y, classes, z)),
             "the code is replaced by zeros, so that all images of a label are alike"),
            (lambda z, y, classes: joined(torch.nn.functional.normalize(z), coded(y, classes, z)),
             "the codes are scaled to length 1; leave z as it is"),
            (lambda z, y, classes: (z[:, :, None] * coded(y, classes, z)[:, None]).flatten(1),
             "it multiplies code and label, which makes d times as many columns; set one behind the other"),
            (lambda z, y, classes: joined(joined(z, coded(y, classes, z)), coded(y, classes, z)),
             "the label is joined twice"),
            (lambda z, y, classes: joined(z, one_hot(y, classes + 1)),
             "there is a column too many: labels go from 0 to classes − 1"),
        ],
        extreme=[
            lambda z, y, classes: {"y": torch.full_like(y, classes - 1)},
            lambda z, y, classes: {"y": torch.zeros_like(y)},
        ],
        gradients=("z",),
        sizes=lambda z, y, classes: {
            "B, the number of images": len(z), "d, the number of features": z.shape[1],
            "the number of classes": classes,
        },
    ),
    "label_swap": Exercise(
        swapped,
        "x is (B, D), y and new are (B,), A is (d, D), W is (D, d), C is (K, D); the answer is (B, D), which lets gradients through to x, A, W and C",
        swap_arguments,
        [
            (lambda x, y, new, A, W, C: swapped(x, new, new, A, W, C),
             "it encodes under the new label; the image has the old one, y, and only with that does the code hold the rest"),
            (lambda x, y, new, A, W, C: swapped(x, y, y, A, W, C),
             "it decodes under the old label, which gives the reconstruction"),
            (lambda x, y, new, A, W, C: swapped(x, new, y, A, W, C),
             "the two labels are exchanged: encode under y, decode under new"),
            (lambda x, y, new, A, W, C: x - C[y] + C[new],
             "there is no code in it: the difference of the two mean images is added to the pixels; encode and decode"),
            (lambda x, y, new, A, W, C: (x + C[new] - C[y]) @ A.T @ W.T,
             "this is an edit as in lesson 7: the code moves by the difference of the labels, and nothing tells the decoder; the code should stay, and the label change"),
            (lambda x, y, new, A, W, C: x @ A.T @ W.T + C[new],
             "the encoder does not know the label: what y explains must be taken from x first"),
            (lambda x, y, new, A, W, C: (x - C[y]) @ A.T @ W.T,
             "the decoder does not know the label: the part of new is missing"),
            (lambda x, y, new, A, W, C: x @ A.T @ W.T,
             "no label is used at all"),
            (lambda x, y, new, A, W, C: C[new],
             "this is the mean image of the new label; the code, which holds the hand, is missing"),
            (lambda x, y, new, A, W, C: (x - C[y]) @ A.T,
             "these are the codes; decode them under the new label"),
            (lambda x, y, new, A, W, C: (x + C[y]) @ A.T @ W.T + C[new],
             "the encoder adds the mean image of y; it subtracts it"),
            (lambda x, y, new, A, W, C: (x - C[y]) @ A.T @ W.T - C[new],
             "the decoder subtracts the mean image of new; it adds it"),
            (lambda x, y, new, A, W, C: swapped(x, y, new, A, W, C) + C[y],
             "the old label is decoded, too: its mean image is added to that of the new one"),
            (lambda x, y, new, A, W, C: swapped(x, y, new, A, W, C) - C[y],
             "the old label is taken off once more after decoding; the code is free of it already"),
            (lambda x, y, new, A, W, C: (x - C[y]) @ W @ W.T + C[new],
             "it encodes with W; the encoder's matrix is A"),
            (lambda x, y, new, A, W, C: (x - C[y]) @ A.T @ A + C[new],
             "it decodes with A; the decoder's matrix is W"),
            (lambda x, y, new, A, W, C: (x - C[y]) @ A.T @ torch.linalg.pinv(A).T + C[new],
             "it decodes with the inverse of the encoder; the decoder has its own matrix, W"),
            (lambda x, y, new, A, W, C: swapped(x, y[:1], new[:1], A, W, C),
             "the labels of the first image are used for all of them"),
            (lambda x, y, new, A, W, C: swapped(x, y, new[:1], A, W, C),
             "the new label of the first image is used for all of them"),
            (lambda x, y, new, A, W, C: torch.where((y == new)[:, None], x, swapped(x, y, new, A, W, C)),
             "an image whose label stays is returned as it is; it passes through the code as the others do"),
            (lambda x, y, new, A, W, C: ((x - C[y]) @ A.T).mean(0) @ W.T + C[new],
             "all images get the mean code of the batch, which is nobody's hand; each keeps its own"),
            (lambda x, y, new, A, W, C: (x - x.mean(0)) @ A.T @ W.T + C[new],
             "the mean of the batch is taken off before encoding; take off that of the image's own label"),
            (lambda x, y, new, A, W, C: (x - C.mean(0)) @ A.T @ W.T + C[new],
             "the mean over all labels is taken off before encoding; take off that of the image's own label"),
            (lambda x, y, new, A, W, C: torch.nn.functional.normalize((x - C[y]) @ A.T) @ W.T + C[new],
             "the codes are scaled to length 1; leave them as they are"),
            (lambda x, y, new, A, W, C: swapped(x, y, new, A, W, C) - x,
             "this is the change; the new image itself is asked for"),
        ],
        gradients=("x", "A", "W", "C"),
        terms=lambda x, y, new, A, W, C: {
            "what the code gives": (x - C[y]) @ A.T @ W.T,
            "what the label gives": C[new],
        },
        sizes=lambda x, y, new, A, W, C: {
            "B, the number of images": len(x), "D, the number of pixels": x.shape[1],
            "d, the number of features": len(A), "K, the number of labels": len(C),
        },
    ),
    "label_posterior": Exercise(
        lambda log_likelihood, log_prior: posterior_of_labels(log_likelihood, log_prior),
        "log_likelihood is (K, B), log_prior is (K,); the answer is (K, B), which lets gradients through to both",
        evidence,
        [
            (lambda log_likelihood, log_prior: log_likelihood.softmax(0),
             "the labels' own probabilities p(y) are missing, as if all labels were equally frequent"),
            (lambda log_likelihood, log_prior: (log_likelihood + log_prior[:, None]).softmax(1),
             "it normalizes over the images; for each image the labels must add up to 1"),
            (lambda log_likelihood, log_prior: (log_likelihood + log_prior[:, None]).flatten().softmax(0).reshape(log_likelihood.shape),
             "it normalizes over labels and images at once; for each image the labels must add up to 1"),
            (lambda log_likelihood, log_prior: (log_likelihood + log_prior[:, None]).exp(),
             "this is the joint p(x, y), which underflows to 0 for most images; divide by p(x), in the log domain"),
            (lambda log_likelihood, log_prior: (w := (log_likelihood + log_prior[:, None]).exp()) / w.sum(0),
             "exp underflows to 0, and 0/0 is not a number: take out the largest of each image first, or use softmax"),
            (lambda log_likelihood, log_prior: (w := (log_likelihood + log_prior[:, None]).double().exp()) / w.sum(0),
             "exp underflows to 0 in float64, too, and 0/0 is not a number: take out the largest of each image first, or use softmax"),
            (lambda log_likelihood, log_prior: (w := (log_likelihood + log_prior[:, None]).exp()) / (w.sum(0) + 1e-8),
             "a small number in the denominator hides that exp underflows to 0: stay in the log domain"),
            (lambda log_likelihood, log_prior: (w := (log_likelihood + log_prior[:, None] - log_likelihood.amax()).exp()) / w.sum(0),
             "one maximum is taken out for all images, and exp underflows for those far below it; each image has its own"),
            (lambda log_likelihood, log_prior: (log_likelihood + log_prior[:, None]).log_softmax(0),
             "these are the logarithms of the probabilities; give the probabilities"),
            (lambda log_likelihood, log_prior: log_likelihood + log_prior[:, None],
             "this is log p(x, y); divide by p(x), and leave the log domain"),
            (lambda log_likelihood, log_prior: (log_likelihood + log_prior[:, None]).logsumexp(0),
             "this is log p(x), the denominator; the probability of each label is asked for"),
            (lambda log_likelihood, log_prior: (log_likelihood - log_prior[:, None]).softmax(0),
             "it divides by p(y); multiply by it"),
            (lambda log_likelihood, log_prior: (log_likelihood * log_prior[:, None]).softmax(0),
             "it multiplies the logarithms; a product of probabilities is a sum of logarithms"),
            (lambda log_likelihood, log_prior: (log_likelihood + log_prior.exp()[:, None]).softmax(0),
             "it adds the probability p(y) to a logarithm; add its logarithm, which is what you are given"),
            (lambda log_likelihood, log_prior: log_likelihood.softmax(0) * log_prior.exp()[:, None],
             "p(y) is multiplied in after the normalization, so that the labels do not add up to 1"),
            (lambda log_likelihood, log_prior: (w := log_likelihood.softmax(0) + log_prior.exp()[:, None]) / w.sum(0),
             "likelihood and prior are added; Bayes' rule multiplies them"),
            (lambda log_likelihood, log_prior: (log_likelihood + 2 * log_prior[:, None]).softmax(0),
             "p(y) is counted twice"),
            (lambda log_likelihood, log_prior: (log_likelihood + log_prior.flip(0)[:, None]).softmax(0),
             "the labels of log_prior are in the reverse order"),
            (lambda log_likelihood, log_prior: (log_likelihood - log_likelihood.logsumexp(1, keepdim=True) + log_prior[:, None]).softmax(0),
             "each label's likelihoods are normalized over the images first; an image stands alone"),
            (lambda log_likelihood, log_prior: (log_likelihood / len(log_prior) + log_prior[:, None]).softmax(0),
             "the likelihood is divided by the number of labels inside the exponential, which makes it too cautious"),
            (lambda log_likelihood, log_prior: (w := log_likelihood + log_prior[:, None], (w - w.amax(0)).exp())[1],
             "the largest is 1; their sum must be: divide by it"),
            (lambda log_likelihood, log_prior: (w := log_likelihood + log_prior[:, None]) / w.sum(0),
             "it normalizes the logarithms; the probabilities are their exponentials"),
            (lambda log_likelihood, log_prior: (w := log_likelihood + log_prior[:, None], (w == w.amax(0)).to(w))[1],
             "the likeliest label gets everything; each has a probability"),
            (lambda log_likelihood, log_prior: (-(log_likelihood + log_prior[:, None])).softmax(0),
             "the sign is flipped: the likeliest label gets the smallest probability"),
            (lambda log_likelihood, log_prior: log_prior.softmax(0)[:, None].expand_as(log_likelihood),
             "this is p(y), before the image was seen"),
            (lambda log_likelihood, log_prior: (log_likelihood + log_prior[:, None]).clamp(min=-300).softmax(0),
             "the logarithms are cut off at −300; leave them as they are"),
            (lambda log_likelihood, log_prior: (log_likelihood + log_prior[:, None]).softmax(0).T,
             "it is turned: labels are the rows, images the columns"),
        ],
        extreme=[
            lambda log_likelihood, log_prior: {"log_likelihood": log_likelihood - 900},
            lambda log_likelihood, log_prior: {"log_likelihood": 50 * log_likelihood},
        ],
        gradients=("log_likelihood", "log_prior"),
        sizes=lambda log_likelihood, log_prior: {
            "K, the number of labels": len(log_prior), "B, the number of images": log_likelihood.shape[1],
        },
    ),
    "overconfidence": Exercise(
        lambda p, y: promise(p) - hits(p, y).mean(),
        "p is (K, B), y is (B,); the answer is one number",
        opinions,
        [
            (lambda p, y: hits(p, y).mean() - promise(p),
             "the sign is flipped: a classifier that promises more than it does gets a positive number"),
            (lambda p, y: promise(p),
             "this is the accuracy that it promises; subtract the one that it has"),
            (lambda p, y: hits(p, y).mean(),
             "this is the accuracy that it has; what does it promise?"),
            (lambda p, y: (promise(p) - hits(p, y).mean()).abs(),
             "the sign is lost: too cautious and too bold are not the same"),
            (lambda p, y: of_truth(p, y).mean() - hits(p, y).mean(),
             "it takes the probability of the true label; the classifier stakes on the label that it finds likeliest, and does not know the true one"),
            (lambda p, y: promise(p) - of_truth(p, y).mean(),
             "it compares with the probability of the true label; an accuracy counts the images that it gets right"),
            (lambda p, y: p.mean() - hits(p, y).mean(),
             "it averages over all labels, which gives 1/K whatever the classifier thinks; the likeliest label is the one it stakes on"),
            (lambda p, y: p.amax(1).mean() - hits(p, y).mean(),
             "the largest probability is taken over the images; take it over the labels of each image"),
            (lambda p, y: p.amax() - hits(p, y).mean(),
             "the one largest probability of the batch is no promise for all images; average over them"),
            (lambda p, y: p.amax(0).median() - hits(p, y).mean(),
             "it takes the median image; an expected accuracy is a mean"),
            (lambda p, y: p.amax(0).sum() - hits(p, y).sum(),
             "it counts images; give a share of them"),
            (lambda p, y: promise(p) - (1 - hits(p, y)).mean(),
             "it subtracts the share of mistakes; subtract the share of right answers"),
            (lambda p, y: 1 - promise(p) - hits(p, y).mean(),
             "it takes the mistakes that it expects; take the right answers that it expects"),
            (lambda p, y: promise(p) + hits(p, y).mean(),
             "the two are added; subtract the second from the first"),
            (lambda p, y: promise(p) / hits(p, y).mean(),
             "this is a ratio; a difference is asked for"),
            (lambda p, y: (p.amax(0) - hits(p, y)).square().mean(),
             "these are squared differences, image by image; the difference of the two means is asked for"),
            (lambda p, y: (p.amax(0) - hits(p, y)).abs().mean(),
             "these are absolute differences, image by image; too much here and too little there should cancel"),
            (lambda p, y: (p.amax(0) * hits(p, y)).mean() - hits(p, y).mean(),
             "the promise counts only images that it gets right; it promises for all of them"),
            (lambda p, y: promise(p) - ((p.argmax(0) == y) & (p.amax(0) > 0.5)).to(p).mean(),
             "an answer counts only with a probability above ½; the likeliest label counts, however likely"),
            (lambda p, y: p.amax(0).log().mean().exp() - hits(p, y).mean(),
             "the promise is a mean of logarithms; an expected share is the mean of the probabilities"),
            (lambda p, y: -of_truth(p, y).log().mean(),
             "this is the cross-entropy, in nats; promised and true accuracy are shares of the images"),
            (lambda p, y: p.softmax(0).amax(0).mean() - hits(p, y).mean(),
             "p holds probabilities already; a softmax makes them alike"),
            (lambda p, y: (p - one_hot(y, len(p)).T).square().sum(0).mean(),
             "this is the Brier score, a mean of squares; promised minus true accuracy is asked for"),
            (lambda p, y: 100 * (promise(p) - hits(p, y).mean()),
             "this is in percent; give a share, from −1 to 1"),
            (lambda p, y: p.amax(0) - hits(p, y),
             "it has one value for each image; average over them"),
        ],
        terms=lambda p, y: {"the promise": promise(p), "the accuracy": -hits(p, y).mean()},
        sizes=lambda p, y: {"K, the number of labels": len(p), "B, the number of images": p.shape[1]},
    ),
}
