"""Images in PCA's axes: an exact change of variables, in which noise that is independent fits better."""

from typing import NamedTuple

from torch import Tensor

from vae_edu.engine.arguments import positive_number
from vae_edu.linear import principal_components

SPREAD = 8.0  # standard deviations that the range from 0 to 1 holds
LEAST = 1e-3  # of a standard deviation, in gray levels: about that of the noise of dequantization


class PrincipalAxes(NamedTuple):
    """y = ½ + diag(s)⁻¹ Uᵀ (x − m), with the eigenvectors U of the images' covariance; invertible.

    A density moves along: log p(x) = log p(y) + log abs det ∂y/∂x = log p(y) − Σᵢ log sᵢ. So a model of y
    is a model of x, in nats that can be compared. A decoder whose noise is independent from axis to axis of y
    has noise along the images' own axes in x, and with one σ for all of them the images' own covariance.
    Pixels with independent noise cannot have that.

    Attributes:
        mean: m, the mean image, (C, H, W), float64.
        axes: U, a column for each axis, (D, D).
        scale: sᵢ, `SPREAD` standard deviations of the images along each axis, (D,).
    """

    mean: Tensor
    axes: Tensor
    scale: Tensor

    @classmethod
    def fit(cls, x: Tensor, least: float = LEAST) -> "PrincipalAxes":
        """The axes of images x (N, C, H, W).

        Args:
            x: Images.
            least: A standard deviation is never below it, so that axes along which images do not differ can
                be inverted, too.

        Raises:
            ValueError: If there are fewer than two images, or values that are not finite.
        """
        least = positive_number("least", least, "0.001")
        if len(x) < 2 or not x.isfinite().all():
            raise ValueError("give two images or more, with no NaN or infinity in them.")
        mean, values, axes = principal_components(x)
        deviations = values.clamp(min=0).sqrt().clamp(min=least)
        return cls(mean.reshape(x.shape[1:]), axes, SPREAD * deviations)

    def into(self, x: Tensor) -> Tensor:
        """y of images x (…, C, H, W): of the same shape and dtype, most of it in [0, 1]."""
        flat = (x.double() - self.mean).flatten(-3) @ self.axes / self.scale
        return (flat + 0.5).unflatten(-1, self.mean.shape).to(x.dtype)

    def back(self, y: Tensor) -> Tensor:
        """The images x of y, of the same shape and dtype."""
        flat = (y.double().flatten(-3) - 0.5) * self.scale @ self.axes.T
        return (flat.unflatten(-1, self.mean.shape) + self.mean).to(y.dtype)

    @property
    def log_det(self) -> Tensor:
        """log abs det ∂y/∂x = −Σᵢ log sᵢ, (), in nats: to be added to log p(y)."""
        return -self.scale.log().sum()
