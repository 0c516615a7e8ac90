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
    "cnn_layer": Exercise(
        lambda x, K, b: torch.relu(torch.conv2d(x, K, b, stride=2, padding=1)),
        "x is (B, C, H, W), K is (channels, C, 3, 3), b is (channels,); the answer is (B, channels, H/2, W/2)",
        lambda B, D, d: {
            "x": torch.randn(B, 2, D, D),
            "K": torch.randn(d, 2, 3, 3),
            "b": torch.randn(d),
        },
        [
            (
                "torch.conv2d(x, K, b, stride=2, padding=1)",
                "the ReLU is missing; without it the layers of a CNN are one linear layer",
            ),
            (
                "torch.relu(torch.conv2d(x, K, b, padding=1))",
                "it puts the kernel at every pixel; a stride of 2 halves height and width",
            ),
            (
                "torch.relu(torch.conv2d(x, K, b, stride=2))",
                "the rim of the image is lost: pad it with one row and column of zeros on each side",
            ),
            ("torch.relu(torch.conv2d(x, K, None, stride=2, padding=1))", "the bias b is missing"),
            (
                "torch.relu(torch.conv2d(x, K, None, stride=2, padding=1)) + b[:, None, None]",
                "b is added after the ReLU; it belongs inside",
            ),
            (
                "torch.sigmoid(torch.conv2d(x, K, b, stride=2, padding=1))",
                "this is a sigmoid; the third generation uses the ReLU, max(0, h)",
            ),
            (
                "torch.tanh(torch.conv2d(x, K, b, stride=2, padding=1))",
                "this is a tanh; the third generation uses the ReLU, max(0, h)",
            ),
            (
                "torch.max_pool2d(torch.relu(torch.conv2d(x, K, b, padding=1)), 2, ceil_mode=True)",
                "it keeps the largest of every four places (pooling); take a step of two pixels instead",
            ),
            (
                "torch.conv2d(torch.relu(x), K, b, stride=2, padding=1)",
                "the ReLU is on the image; it belongs around the convolution",
            ),
            (
                "torch.relu(torch.conv2d(x, K.flip(2, 3), b, stride=2, padding=1))",
                "the kernel is turned round; networks leave it as it is",
            ),
            (
                "torch.relu(torch.conv2d(x, K, b, stride=2, padding=1)).flatten(1)",
                "it is laid out flat; the next convolution wants an image, (B, channels, height, width)",
            ),
        ],
        extreme=lambda x, K, b: {"x": 1000 * x},
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
}
