"""Autoencoders: the loss against NumPy's norm, PCA against an SVD, the linear autoencoder against PCA."""

import numpy as np
import pytest
import torch

import vae_edu
from vae_edu.autoencoder import cnn, deep, l2_loss, linear, linear_sigmoid, pca, reconstruction_loss
from vae_edu.data import load_images
from vae_edu.train import evaluate, fit

DEVICE = vae_edu.device()


def test_l2_loss_is_the_squared_norm():
    x_hat, x = torch.randn(2, 5, 3, 4, 4)
    right = [np.linalg.norm((a - b).flatten()) ** 2 for a, b in zip(x_hat.numpy(), x.numpy(), strict=True)]
    assert l2_loss(x_hat, x).numpy() == pytest.approx(np.array(right), rel=1e-5)
    with pytest.raises(ValueError, match="one shape"):
        l2_loss(x_hat[:, 0], x)


@pytest.mark.parametrize("make", [linear, linear_sigmoid, deep, cnn])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 9, 7)])
def test_every_generation_fits_any_image(make, shape):
    model, x = make(shape, 5), torch.rand(4, *shape, device=DEVICE)
    assert next(model.parameters()).device.type == DEVICE.type
    assert model.encoder(x).shape == (4, 5)
    assert model(x).shape == x.shape
    assert reconstruction_loss(model, x).shape == (4,)
    assert torch.equal(reconstruction_loss(model, x), l2_loss(model.decoder(model.encoder(x)), x))


def test_the_first_generation_is_its_equation():
    model, x = linear_sigmoid((1, 4, 4), 3), torch.rand(6, 1, 4, 4, device=DEVICE)
    W, b, V, c = (parameter.detach() for parameter in model.parameters())
    z = 1 / (1 + torch.exp(-(x.reshape(6, 16) @ W.T + b)))
    assert torch.allclose(model.encoder(x), z, atol=1e-6)
    assert torch.allclose(model(x).reshape(6, 16), z @ V.T + c, atol=1e-6)


def test_only_the_linear_one_is_linear():
    x = torch.rand(2, 1, 8, 8, device=DEVICE)
    middle = x.mean(0, keepdim=True)

    def bend(model):
        return (model(x).mean(0, keepdim=True) - model(middle)).abs().max().item()

    assert bend(linear((1, 8, 8), 3)) < 1e-6
    for make in (linear_sigmoid, deep, cnn):
        assert bend(make((1, 8, 8), 3)) > 1e-6


def test_pca_is_the_truncated_svd():
    x = torch.randn(50, 1, 4, 5, device=DEVICE) @ torch.randn(5, 5, device=DEVICE)
    flat = x.flatten(1).cpu().double().numpy()
    mean = flat.mean(0)
    U, S, Vt = np.linalg.svd(flat - mean, full_matrices=False)
    for d in (1, 3, 20):
        best = (U[:, :d] * S[:d]) @ Vt[:d] + mean
        model = pca(x, d)
        assert model(x).flatten(1).detach().cpu().numpy() == pytest.approx(best, abs=1e-4)
        assert evaluate(model, reconstruction_loss, x) == pytest.approx((S[d:] ** 2).sum() / 50, abs=1e-3)
    assert pca(x, 3).encoder(x).T.cov().diag().diff().max() <= 0  # the largest direction first
    for d in (0, 21):
        with pytest.raises(ValueError, match="between 1 and the 20 pixels"):
            pca(x, d)


def test_a_trained_linear_autoencoder_reaches_pca():
    torch.manual_seed(0)
    x = (torch.randn(400, 4) @ torch.randn(4, 12) + 0.1 * torch.randn(400, 12)).reshape(400, 1, 3, 4)
    x = x.to(DEVICE)
    model, best = linear((1, 3, 4), 2), evaluate(pca(x, 2), reconstruction_loss, x)
    fit(model, reconstruction_loss, x, epochs=150, batch_size=100, lr=1e-2)
    error = evaluate(model, reconstruction_loss, x)
    assert best <= error < 1.02 * best


def test_the_generations_improve_on_each_other():
    train, test = load_images("strokes", n=3000), load_images("strokes", "test", n=500)
    errors = []
    for make in (linear_sigmoid, deep):
        torch.manual_seed(0)
        model = make((1, 28, 28), 16)
        fit(model, reconstruction_loss, train.x, epochs=6, lr=3e-3)
        errors.append(evaluate(model, reconstruction_loss, test.x))
    smudge = l2_loss(train.x.mean(0, keepdim=True).expand_as(test.x), test.x).mean().item()
    assert errors[1] < 0.6 * errors[0] < 0.6 * smudge
