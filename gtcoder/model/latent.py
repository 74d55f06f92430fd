"""The full-covariance Gaussian mixture that z is drawn from, and one EM step as map and reduce.

Shapes: B rows, G components, Z latent.
"""

import math

import torch
from torch import Tensor, nn


class LatentMixture(nn.Module):
    """A mixture of G Gaussians with full covariance, fixed between EM steps.

    NOTE[DIFF]: the paper draws z from Eq. 8's mixture of categories, which is not where its
    encoder puts the rows. This one is fitted to where it does, and becomes the prior of Eq. 9.

    Kept as weights (G,), means (G, Z), Cholesky factors (G, Z, Z) of the covariances and their
    inverses, so that drawing is one matrix product and the density another.
    """

    weights: Tensor
    means: Tensor
    cholesky: Tensor
    whitening: Tensor

    def __init__(self, components: int, latent: int) -> None:
        super().__init__()
        eye = torch.eye(latent).expand(components, latent, latent).clone()
        self.register_buffer("weights", torch.full((components,), 1 / components))
        self.register_buffer("means", torch.zeros(components, latent))
        self.register_buffer("cholesky", eye)
        self.register_buffer("whitening", eye.clone(), persistent=False)

    def resize(self, weights: Tensor, means: Tensor, cholesky: Tensor) -> None:
        """Become another mixture, of any number of components."""
        self.weights, self.means, self.cholesky = weights, means, cholesky
        self.refresh()

    def refresh(self) -> None:
        """Recompute what is derived, after the factors changed or were loaded."""
        eye = torch.eye(self.means.shape[1], device=self.means.device)
        self.whitening = torch.linalg.solve_triangular(
            self.cholesky, eye.expand_as(self.cholesky), upper=False
        )

    def joint_log_prob(self, z: Tensor) -> Tensor:
        """log p(z, component) = log w_g − ½ |L_g⁻¹(z − μ_g)|² − log det L_g − Z/2 · log 2π, (B, G).

        In float32 whatever the surroundings: in bfloat16 it is off by up to a tenth of a nat.
        """
        with torch.autocast(z.device.type, enabled=False):
            return self._joint_log_prob(z.float())

    def _joint_log_prob(self, z: Tensor) -> Tensor:
        components, latent = self.means.shape
        flat = self.whitening.permute(2, 0, 1).reshape(latent, components * latent)
        shift = torch.einsum("gij,gj->gi", self.whitening, self.means).reshape(-1)
        white = torch.addmm(-shift, z, flat).view(len(z), components, latent)  # (B, G, Z)
        logdet = self.cholesky.diagonal(dim1=1, dim2=2).log().sum(1)
        constant = (
            self.weights.clamp_min(1e-30).log() - logdet - 0.5 * latent * math.log(2 * math.pi)
        )
        return constant - 0.5 * white.square().sum(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        """log p(z), (B,)."""
        return self.joint_log_prob(z).logsumexp(1)

    def moments(self, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The map of EM: N_g (G,), Σz (G, Z) and Σzzᵀ (G, Z, Z) of rows' draws (B, Z).

        Each row counts for a component by its responsibility r_bg = p(g | z_b): N_g = Σ_b r_bg,
        Σz = Σ_b r_bg z_b, Σzzᵀ = Σ_b r_bg z_b z_bᵀ.
        """
        responsibility = self.joint_log_prob(z).softmax(1)  # (B, G)
        components, latent = self.means.shape
        outer = (z.unsqueeze(2) * z.unsqueeze(1)).flatten(1)  # (B, Z·Z)
        second = (responsibility.T @ outer).view(components, latent, latent)
        return responsibility.sum(0), responsibility.T @ z, second

    def update(self, count: Tensor, first: Tensor, second: Tensor, ridge: float) -> None:
        """The reduce of EM, from summed moments in float64.

        π_g = N_g / N, μ_g = Σz_g / N_g, S_g = Σzzᵀ_g − N_g μ_g μ_gᵀ, and
        C_g = (S_g + (Z + 1) Σ_h S_h / N) / (N_g + Z + 1) + ridge · I: each covariance is shrunk
        towards the pooled within-component one as if `Z + 1` rows of it had been seen, so that a
        component of few rows does not collapse onto them or reveal one.
        """
        latent = self.means.shape[1]
        total = count.sum()
        means = first / count.clamp_min(1e-8).unsqueeze(1)
        scatter = second - torch.einsum("g,gi,gj->gij", count, means, means)
        pooled = scatter.sum(0) / total
        strength = latent + 1
        covariance = (scatter + strength * pooled) / (count + strength).view(-1, 1, 1)
        covariance = covariance + ridge * torch.eye(
            latent, dtype=covariance.dtype, device=count.device
        )
        self.weights = (count / total).float()
        self.means = means.float()
        self.cholesky = torch.linalg.cholesky(covariance).float()
        self.refresh()
