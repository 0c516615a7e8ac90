"""An oracle: the linear-Gaussian model, whose integral and posterior are known in closed form."""

import torch
from torch import Tensor
from torch.distributions import Independent, LowRankMultivariateNormal, MultivariateNormal

from vae_edu.engine.arguments import positive_number, whole_number
from vae_edu.engine.precision import check_precision
from vae_edu.gaussian import diagonal_gaussian


def principal_components(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """PCA: the mean, and the eigenvalues and eigenvectors of the covariance, the largest first (float64).

    Args:
        x: Images (N, …), of D pixels.

    Returns:
        m (D,), λ (D,) and U (D, D), a column for each eigenvector.
    """
    flat = x.flatten(1).double()
    mean = flat.mean(0)
    values, vectors = torch.linalg.eigh((flat - mean).T @ (flat - mean) / len(flat))  # ascending
    return mean, values.flip(0), vectors.flip(1)


class LinearGaussian:
    """x = W z + b + σ ε with z ∼ N(0, I) and ε ∼ N(0, I): a VAE with a linear decoder (float64).

    p(x) = N(b, W Wᵀ + σ² I) and p(z|x) = N(M⁻¹ Wᵀ (x − b), σ² M⁻¹), with M = Wᵀ W + σ² I
    (Tipping & Bishop 1999, "Probabilistic principal component analysis"). It has what a `VAE` has, so every
    function of the maths runs on it too and can be compared with the truth.

    Args:
        W: (pixels, latent_dim).
        b: The mean image, of any shape with that many pixels.
        sigma: Above 0.

    Raises:
        ValueError: Shapes that do not fit, or numbers that are not finite.
    """

    def __init__(self, W: Tensor, b: Tensor, sigma: float | Tensor):
        W, b = W.double(), b.double()
        sigma = torch.as_tensor(sigma, dtype=torch.float64, device=W.device)
        if W.dim() != 2 or len(W) != b.numel():
            raise ValueError(
                f"W is {tuple(W.shape)}: it needs one row for each of the {b.numel()} pixels of b."
            )
        if not sigma > 0 or not (W.isfinite().all() and b.isfinite().all() and sigma.isfinite()):
            raise ValueError(f"W and b must be finite, and sigma above 0; sigma = {sigma.item():g}.")
        self.W, self.b, self.sigma, self.latent_dim = W, b, sigma, W.shape[1]

    @classmethod
    def fit(cls, x: Tensor, latent_dim: int, sigma: float | None = None) -> "LinearGaussian":
        """The maximum-likelihood W, b, σ for images x (N, …), in closed form (Tipping & Bishop 1999).

        b is the mean image. With the eigenvalues λ₁ ≥ λ₂ ≥ … and eigenvectors U of the covariance, σ² is the
        mean of the eigenvalues that are left out, and W = U (Λ − σ² I)^½ of the first latent_dim. With σ
        given, a column whose λ lies below σ² is 0, and its dimension has collapsed; the others cost
        E_x[D_KL(p(zⱼ|x), p(zⱼ))] = ½ log(λⱼ/σ²) (Lucas, Tucker, Grosse & Norouzi 2019).

        Args:
            x: Images (N, …).
            latent_dim: The dimensions of z.
            sigma: A fixed σ, above 0. Default: the most likely one.

        Raises:
            ValueError: Nothing is left out, so that σ would be 0 and the likelihood infinite, or x holds no
                images, NaN or infinity.
        """
        check_precision(None, x)
        latent_dim, pixels = whole_number("latent_dim", latent_dim, 1), x.flatten(1).shape[1]
        if latent_dim >= pixels:
            raise ValueError(f"latent_dim = {latent_dim} must lie below the {pixels} pixels of an image.")
        if not len(x) or not x.isfinite().all():
            raise ValueError("x must hold images, with no NaN or infinity in them.")
        mean, values, vectors = principal_components(x)
        variance = values[latent_dim:].mean()
        if sigma is not None:
            variance = variance.new_tensor(positive_number("sigma", sigma, "0.1") ** 2)
        elif not variance > 1e-12 * values[0]:
            raise ValueError(
                f"latent_dim = {latent_dim} explains these images completely and leaves no noise: "
                "lower latent_dim, or give more images."
            )
        W = vectors[:, :latent_dim] * (values[:latent_dim] - variance).clamp(min=0).sqrt()
        return cls(W, mean.reshape(x.shape[1:]), variance.sqrt())

    def prior(self) -> Independent:
        """p(z) = N(0, I)."""
        zero = torch.zeros(self.latent_dim).to(self.b)
        return diagonal_gaussian(zero, zero)

    def encode(self, x: Tensor) -> MultivariateNormal:
        """The exact posterior p(z|x); a VAE has only an approximation. x: ``(…, *b.shape)``."""
        M = self.W.T @ self.W + self.sigma**2 * torch.eye(self.latent_dim).to(self.W)
        mean = (x.double() - self.b).flatten(x.dim() - self.b.dim()) @ torch.linalg.solve(M, self.W.T).T
        return MultivariateNormal(mean, precision_matrix=M / self.sigma**2)

    def decode(self, z: Tensor) -> Independent:
        """p(x|z) = N(W z + b, σ² I). z: (…, latent_dim); a draw is ``(…, *b.shape)``."""
        mean = (z.to(self.W) @ self.W.T).unflatten(-1, self.b.shape) + self.b
        return diagonal_gaussian(mean, (2 * self.sigma.log()).expand_as(mean), self.b.dim())

    def log_joint(self, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) = log p(x|z) + log p(z), in nats per image."""
        return self.decode(z).log_prob(x) + self.prior().log_prob(z)

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x), the integral L2 in closed form, in nats per image. x: ``(…, *b.shape)``."""
        marginal = LowRankMultivariateNormal(self.b.flatten(), self.W, (self.sigma**2).expand(self.b.numel()))
        return marginal.log_prob(x.double().flatten(x.dim() - self.b.dim()))
