"""Eq. 13, GTCoder: what a step brings down, and what a validation is judged by."""

import torch
from torch import Tensor

from gtcoder.config import TrainingConfig
from gtcoder.model.gtcoder import Losses
from gtcoder.training import distributed


def objective(losses: Losses, config: TrainingConfig, *, fitted: bool) -> Tensor:
    """λ3 · RE + λ1 · max(KL_label, f) + λm · max(KL_mixture, f) + λ2 · CL, ().

    Args:
        losses: of one worker's part of the batch.
        config: the weights λ and the floor f in nats (free bits).
        fitted: whether the latent mixture is fitted; λ1 is `kl_warm` before and `kl_label` after.

    The floor is compared with the mean over all workers' rows: with each worker's own mean the
    objective would depend on how many workers share a batch.
    """
    kl = torch.stack([losses.kl_label, losses.kl_mixture])  # (2,)
    over = distributed.mean(kl.detach()) > config.rate_floor
    kl_label, kl_mixture = torch.where(over, kl, torch.full_like(kl, config.rate_floor))
    eq13 = _weighted(losses._replace(kl_label=kl_label, kl_mixture=kl_mixture), config, fitted)
    return eq13 + config.reconstruction * config.asked_share * losses.conditional


def criterion(losses: Losses, config: TrainingConfig, *, fitted: bool, elbo: bool) -> Tensor:
    """What held-out rows are scored by, (): −ELBO = RE + KL, or Eq. 13 without the floor.

    Args:
        losses: of held-out rows.
        config: the weights.
        fitted: whether the KL is that to the latent mixture.
        elbo: the default preset trains −ELBO and is judged by it; the paper's preset weighs the
            terms of Eq. 13 by its λ and is judged by the same sum.
    """
    if elbo:
        return losses.reconstruction + (losses.kl_mixture if fitted else losses.kl_label)
    return _weighted(losses, config, fitted)


def _weighted(losses: Losses, config: TrainingConfig, fitted: bool) -> Tensor:
    return (
        config.reconstruction * losses.reconstruction
        + (config.kl_label if fitted else config.kl_warm) * losses.kl_label
        + config.kl_mixture * losses.kl_mixture
        + config.contrastive * losses.contrastive
    )
