"""The exercises of lesson 01: Autoencoders."""

import torch

from vae_edu import autoencoder
from vae_edu.exercises.exercise import Exercise

EXERCISES = {
    "l2_loss": Exercise(
        autoencoder.l2_loss,
        "x_hat and x are (B, C, H, W); the answer is (B,)",
        lambda B, D, d: {"x_hat": torch.rand(B, 1, D, D), "x": torch.rand(B, 1, D, D)},
        [
            ("((x_hat - x)**2).flatten(1).mean(1)", "it averages over the pixels; L1 sums over them"),
            ("((x_hat - x)**2).sum()", "it sums over the images too; keep one value an image, (B,)"),
            (
                "((x_hat - x)**2).mean()",
                "it averages over images and pixels; sum over the pixels of each image",
            ),
            (
                "((x_hat - x)**2).flatten(1).sum(1).mean()",
                "it averages over the images; keep one value each, (B,)",
            ),
            ("((x_hat - x)**2).flatten(1).sum(0)", "it sums over the images; sum over the pixels instead"),
            ("((x_hat - x)**2).flatten(1).sum(1).sqrt()", "it is the norm ‖x̂ − x‖; L1 wants its square"),
            ("((x_hat - x)**2).flatten(1).sum(1) / 2", "it has a factor ½ that L1 has not"),
            ("(x_hat - x).abs().flatten(1).sum(1)", "it adds up absolute values; L1 squares each difference"),
            ("(x_hat - x).flatten(1).sum(1)", "it adds up the differences without squaring them"),
            ("(x_hat - x).flatten(1).sum(1)**2", "it squares the sum; square every difference, then sum"),
        ],
        extreme=lambda x_hat, x: {"x_hat": 1000 * x_hat},
    ),
    "linear_sigmoid_encoder": Exercise(
        lambda x, W, b: torch.sigmoid(x.flatten(1) @ W.T + b),
        "x is (B, C, H, W) and becomes (B, D), W is (d, D), b is (d,); the answer is (B, d)",
        lambda B, D, d: {"x": torch.rand(B, 1, D, D), "W": torch.randn(d, D * D) / D, "b": torch.randn(d)},
        [
            ("x.flatten(1) @ W.T + b", "the non-linearity is missing: put the sigmoid around W x + b"),
            ("torch.sigmoid(x.flatten(1) @ W.T)", "the bias b is missing"),
            ("torch.sigmoid(x.flatten(1) @ W.T) + b", "b is added after the sigmoid; it belongs inside"),
            ("torch.sigmoid(x.flatten(1) @ W.T - b)", "b is subtracted; add it"),
            ("torch.relu(x.flatten(1) @ W.T + b)", "this is a ReLU; the first generation uses the sigmoid"),
            ("torch.tanh(x.flatten(1) @ W.T + b)", "this is a tanh; the first generation uses the sigmoid"),
            (
                "torch.softmax(x.flatten(1) @ W.T + b, 1)",
                "this is a softmax; the sigmoid takes each feature alone",
            ),
            ("torch.sigmoid(-(x.flatten(1) @ W.T + b))", "the sign inside the sigmoid is flipped"),
            (
                "torch.sigmoid(x.flatten(1)) @ W.T + b",
                "the sigmoid is on the image; it belongs around W x + b",
            ),
        ],
        extreme=lambda x, W, b: {"W": 100 * W},
    ),
    "deep_encoder": Exercise(
        lambda x, W1, b1, W2, b2: torch.relu(x.flatten(1) @ W1.T + b1) @ W2.T + b2,
        "x becomes (B, D), W1 is (hidden, D), W2 is (d, hidden); the answer is (B, d)",
        lambda B, D, d: {
            "x": torch.rand(B, 1, D, D),
            "W1": torch.randn(4 * d, D * D) / D,
            "b1": torch.randn(4 * d),
            "W2": torch.randn(d, 4 * d),
            "b2": torch.randn(d),
        },
        [
            (
                "(x.flatten(1) @ W1.T + b1) @ W2.T + b2",
                "the ReLU between the layers is missing; two linear layers are one linear layer",
            ),
            (
                "torch.relu(torch.relu(x.flatten(1) @ W1.T + b1) @ W2.T + b2)",
                "there is a ReLU after the last layer too; features may be negative",
            ),
            (
                "torch.relu((x.flatten(1) @ W1.T + b1) @ W2.T + b2)",
                "the ReLU stands after the last layer; put it between the two",
            ),
            (
                "torch.sigmoid(x.flatten(1) @ W1.T + b1) @ W2.T + b2",
                "this is a sigmoid; use the ReLU, max(0, h)",
            ),
            ("torch.tanh(x.flatten(1) @ W1.T + b1) @ W2.T + b2", "this is a tanh; use the ReLU, max(0, h)"),
            (
                "(torch.relu(x.flatten(1) @ W1.T) + b1) @ W2.T + b2",
                "b1 is added after the ReLU; it belongs inside",
            ),
            ("torch.relu(x.flatten(1) @ W1.T) @ W2.T", "the biases b1 and b2 are missing"),
            ("torch.relu(x.flatten(1) @ W1.T) @ W2.T + b2", "the bias b1 is missing"),
            ("torch.relu(x.flatten(1) @ W1.T + b1) @ W2.T", "the bias b2 is missing"),
        ],
        extreme=lambda x, W1, b1, W2, b2: {"W1": 100 * W1},
    ),
    "pca_reconstruction": Exercise(
        lambda x, mean, V: mean + (x - mean) @ V @ V.T,
        "x is (B, D), mean is (D,), V is (D, d); the answer is (B, D)",
        lambda B, D, d: {
            "x": torch.rand(B, D),
            "mean": torch.rand(D),
            "V": torch.linalg.qr(torch.randn(D, d)).Q,
        },
        [
            ("x @ V @ V.T", "the mean is missing: subtract it before V, and add it again at the end"),
            ("(x - mean) @ V @ V.T", "the mean is not added again at the end"),
            ("mean + x @ V @ V.T", "the mean is not subtracted before the projection"),
            ("(x - mean) @ V", "these are the features z; the decoder V z + m is missing"),
            (
                "x.mean(0) + (x - x.mean(0)) @ V @ V.T",
                "it takes the mean of the few images in x; use the mean that is given, that of all training images",
            ),
            ("(x - mean) @ V @ V.T - mean", "the mean is subtracted again at the end; add it"),
            ("mean + (x + mean) @ V @ V.T", "the mean is added before the projection; subtract it"),
            ("x - (x - mean) @ V @ V.T", "this is what PCA leaves out of the image; give what it keeps"),
            ("x * 1", "it gives back the image itself; nothing went through the features"),
            ("mean - (x - mean) @ V @ V.T", "the sign of the projection is flipped"),
        ],
        extreme=lambda x, mean, V: {"x": 1000 * x},
    ),
    "stretch": Exercise(
        lambda W, b, V, c, k: (k * W, k * b, V / k, c),
        "W is (d, D), b is (d,), V is (D, d), c is (D,), k is a number; the answer is a new W, b, V, c",
        lambda B, D, d: {
            "W": torch.randn(d, D),
            "b": torch.randn(d),
            "V": torch.randn(D, d),
            "c": torch.randn(D),
            "k": float(B),
        },
        [
            ("(k * W, b, V / k, c)", "b stays as it was; the whole code W x + b has to grow"),
            ("(k * W, k * b, V, c)", "V stays as it was, so the drawings grow with the codes"),
            ("(W, b, V / k, c)", "the codes do not grow; W and b make them"),
            ("(k * W, k * b, k * V, c)", "V grows too; it has to make up for the larger codes"),
            ("(k * W, k * b, V / k, c / k)", "c shrinks too; it never meets the codes"),
            ("(k * W, b, V / k, c / k)", "b has to grow, and c must stay"),
            ("(W / k, b / k, V * k, c)", "the codes shrink; make them k times as large"),
            ("(W, b, V, c)", "nothing has changed; make the codes k times as large"),
        ],
    ),
}
