"""Networks: right shapes for any image, and the layers that the docstrings promise."""

import pytest
import torch
from torch import nn

from vae_edu.networks import conv_decoder, conv_encoder, mlp, start_at_mean


def test_mlp_is_its_equation():
    network = mlp([3, 5, 2]).double()
    x = torch.randn(7, 4, 3, dtype=torch.float64)  # any leading dimensions
    W1, b1, W2, b2 = network.parameters()
    right = torch.einsum("oh,...h->...o", W2, torch.einsum("hi,...i->...h", W1, x).add(b1).clamp(min=0)) + b2
    assert torch.allclose(network(x), right)
    with torch.no_grad():
        b2.fill_(-100.0)
    assert network(x).max() < 0  # no activation at the end
    assert isinstance(mlp([3, 5, 2], nn.Tanh)[1], nn.Tanh)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 14, 14), (1, 9, 13), (2, 5, 4), (1, 3, 3), (1, 1, 1)])
@pytest.mark.parametrize("channels", [(4,), (4, 6), (4, 6, 8)])
def test_convolutions_fit_any_image(shape, channels):
    x = torch.rand(5, *shape)
    z = conv_encoder(shape, 7, channels)(x)
    assert z.shape == (5, 7)
    assert conv_decoder(7, shape, channels[::-1])(z).shape == x.shape


def test_convolutions_halve_the_image():
    encoder = conv_encoder((1, 28, 28), 16)
    assert encoder[:2](torch.zeros(1, 1, 28, 28)).shape == (1, 16, 14, 14)
    assert encoder[:4](torch.zeros(1, 1, 28, 28)).shape == (1, 32, 7, 7)


def test_every_weight_of_the_cnn_matters():
    encoder, decoder = conv_encoder((1, 12, 10), 6), conv_decoder(6, (1, 12, 10))
    decoder(encoder(torch.rand(4, 1, 12, 10))).square().sum().backward()
    for parameter in [*encoder.parameters(), *decoder.parameters()]:
        assert parameter.grad.abs().sum() > 0


def test_a_decoder_starts_at_the_mean_image():
    x = torch.rand(300, 1, 2, 3) * torch.tensor([[[0, 0.1, 0.5], [0.9, 1, 0.3]]])
    for decoder in (mlp([4, 5, 6]), nn.Sequential(mlp([4, 5, 6]), nn.Unflatten(1, (1, 2, 3)))):
        before = [parameter.clone() for parameter in decoder.parameters()][:-1]
        start_at_mean(decoder, x)
        *after, bias = decoder.parameters()
        assert all(map(torch.equal, before, after))
        torch.testing.assert_close(bias.sigmoid(), x.mean(0).flatten().clamp(0.001, 0.999))
        with torch.no_grad():
            after[-1].zero_()
        logits = decoder(torch.randn(1, 4)).flatten(1)
        assert torch.allclose(logits, bias)


@pytest.mark.parametrize(
    "decoder", [conv_decoder(4, (1, 2, 3)), mlp([4, 5]), nn.Sequential(nn.Linear(4, 6, bias=False))]
)
def test_a_decoder_that_ends_otherwise_cannot(decoder):
    with pytest.raises(ValueError, match="must end in a linear layer with a bias and 6 outputs"):
        start_at_mean(decoder, torch.rand(2, 1, 2, 3))
