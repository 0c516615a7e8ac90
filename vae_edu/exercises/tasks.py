"""What a variant of each exercise says, and the conventions that it can have.

The steps hold in every convention. Arguments stand in braces, by their names in the lesson.
"""

import math
from typing import NamedTuple

from torch.nn.functional import one_hot

from vae_edu.exercises.conventions import (
    AREA,
    BASE_10,
    BITS,
    GRID_LAST,
    IMAGES_FIRST,
    LOG_STD,
    PRECISION,
    STD,
    VARIANCE,
    Change,
    Convention,
    gray_levels,
    minus,
    other_chance,
    percent,
    pixels_of,
    threshold,
    turned,
)


class Task(NamedTuple):
    """What a variant of an exercise says: its title, its steps, and the conventions it can have."""

    title: str
    steps: tuple[str, ...]
    conventions: tuple[Convention, ...]


THREE = "all three are (B, K); the answer is "

TASKS = {
    "chain_rule": Task(
        "the chain rule, for images x of 0s and 1s",
        (
            "At every pixel take the logarithm of the probability of what is there.",
            "Sum over the pixels of each image, not over the images. Gradients must pass to {p}.",
        ),
        (
            BITS,
            minus("−log p(x), the length of a code"),
            Convention(
                "{p} is the probability that the pixel is 0, given those before; the lesson's p is that of a 1.",
                "it takes {p} for the probability of a 1, as the lesson does; in this exercise it is that of a 0",
                given={"p": Change(lambda v: 1 - v, lambda v: 1 - v, "1 - {}", ("q", "paper"))},
                outdated=r"\bp\b|swap",
            ),
        ),
    ),
    "standard_error": Task(
        "how exact a mean over B images is",
        (
            "Take the standard deviation over the images (torch.std divides the squares by B − 1).",
            "The mean of B images varies less than one image does. Account for that.",
        ),
        (
            BITS,
            Convention(
                "The answer is half the width of a 95% interval: 1.96 standard errors.",
                "this is one standard error, as in the lesson; this exercise asks for 1.96 of them",
                answer=lambda right, _: 1.96 * right,
                code="1.96 * {}",
            ),
        ),
    ),
    "shift": Task(
        "what a network is given that predicts each pixel from those it has read",
        (
            "The input of a pixel is the pixel that was read just before it.",
            "At the first step nothing is known: its input is 0. The answer is as large as {x}.",
        ),
        (
            Convention(
                "Here the pixels are read backwards, from the last to the first.",
                "it reads the pixels forwards, as the lesson does; in this exercise they are read backwards",
                given={"x": Change(lambda v: v.flip(1), lambda v: v.flip(1), "{}.flip(1)")},
                answer=lambda right, _: right.flip(1),
                code="{}.flip(1)",
                outdated="first|last|next|follow|front|other way|shift",
            ),
            turned("x", shapes="{x} is (T, B); the answer is (T, B)", answer=True),
        ),
    ),
    "sample_pixels": Task(
        "drawing, one pixel after the other",
        (
            "Go through the pixels in order, from an image of zeros.",
            "p is the sigmoid of {b}[t] plus the sum, weighed by {W}, of the pixels before t.",
            "Draw the pixel with its number of {u}. Return the images of 0s and 1s.",
        ),
        (
            other_chance("u"),
            Convention(
                "Column t of {W} belongs to pixel t: {W}[s, t] weighs pixel s. (The lesson: row t.)",
                "it takes row t of {W} for pixel t, as the lesson does; in this exercise it is column t",
                given={"W": Change(lambda v: v.T.contiguous(), lambda v: v.T, "{}.T")},
                outdated="row|column|transpos",
            ),
        ),
    ),
    "l2_loss": Task(
        "how far images are from their reconstructions",
        (
            "Square the differences.",
            "One value for each image, none for the whole batch. Gradients must pass to {x_hat}.",
        ),
        (
            Convention(
                "The answer is the mean over the pixels of an image, where (L1) has their sum.",
                "this is the sum over the pixels, as in (L1); this exercise asks for their mean",
                answer=lambda right, given: right / pixels_of(given["x"]),
                code="{} / {x}[0].numel()",
                outdated=r"averag|mean|\bsum",
            ),
            Convention(
                "The answer has a factor ½ in front: ½ ‖x̂ − x‖².",
                "the ½ is missing: this is (L1) of the lesson",
                answer=lambda right, _: right / 2,
                code="0.5 * {}",
                outdated="½",
            ),
            gray_levels("x_hat", "x"),
        ),
    ),
    "linear_sigmoid_encoder": Task(
        "the encoder of the first generation",
        (
            "Lay out each image as a row.",
            "The matrix {W}, then {b}, then the non-linearity; one row an image.",
            "Gradients must pass to {W} and {b}.",
        ),
        (
            threshold("b"),
            Convention(
                "The features go from −1 to 1: return 2 · sigmoid − 1.",
                "these features go from 0 to 1, as in the lesson; in this exercise from −1 to 1",
                answer=lambda right, _: 2 * right - 1,
                code="2 * {} - 1",
                outdated="tanh|ReLU|softmax|non-linearity|after",
                linear=False,
            ),
        ),
    ),
    "deep_encoder": Task(
        "a deep encoder with one hidden layer",
        (
            "Lay out each image as a row.",
            "Hidden layer: {W1} and {b1}, then the ReLU.",
            "Features: {W2} and {b2}. No ReLU. Gradients must pass to {W1}, {b1}, {W2} and {b2}.",
        ),
        (threshold("b1"), threshold("b2"), gray_levels("x")),
    ),
    "cnn_layer": Task(
        "one layer of a CNN",
        (
            "Convolve with torch.nn.functional.conv2d, with a stride of 2 and a padding of 1.",
            "Mind {b}, and apply the ReLU. Gradients must pass to {K} and {b}.",
        ),
        (threshold("b"), gray_levels("x")),
    ),
    "pca_reconstruction": Task(
        "encode and decode by PCA; the images are laid out already",
        (
            "Subtract the mean image; multiply with {V} for the features.",
            "Back: the transpose, and the mean again.",
        ),
        (
            Convention(
                "The answer is what is lost: the image minus its reconstruction.",
                "this is the reconstruction, as in the lesson; this exercise asks for what is lost, x − x̂",
                answer=lambda right, given: given["x"] - right,
                code="{x} - {}",
                outdated="add|subtract|features",
                linear=False,
            ),
            Convention(
                "{mean} is the mean image with its sign turned.",
                "it takes {mean} for the mean image, as the lesson does; in this exercise its sign is turned",
                given={"mean": Change(lambda v: -v, lambda v: -v, "-{}", ("minus_mean", "shift"))},
                outdated="add|subtract",
            ),
        ),
    ),
    "gaussian_log_likelihood": Task(
        "how likely an image is, given the decoder's mean and its spread",
        (
            "Write the bracket of the formula above for every pixel.",
            "Sum over the pixels of each image; mind the ½. Gradients must pass to {mu} and {logvar}.",
        ),
        (LOG_STD, VARIANCE, PRECISION, BITS, minus("−log p(x|z)")),
    ),
    "monte_carlo": Task(
        "Monte Carlo: log p(x), from log p(x|z) for K samples and B images",
        (
            "Sum over the samples without leaving the log domain.",
            "Turn the sum into a mean. Gradients must pass to {log_likelihood}.",
        ),
        (
            BITS,
            BASE_10,
            minus("−log p(x)"),
            turned("log_likelihood", shapes="{log_likelihood} is (B, K); the answer is (B,)"),
        ),
    ),
    "bernoulli_log_likelihood": Task(
        "how likely a black-and-white image is, given the decoder's logits",
        (
            "Use the second form of the formula above; torch.nn.functional.softplus does not overflow.",
            "Sum over the pixels of each image. Gradients must pass to {logits}.",
        ),
        (
            BITS,
            minus("−log p(x|z)"),
            Convention(
                "A pixel of {x} is −1 (the lesson's 0) or 1.",
                "it takes pixels of 0 and 1, as in the lesson; in this exercise they are −1 and 1",
                given={
                    "x": Change(
                        lambda v: 2 * v - 1, lambda v: (v + 1) / 2, "({} + 1) / 2", ("spins", "signs")
                    )
                },
                outdated=r"\b[01]\b|x·l",
            ),
            Convention(
                "{logits} are the logits of a 0, not of a 1.",
                "it takes {logits} for those of a 1, as the lesson does; in this exercise they are of a 0",
                given={"logits": Change(lambda v: -v, lambda v: -v, "-{}", ("paper_logits", "logits_of_0"))},
                outdated=r"logit|eˡ|\bp\b|swap",
            ),
        ),
    ),
    "integral_on_grid": Task(
        "the integral on a grid: log p(x), from log p(x, z) on N × N nodes",
        (
            "Sum over both directions of the grid in the log domain.",
            "Multiply the sum by the area of a cell; in the log domain that is an addition.",
        ),
        (
            AREA,
            BITS,
            Convention(
                "The images come first: {log_joint} is (B, N, N), where the lesson has (N, N, B).",
                "it takes the images last, as the lesson does; in this exercise they come first",
                given={"log_joint": IMAGES_FIRST},
                shapes=GRID_LAST + "(B,)",
                outdated="dimension",
            ),
        ),
    ),
    "posterior_on_grid": Task(
        "the posterior on a grid, from log p(x, z) on N × N nodes",
        (
            "log p(x) is the logarithm of a sum over all nodes, times the area of a cell.",
            "Subtract it, and only then leave the log domain.",
        ),
        (
            AREA,
            Convention(
                "The images come first: {log_joint} is (B, N, N), where the lesson has (N, N, B).",
                "it takes the images last, as the lesson does; in this exercise they come first",
                given={"log_joint": IMAGES_FIRST},
                answer=lambda right, _: right.movedim(2, 0),
                code="{}.movedim(2, 0)",
                shapes=GRID_LAST + "(B, N, N)",
                outdated="dimension|column",
            ),
            Convention(
                "The answer is the probability of each cell, where the lesson has a density: their sum is 1.",
                "this is a density, as in the lesson; this exercise asks for the probability of each cell",
                answer=lambda right, given: right * given["step"] ** 2,
                code="{} * {step}**2",
                outdated="step|area|density|integral",
            ),
        ),
    ),
    "bayes_rule": Task(
        "Bayes' rule in logarithms, for K codes and B images",
        ("Multiply likelihood and prior, and divide by the third; in the log domain.",),
        (BITS, BASE_10, minus("−log p(x)")),
    ),
    "importance_sampling": Task(
        "importance sampling, at K codes drawn from q for each of B images",
        ("Write the logarithm of the weights.", "Take the logarithm of their mean over the K codes."),
        (
            BITS,
            minus("−log p(x)"),
            turned("log_likelihood", "log_prior", "log_q", shapes=THREE + "(B,)"),
        ),
    ),
    "effective_samples": Task(
        "the effective number of samples, from the logarithms of K weights for each image",
        (
            "The logarithm of (Σ w)² is twice that of Σ w.",
            "Subtract the logarithm of Σ w², and leave the log domain.",
        ),
        (
            turned("log_w", shapes="{log_w} is (B, K); the answer is (B,)"),
            Convention(
                "The answer is a share of the K samples, from 0 to 1.",
                "this is the number of samples, as in the lesson; this exercise asks for their share of K",
                answer=lambda right, given: right / len(given["log_w"]),
                code="{} / len({log_w})",
                outdated="share|number",
            ),
        ),
    ),
    "three_terms": Task(
        "the three terms, from log densities at K codes drawn from q, for B images",
        (
            "The reconstruction: the mean of log p(x|z) over the K codes.",
            "The first divergence: the mean of log q(z|x) − log p(z).",
            "The second divergence: the mean of log q(z|x) − log p(z|x).",
            "Return the three as a tuple. Gradients must pass to all four.",
        ),
        (
            BITS,
            turned(
                "log_likelihood",
                "log_prior",
                "log_q",
                "log_posterior",
                shapes="all four are (B, K); the answer is a tuple of three, (B,) each",
            ),
        ),
    ),
    "kl_to_standard_normal": Task(
        "the divergence from the prior",
        (
            "Write the bracket of the formula above for every latent dimension.",
            "Sum over the latent dimensions, not over the images; mind the ½. Gradients must pass to both.",
        ),
        (BITS, LOG_STD, VARIANCE, PRECISION),
    ),
    "reparameterize": Task(
        "a draw from N(μ, σ²)",
        ("Find σ.", "Stretch {eps} by σ and shift it by μ. Gradients must pass to all three."),
        (LOG_STD, VARIANCE, STD, PRECISION),
    ),
    "negative_elbo": Task(
        "minus the bound, as a loss; the log-likelihood is at K draws from q",
        (
            "The divergence from the prior, one value an image: the formula of exercise 4.2 in the lesson.",
            "The reconstruction, the mean over the K draws. Gradients must pass to all three.",
        ),
        (
            BITS,
            LOG_STD,
            VARIANCE,
            Convention(
                "{log_likelihood} is −log p(x|z): its sign is turned.",
                "it takes {log_likelihood} for log p(x|z), as the lesson does; in this exercise its sign is turned",
                given={"log_likelihood": Change(lambda v: -v, lambda v: -v, "-{}", ("nll", "error"))},
                outdated="log-likelihood|subtract|sign",
            ),
        ),
    ),
    "vae_loss": Task(
        "the loss of one step, for a decoder with a single layer",
        (
            "Sample a code: z = μ + σ ε.",
            "Decode it with {W} and {b}: logits, (B, D).",
            "Term 1: log p(x|z), summed over the pixels; logits may be hundreds, so use softplus.",
            "Term 2: the divergence from the prior.",
            "Term 2 minus term 1, one value an image. Gradients must pass to {mu}, {logvar}, {W} and {b}.",
        ),
        (BITS, LOG_STD, VARIANCE, gray_levels("x"), threshold("b")),
    ),
    "which_mistake": Task(
        "which mistake made each of B reports",
        (
            "0: a sound VAE. 1: the code is too cheap, β far below 1, and costs more than the reconstruction lacks.",
            "2: a collapse, without any KL. 3: no bound at all, since it lies above log p(x).",
        ),
        (
            Convention(
                "{log_p_x} is −log p(x), in nats: its sign is turned.",
                "it takes {log_p_x} for log p(x), as the lesson does; in this exercise it is −log p(x)",
                given={"log_p_x": Change(lambda v: -v, lambda v: -v, "-{}", ("nll", "nats"))},
                outdated="passes as sound; no bound",
            ),
            Convention(
                "The answer counts from 1: a sound VAE is 1, and the last mistake is 4.",
                "it counts from 0, as the lesson does; in this exercise a sound VAE is 1",
                answer=lambda right, _: right + 1,
                code="{} + 1",
                outdated="counts from|swapped",
            ),
            Convention(
                "The answer is (B, 4): for each model a row of zeros with a single 1, at its verdict.",
                "these are the verdicts, as in the lesson; this exercise asks for a row of zeros and a 1",
                answer=lambda right, _: one_hot(right, 4),
                code="torch.nn.functional.one_hot({}, 4)",
                shapes="{reconstruction}, {kl} and {log_p_x} are (B,), in nats per image; the answer is (B, 4)",
                outdated="counts from|all models|one verdict",
                linear=False,
            ),
        ),
    ),
    "collapse_law": Task(
        "what each dimension of the best linear VAE costs: its KL divergence from the prior, in nats",
        (
            "A direction of the data has the eigenvalue λ, the decoder's noise the variance σ².",
            "½ log(λ/σ²), or 0 if the noise is the stronger of the two.",
        ),
        (
            BITS,
            Convention(
                "{eigenvalues} are standard deviations, √λ. The lesson has λ.",
                "it takes {eigenvalues} for λ, as the lesson does; in this exercise they are √λ",
                given={
                    "eigenvalues": Change(
                        lambda v: v.sqrt(), lambda v: v**2, "{} ** 2", ("deviations", "spreads")
                    )
                },
                outdated="λ",
            ),
            Convention(
                "{variance} is σ itself, not σ².",
                "it takes {variance} for σ², as the lesson does; in this exercise it is σ",
                given={"variance": Change(lambda v: v**0.5, lambda v: v**2, "{} ** 2", ("sigma", "noise"))},
                outdated="σ",
            ),
        ),
    ),
    "best_sigma": Task(
        "how wide a Gaussian makes images most likely around x̂, one width for all pixels",
        ("The likelihood is largest where σ² is the mean of (x − x̂)² over images and pixels.",),
        (
            Convention(
                "The answer is log σ, where the lesson has σ.",
                "this is σ, as in the lesson; this exercise asks for log σ",
                answer=lambda right, _: right.log(),
                code="{}.log()",
                outdated="σ|log",
                linear=False,
            ),
            Convention(
                "The answer is the precision 1/σ², where the lesson has σ.",
                "this is σ, as in the lesson; this exercise asks for the precision 1/σ²",
                answer=lambda right, _: right**-2,
                code="{} ** -2",
                outdated="σ|½",
                linear=False,
            ),
            gray_levels("x_hat", "x"),
        ),
    ),
    "generate_images": Task(
        "generate, with a decoder of one layer",
        (
            "{eps} comes from the prior already: it is the code.",
            "The probability p of ink is the sigmoid of the decoder's logit, from {W} and {b}.",
            "Draw each pixel with its number of {u}. Return floats.",
        ),
        (
            other_chance("u"),
            threshold("b"),
            Convention(
                "The images are negatives: a pixel with ink is 0, and paper is 1.",
                "ink is 1 here, as in the lesson; in this exercise ink is 0 and paper is 1",
                answer=lambda right, _: 1 - right,
                code="1 - {}",
                outdated="way round|probability",
                linear=False,
            ),
        ),
    ),
    "aggregate_covariance": Task(
        "the covariance of q(z), from the codes of B images",
        (
            "The mean over the images of the variances, on the diagonal of a (d, d) matrix.",
            "The covariance of the means: subtract their mean, then the products, divided by B.",
            "Add the two.",
        ),
        (LOG_STD, VARIANCE, STD),
    ),
    "total_correlation": Task(
        "the total correlation of a Gaussian, from its covariance",
        (
            "The sum of the logarithms of the variances, which stand on the diagonal.",
            "Subtract the log-determinant (torch.logdet), and take half.",
        ),
        (
            BITS,
            BASE_10,
            Convention(
                "The answer is divided by the number of dimensions, d.",
                "this is for all dimensions, as in the lesson; this exercise asks for it divided by their number",
                answer=lambda right, given: right / len(given["covariance"]),
                code="{} / len({covariance})",
                outdated="averag|mean",
            ),
        ),
    ),
    "nearest": Task(
        "the nearest training image",
        (
            "The squared distance of each image of {x} from every image of {train}.",
            "The place in {train} of the one with the smallest, for each image of {x}.",
        ),
        (
            Convention(
                "The answer counts from 1: 1 is the first image of {train}.",
                "it counts from 0, as the lesson does; in this exercise the first image is 1",
                answer=lambda right, _: right + 1,
                code="{} + 1",
                outdated="smallest|these are",
            ),
            Convention(
                "The answer counts from the end: −1 is the last image of {train}, −2 the one before it.",
                "it counts from 0, as the lesson does; in this exercise from the end: the last image is −1",
                answer=lambda right, given: right - len(given["train"]),
                code="{} - len({train})",
                outdated="smallest|these are",
            ),
            Convention(
                "The answer is (B, N): for each image a row of zeros with a single 1, at the nearest image.",
                "this is the place of the image, as in the lesson; this exercise asks for a row of zeros and a 1",
                answer=lambda right, given: one_hot(right, len(given["train"])),
                code="torch.nn.functional.one_hot({}, len({train}))",
                shapes="{x} is (B, C, H, W), {train} is (N, C, H, W); the answer is (B, N)",
                outdated="smallest|these are|finds one|no difference",
                linear=False,
            ),
        ),
    ),
    "spherical_interpolation": Task(
        "a point of the arc between {a} and {b}",
        (
            "The cosine of the angle of each pair: the inner product over the product of the lengths.",
            "The angle: torch.acos.",
            "The two sines times the two codes, over the sine of the whole angle.",
        ),
        (
            Convention(
                "{t} goes backwards: 1 is {a}, and 0 is {b}.",
                "its {t} goes from the first code to the second, as in the lesson; in this exercise backwards",
                given={"t": Change(lambda v: 1 - v, lambda v: 1 - v, "1 - {}")},
                outdated=r"\bt\b",
            ),
            Convention(
                "{t} goes from 0 to 100, in percent of the way.",
                "its {t} goes from 0 to 1, as in the lesson; in this exercise it is in percent, from 0 to 100",
                given={"t": Change(lambda v: 100 * v, lambda v: v / 100, "{} / 100", ("percent", "share"))},
                shapes="{a} and {b} are (B, d), {t} is a number from 0 to 100; the answer is (B, d)",
                outdated=r"\bt\b",
            ),
        ),
    ),
    "direction": Task(
        "the direction of a factor, from the codes of N images",
        (
            "Subtract the means over the images from both.",
            "Add up the products, one sum for each dimension.",
            "Divide by the factor's sum of squares.",
        ),
        (
            Convention(
                "The answer is for a growth by one standard deviation of {factor} (torch.std), not by 1.",
                "this is for a growth by 1, as in the lesson; this exercise asks for one standard deviation",
                answer=lambda right, given: right * given["factor"].std(),
                code="{} * {factor}.std()",
                outdated="by 1|of 1|root|covariance",
            ),
            Convention(
                "The answer is the direction in which the factor gets smaller: for a growth by −1.",
                "this is the direction in which the factor grows, as in the lesson; here it gets smaller",
                answer=lambda right, _: -right,
                code="-{}",
                outdated="sign|grows",
            ),
        ),
    ),
    "agreement": Task(
        "the agreement of a factor's direction from few labels with the one from all",
        (
            "The direction of {factor} from the images {known} alone, and that from all images.",
            "The cosine of the angle between the two.",
        ),
        (
            percent("the cosine"),
            minus("minus the cosine, a loss"),
            Convention(
                "The answer is a distance, 1 minus the cosine: 0 where the two directions are the same.",
                "this is the cosine, as in the lesson; this exercise asks for 1 minus the cosine",
                answer=lambda right, _: 1 - right,
                code="1 - {}",
                outdated="1 minus|cosine|sign",
                linear=False,
            ),
        ),
    ),
    "mutual_information_gap": Task(
        "the mutual information gap, from I(z_j; f) and the entropy of each factor",
        (
            "Find the two largest values of each row (torch.topk).",
            "Subtract the second from the first, and divide by the entropy of the factor.",
        ),
        (
            percent("the gap"),
            Convention(
                "{entropy} is in bits, {information} in nats. Bring them to one unit: 1 bit is log 2 nats.",
                "it takes {entropy} in nats, as in the lesson; in this exercise it is in bits",
                given={
                    "entropy": Change(
                        lambda v: v / math.log(2),
                        lambda v: v * math.log(2),
                        "{} * math.log(2)",
                        ("h_bits", "H2"),
                    )
                },
                outdated="entropy",
            ),
        ),
    ),
    "importance_weighted_bound": Task(
        "the importance-weighted bound, from the logarithms of M weights for each image",
        (
            "Cut the M rows into groups of {K} neighboring rows.",
            "In each group, the logarithm of the mean weight, without leaving the log domain.",
            "Average over the groups. Gradients must pass to {log_w}.",
        ),
        (BITS, BASE_10, minus("minus the bound, a loss")),
    ),
    "normalized_weights": Task(
        "the shares, from the logarithms of K weights for each image",
        (
            "Each weight divided by the sum of its image's K weights.",
            "The weights themselves underflow: stay in the log domain as long as you can.",
        ),
        (
            turned("log_w", shapes="{log_w} is (B, K); the answer is (B, K)", answer=True),
            percent("the share"),
            Convention(
                "The answer is the logarithm of the shares.",
                "these are the shares, as in the lesson; this exercise asks for their logarithms",
                answer=lambda right, _: right.log(),
                code="{}.log()",
                outdated="log|add up|sum must",
                linear=False,
            ),
        ),
    ),
    "divergence_from_weights": Task(
        "an estimate of D_KL(q(z|x), p(z|x)) for each image, from the logarithms of M weights at draws from q",
        (
            "D6 says what is missing between the ELBO and log p(x).",
            "Estimate both from the same weights, without leaving the log domain.",
        ),
        (
            BITS,
            turned("log_w", shapes="{log_w} is (B, M); the answer is (B,)"),
            minus("minus the divergence"),
        ),
    ),
    "decoder_input": Task(
        "what a conditional decoder is given: a code and a label, for B images",
        (
            "Write each label as a row of 0s with a single 1 (torch.nn.functional.one_hot).",
            "Join it to the code, in the dtype of {z}. Gradients must pass to {z}.",
        ),
        (
            Convention(
                "Labels count from 1: {y} goes from 1 to {classes}.",
                "it counts labels from 0, as the lesson does; in this exercise they count from 1",
                given={"y": Change(lambda v: v + 1, lambda v: v - 1, "{} - 1")},
                outdated="from 0|label 0|too far|its number|up to",
            ),
            Convention(
                "The label stands before the code.",
                "the code comes first, as in the lesson; in this exercise the label does",
                answer=lambda right, given: right.roll(given["classes"], 1),
                code="{}.roll({classes}, 1)",
                outdated="before|goes first|behind",
                linear=False,
            ),
        ),
    ),
    "label_swap": Task(
        "another label, the same hand, by matrices",
        (
            "Encode {x} under its own label: a code, (B, d).",
            "Decode the code under the new label: images, (B, D).",
            "Gradients must pass to {x}, {A}, {W} and {C}.",
        ),
        (
            Convention(
                "The answer is the change: the new image minus {x}.",
                "this is the new image, as in the lesson; this exercise asks for the new image minus the old one",
                answer=lambda right, given: right - given["x"],
                code="{} - {x}",
                outdated="this is the change|returned as it is",
                linear=False,
            ),
            Convention(
                "Row k of {C} is the mean image of label k with its sign turned.",
                "it takes {C} for the mean images, as the lesson does; in this exercise their sign is turned",
                given={"C": Change(lambda v: -v, lambda v: -v, "-{}")},
                outdated="add|subtract|taken|take off|mean image",
            ),
        ),
    ),
    "label_posterior": Task(
        "Bayes' rule for labels, from log p(x|y) for K labels and B images, and log p(y)",
        (
            "Multiply likelihood and prior, in the log domain.",
            "For every image the probabilities of the labels add up to 1.",
            "Likelihoods underflow: do not take their exponentials. Gradients must pass to both.",
        ),
        (
            percent("the probability"),
            Convention(
                "{log_prior} is p(y) itself, not its logarithm.",
                "it takes {log_prior} for log p(y), as the lesson does; in this exercise it is p(y)",
                given={
                    "log_prior": Change(lambda v: v.exp(), lambda v: v.log(), "{}.log()", ("p_y", "prior"))
                },
                outdated="logarithm|log_prior|p\\(y\\)|log p",
            ),
        ),
    ),
    "overconfidence": Task(
        "how much more a classifier promises than it does, from p(y|x) of K labels and the true labels",
        (
            "The accuracy that it promises, if its own probabilities are right.",
            "The accuracy that it has: the share of images whose likeliest label is the true one.",
            "The first minus the second.",
        ),
        (
            percent("the difference"),
            Convention(
                "The answer is the accuracy that it has, minus the one that it promises.",
                "this is the promise minus the accuracy, as in the lesson; here it is the other way round",
                answer=lambda right, _: -right,
                code="-{}",
                outdated="sign|subtract|minus",
            ),
            Convention(
                "{p} is log p(y|x): a logarithm, not a probability.",
                "it takes {p} for probabilities, as the lesson does; in this exercise it is their logarithm",
                given={
                    "p": Change(lambda v: v.log(), lambda v: v.exp(), "{}.exp()", ("log_p", "log_belief"))
                },
                outdated=r"logarithm|softmax|\bp\b",
            ),
        ),
    ),
    "independent_pixels": Task(
        "log p(x) for B images, under independent Gaussian pixels, from N other images",
        (
            "Mean and variance of every pixel, over the images of {train}. The variance divides by N.",
            "A σ below its least value becomes that value, so that no variance is 0.",
            "Sum the log-densities of the pixels of each image of {x}. Gradients must pass to {x}.",
        ),
        (
            BITS,
            minus("−log p(x), a loss"),
            Convention(
                "{floor} is the smallest variance, σ²; the lesson's floor is the smallest σ.",
                "it takes {floor} for the smallest σ, as the lesson does; in this exercise it is the smallest variance",
                given={
                    "floor": Change(
                        lambda v: v**2, lambda v: v**0.5, "{} ** 0.5", ("min_variance", "least_variance")
                    )
                },
                outdated="floor",
            ),
        ),
    ),
    "bits_per_dimension": Task(
        "the bits that each pixel of an image needs, from log p(x) of B dequantized images",
        (
            "A pixel from 0 to 1 has {levels} levels, each 1 / {levels} wide; an image has {D} pixels.",
            "The probability of an image is the density times its volume, that of all its pixels.",
            "Take −log₂, and divide by the number of pixels. Gradients must pass to {log_p}.",
        ),
        (
            Convention(
                "The answer is in nats for each pixel. The lesson counts in bits, and 1 bit is log 2 nats.",
                "these are bits, as in the lesson; this exercise asks for nats",
                answer=lambda right, _: right * math.log(2),
                code="{} * math.log(2)",
                outdated=r"\bnats?\b|base|log 2|these are|bring",
                mistakes=(
                    (
                        lambda right, _: right / math.log(2),
                        "it divides by log 2; a bit is log 2 nats, less than one",
                    ),
                ),
            ),
            Convention(
                "{log_p} is −log p(x), a loss in nats: its sign is not the lesson's.",
                "it takes {log_p} for log p(x), as the lesson does; in this exercise it is a loss, −log p(x)",
                given={"log_p": Change(lambda v: -v, lambda v: -v, "-{}", ("loss", "nll"))},
                outdated="added|log_p",
            ),
            Convention(
                "The answer is the bits of a whole image, for which the lesson gives those of a pixel.",
                "these are the bits of a pixel, as in the lesson; this exercise asks for those of a whole image",
                answer=lambda right, given: right * given["D"],
                code="{} * {D}",
                outdated=r"whole image|\bD\b|one pixel",
            ),
        ),
    ),
    "bernoulli_limit": Task(
        "the most that log p(x|z) of a Bernoulli decoder can be, for B gray images",
        (
            "At every pixel the best probability of a 1 is the pixel itself.",
            "Its logarithm counts x times, that of the complement 1 − x times; 0 · log 0 is 0.",
            "Sum over all pixels and channels of each image.",
        ),
        (
            BITS,
            minus("minus the limit, the entropy"),
            gray_levels("x"),
        ),
    ),
    "best_epoch": Task(
        "the epoch whose model is kept, from the held-out loss after each of E epochs",
        (
            "Go through the epochs in order, and remember the best one so far.",
            "A loss that is equal to the best is no improvement.",
            "Stop as soon as {patience} epochs in a row have brought no improvement.",
        ),
        (
            Convention(
                "{losses} holds held-out ELBOs: larger is better.",
                "it takes the smallest of {losses} for the best, as the lesson does; in this exercise larger is better",
                given={"losses": Change(lambda v: -v, lambda v: -v, "-{}", ("elbos", "bounds"))},
                outdated="larg|small|lower|loss|rise|fall|first epoch;",
            ),
            Convention(
                "Epochs count from 1: the first is epoch 1.",
                "it counts epochs from 0, as the lesson does; in this exercise the first is epoch 1",
                answer=lambda right, _: right + 1,
                code="{} + 1",
                outdated="from 1|from 0|epoch 0|how many|too early|too late|this is the best loss|stays at|−1",
            ),
        ),
    ),
}
