"""The methods that are compared, by name: the baselines, and GTCoder's presets and ablations."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import pandas as pd
import pyarrow as pa

from gtcoder.errors import ConfigError
from gtcoder.paper.baselines.bi_discriminator import BiDiscriminatorGAN
from gtcoder.paper.baselines.ctgan import CTGAN
from gtcoder.paper.baselines.gmvae import GMVAE
from gtcoder.paper.baselines.identity import Identity
from gtcoder.paper.baselines.lvae import LVAE
from gtcoder.paper.baselines.tvae import TVAE
from gtcoder.paper.baselines.wgan import WGAN
from gtcoder.synthesizer import Synthesizer

BASELINES = {
    "ctgan": CTGAN,
    "bi-gan": BiDiscriminatorGAN,
    "wgan": WGAN,
    "tvae": TVAE,
    "lvae": LVAE,
    "gmvae": GMVAE,
}
CTGAN_ROWS = 500
"""Of each of CTGAN's steps, as in its paper, however small the batch of the others."""
OURS = {"gtcoder-paper": "paper", "gtcoder": "default"}
"""GTCoder by the preset it is trained with."""
TITLES = {
    "identity": "Identity",
    "ctgan": "CTGAN",
    "bi-gan": "Bi-discriminator GAN",
    "wgan": "WGAN",
    "tvae": "TVAE",
    "lvae": "LVAE",
    "gmvae": "GMVAE",
    "gtcoder-paper": "GTCoder, paper preset",
    "gtcoder": "GTCoder, default",
}
"""The methods of Table 1 in its order, as tables call them."""


@dataclass(frozen=True, slots=True)
class Ablation:
    """One row of Table 3: which parts are there."""

    contrastive: bool
    prior: bool
    fusion: bool

    def of(self, method: str) -> str:
        """The name of a GTCoder that has these parts."""
        parts = {"cl": self.contrastive, "prior": self.prior, "tft": self.fusion}
        named = "+".join(name for name, there in parts.items() if there) or "none"
        return method if all(parts.values()) else f"{method}:{named}"

    def to_options(self) -> dict[str, bool]:
        """As `Synthesizer` takes them."""
        return {
            "contrastive": self.contrastive,
            "mixture_prior": self.prior,
            "fusion": self.fusion,
        }


ABLATIONS = (
    Ablation(False, False, False),
    Ablation(False, True, False),
    Ablation(False, False, True),
    Ablation(False, True, True),
    Ablation(True, True, True),
)
"""In the order of Table 3."""


class Method(Protocol):
    """What every method can do."""

    def fit(self, table: pd.DataFrame | pa.Table) -> Self:
        """Learn a table."""

    def sample(self, n: int, *, seed: int = 0) -> pd.DataFrame:
        """Draw rows."""


def make(
    name: str,
    *,
    epochs: int,
    seed: int,
    batch_rows: int,
    schema: Mapping[str, Any] | None = None,
) -> Method:
    """A method, not yet fitted.

    Args:
        name: one of `TITLES`, or an ablation's.
        epochs: passes over the rows.
        seed: makes the fit repeatable.
        batch_rows: rows a step, for the baselines; GTCoder's own rule gives the same.
        schema: kinds that override the inferred ones.

    Raises:
        ConfigError: there is no such method.
    """
    if name == "identity":
        return Identity()
    if name in BASELINES:
        # As strong as its authors': CTGAN judges packs of ten, so it gets 500 rows in every step.
        more = {"step_rows": CTGAN_ROWS} if name == "ctgan" else {}
        passes = {"epochs": epochs, "batch_rows": batch_rows}
        return BASELINES[name](**passes, seed=seed, schema=schema, **more)
    ablations = {each.of(ours): (ours, each) for ours in OURS for each in ABLATIONS}
    if name not in ablations:
        raise ConfigError(f"no method {name!r}; there are: {', '.join([*TITLES, *ablations])}")
    ours, ablation = ablations[name]
    options = ablation.to_options()
    return Synthesizer(preset=OURS[ours], epochs=epochs, seed=seed, schema=schema, **options)
