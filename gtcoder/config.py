"""What can be set about a model and its training, and the rules that set it from the table.

Nobody has to tune: `Config.for_table` derives everything from the number of rows and fields.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from gtcoder.codec.config import CodecConfig
from gtcoder.codec.layout import Layout
from gtcoder.errors import ConfigError


class Preset(StrEnum):
    """Two sets of rules."""

    DEFAULT = "default"
    """The best measured."""
    PAPER = "paper"
    """The paper's, as literally as it trains."""


class Strict:
    """A frozen dataclass that turns into plain JSON and back, refusing names it does not know."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values."""
        plain: dict[str, Any] = dataclasses.asdict(self)  # type: ignore[call-overload]
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            ConfigError: a name is unknown or missing.
        """
        known = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        if set(plain) != known:
            odd = ", ".join(sorted(set(plain) ^ known))
            raise ConfigError(f"{cls.__name__} does not fit this version: unknown or missing {odd}")
        return cls(**plain)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig(Strict):
    """The shape of the network."""

    width: int = 32
    """Token width, C."""
    heads: int = 2
    """Attention heads, h."""
    layers: int = 2
    """Transformer layers."""
    latent: int = 4
    """Dimensions of z."""
    components: int = 100
    """Gaussians in the latent mixture that rows are drawn from."""
    hidden: int = 192
    """Width of the decoder's running sum."""
    features: int = 0
    """Width of what the head of each step sees of it; 0: the sum itself."""
    dropout: float = 0.0
    """Share of the decoder's inputs and units dropped in training."""
    single_share: float = 1.0
    """Share of the rows from which a number's single value counts in full as one unlike those
    beside it; a rarer one does in part."""
    temperature: float = 1.0
    """Of the decoder's distributions once it is trained; below 1 they are sharpened."""
    tau: float = 0.95
    """Temperature of the contrastive loss, τ."""
    autoregressive: bool = True
    """Whether the decoder sees the columns it has drawn before."""
    conditional: bool = True
    """Whether it learns to complete rows of which part is given."""
    latent_mixture: bool = True
    """Whether z is drawn from the latent mixture; if not, from Eq. 8's, averaged over the data."""
    fusion: bool = True
    """Ablation: the transformer (TFT)."""
    mixture_prior: bool = True
    """Ablation: Eq. 8's mixture prior."""
    contrastive: bool = True
    """Ablation: the contrastive loss."""

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ConfigError(f"width {self.width} is not a multiple of heads {self.heads}")
        if self.conditional and not self.autoregressive:
            raise ConfigError("conditional rows need an autoregressive decoder")


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingConfig(Strict):
    """How the network is trained."""

    epochs: int
    """Passes over the training rows, at most."""
    batch_rows: int
    """Rows a step, over all workers."""
    learning_rate: float = 1e-3
    """Peak of AdamW's learning rate; it falls to zero along a half cosine."""
    weight_decay: float = 1e-4
    """AdamW's weight decay."""
    free_decay: float = 0.0
    """AdamW's weight decay of the vectors of single values."""
    warm_share: float = 0.125
    """Share of the training in which Eq. 8's prior alone shapes z, before the mixture is fitted;
    it ends early when the held-out rows no longer gain."""
    kl_warm: float = 1.0
    """Weight of Eq. 8's KL in that share, λ1."""
    kl_mixture: float = 1.0
    """Weight of the KL to the latent mixture afterwards; at 1 the loss is the negative ELBO."""
    kl_label: float = 0.02
    """Weight of Eq. 8's KL beside it."""
    rate_floor: float = 2.0
    """Nats a row that z may carry before the KL costs anything (free bits). Without it a decoder
    that sees the columns before needs no z: the posterior collapses, and with it explanations and
    conditions through the mixture."""
    contrastive: float = 0.05
    """Weight of the contrastive loss, λ2."""
    reconstruction: float = 1.0
    """Weight of the reconstruction loss, λ3."""
    asked_share: float = 0.25
    """Rows of a step that are completed from part of them, where the model learns it, over all."""
    patience: int = 15
    """Validations without a better one after which training stops."""
    validations: int = 100
    """Validations over the whole training, at even shares of it."""

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ConfigError(f"epochs must be at least 1, not {self.epochs}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Config:
    """Everything about one model and its training."""

    preset: Preset
    model: ModelConfig
    training: TrainingConfig

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "preset": str(self.preset),
            "model": self.model.to_dict(),
            "training": self.training.to_dict(),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`.

        Raises:
            ConfigError: a name or the preset is unknown, or a name is missing.
        """
        odd = set(plain) ^ set(cls.__dataclass_fields__)
        if odd or plain["preset"] not in list(Preset):
            found = ", ".join(sorted(odd)) or f"preset {plain['preset']!r}"
            raise ConfigError(f"Config does not fit this version: unknown or missing {found}")
        return cls(
            preset=Preset(plain["preset"]),
            model=ModelConfig.from_dict(plain["model"]),
            training=TrainingConfig.from_dict(plain["training"]),
        )

    @classmethod
    def for_table(
        cls,
        layout: Layout,
        rows: int,
        *,
        preset: Preset = Preset.DEFAULT,
        epochs: int | None = None,
        **ablations: bool,
    ) -> Self:
        """The rules.

        Args:
            layout: the encoded row.
            rows: training rows.
            preset: which set of rules.
            epochs: overrides the rule's.
            **ablations: `fusion`, `mixture_prior`, `contrastive`: False switches one off.

        Raises:
            ConfigError: there is nothing to train on.
        """
        if rows < 2:
            raise ConfigError(
                f"too few rows to learn from: {rows} to train on once some are held out, expected "
                "at least 2; give a table of 10 rows or more"
            )
        if not layout.fields:
            raise ConfigError(
                "there is no column to learn: each is constant, an identifier, free text or left "
                "out, or has too few rows for something that min_category_rows of them share; give "
                "more rows or other columns"
            )
        epochs = epochs_for(rows, preset, len(layout.fields)) if epochs is None else epochs
        rules = _paper_rules if preset is Preset.PAPER else _default_rules
        model, training = rules(layout, rows, epochs, ablations)
        return cls(preset=preset, model=model, training=training)


def _default_rules(
    layout: Layout, rows: int, epochs: int, ablations: Mapping[str, bool]
) -> tuple[ModelConfig, TrainingConfig]:
    model = ModelConfig(
        components=max(1, min(100, rows // 50)),
        hidden=_hidden(rows),
        features=_features(layout),
        dropout=round(min(0.2, 4 / rows**0.5), 3) if rows < DROPOUT_ROWS else 0.0,
        single_share=min(1.0, (SINGLE_ROWS / rows) ** 2),
        temperature=round(1 - min(0.2, rows / 8_500, max(0.0, 340 / rows - 0.01)), 3),
        **ablations,
    )
    training = TrainingConfig(
        epochs=epochs,
        batch_rows=batch_rows_for(rows),
        learning_rate=_learning_rate(rows),
        weight_decay=min(1.0, 100 / rows),
        free_decay=min(10.0, 1_000 / rows),
        **_validations(rows, epochs),
    )
    return model, training


def _paper_rules(
    _: Layout, rows: int, epochs: int, ablations: Mapping[str, bool]
) -> tuple[ModelConfig, TrainingConfig]:
    # NOTE[DIFF]: Eq. 13's λ = (1, 0.5, 0.1) collapse when the KL is summed over z's
    # dimensions; read as a mean over them, relative to RE: KL 1 / (0.1 · Z), CL 0.5 / 0.1.
    latent = 32
    model = ModelConfig(
        latent=latent,
        components=1,
        autoregressive=False,
        conditional=False,
        latent_mixture=False,
        **ablations,
    )
    training = TrainingConfig(
        epochs=epochs,
        batch_rows=batch_rows_for(rows),
        learning_rate=1e-3,
        warm_share=1.0,
        rate_floor=0.0,
        kl_warm=1.0 / latent,
        contrastive=0.5,
        reconstruction=0.1,
        **_validations(rows, epochs),
    )
    return model, training


MOST_ROWS = 25_000_000
"""Rows that are learned of a larger table, drawn evenly over it."""
SINGLE_ROWS = 1_400
"""In a table of so many rows or fewer, no single value counts in full; in one of 32,000, those of
60 rows do. Each row of a small table is shown more often, so more rows must speak for a value."""
DROPOUT_ROWS = 25_000
"""From so many rows on nothing is dropped: it would change little, and costs an eighth of a step.
"""
MOST_HIDDEN = 512
"""Width of the decoder's running sum, from 1.3 million rows on."""
MOST_EPOCHS = 400
"""Passes over a table of a hundred rows or fewer."""


def epochs_for(rows: int, preset: Preset = Preset.DEFAULT, fields: int = 15) -> int:
    """Passes over so many training rows.

    Row presentations grow with the root of the rows; beyond Adult's 32,561, of more than 15 fields
    a row, with their power ½ · (15 / fields)^0.3, as a wider row tells more at once. Every row is
    seen at least once, and never more than `MOST_EPOCHS` times.
    """
    power = 0.5 if rows < 32_561 else 0.5 * min(1.0, 15 / fields) ** 0.3
    presentations = (800_000 if preset is Preset.PAPER else 400_000) * (rows / 32_561) ** power
    return min(math.ceil(presentations / rows), MOST_EPOCHS)


def _hidden(rows: int) -> int:
    """192 · (rows / 32,561)^(1/4) to the nearest 64, 192 at least and `MOST_HIDDEN` at most."""
    return min(max(64 * round(3 * (rows / 32_561) ** 0.25), 192), MOST_HIDDEN)


def _features(layout: Layout) -> int:
    """64 where at least half of the fields are numbers, which depend on several others at once.

    Tables of categories gain nothing by the layer, and what they complete is known less well.
    """
    numbers = sum(not field.discrete for field in layout.fields)
    return 64 if 2 * numbers >= len(layout.fields) else 0


def _learning_rate(rows: int) -> float:
    """.004, less for few rows, and more as the batch is more than 512 rows."""
    return 4e-3 * min(1.0, (rows / 10_000) ** 0.25) * max(1.0, batch_rows_for(rows) / 512)


def learned_rows(rows: int, asked: int | None = None) -> int:
    """How many rows of a table are learned: `asked` at most, by rule `MOST_ROWS`."""
    return min(rows, MOST_ROWS if asked is None else asked)


def _validations(rows: int, epochs: int) -> dict[str, int]:
    """How often to validate, and for how long to be patient: 15 % of the run, 8 at least.

    So often that a fifth as many held-out rows are scored as rows are trained on, 10 to 100 times.
    In a short run losses rise when the mixture joins in, and fall only as the learning rate does.
    """
    held = validation_share(rows) * rows
    count = int(min(max(0.2 * rows * epochs / max(held, 1), 10), 100))
    return {"validations": count, "patience": max(8, round(0.15 * count))}


def batch_rows_for(rows: int) -> int:
    """The power of two nearest 2.5·√rows: 32 for the smallest tables, 512 for 32,000 rows."""
    return int(min(max(2 ** round(math.log2(2.5 * rows**0.5)), 32), 2048, rows))


def coding_for(rows: int, preset: Preset, min_category_rows: int) -> CodecConfig:
    """How to code a table of so many rows: fewer bins when there are few rows to fill them.

    Raises:
        ConfigError: `min_category_rows` is not between 1 and 1,000,000.
    """
    return CodecConfig(
        coding="modes" if preset is Preset.PAPER else "quantile",
        bins=int(min(max(2 * rows ** (1 / 3), 8), 64)),
        min_category_rows=min_category_rows,
    )


def validation_share(rows: int) -> float:
    """Share of rows held out: a tenth of small tables, never more than 10,000 rows."""
    return min(0.1 if rows < 10_000 else 0.05, 10_000 / max(rows, 1))
