"""How tables are coded: which coding, how many bins, how few rows may share what is written."""

from dataclasses import dataclass

from gtcoder.errors import ConfigError

MIN_CATEGORY_ROWS = 5
"""Nothing that fewer rows share is written down, unless the user says otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CodecConfig:
    """How tables are coded."""

    coding: str = "quantile"
    """`quantile` bins, or Gaussian `modes` (mode-specific normalisation, as in the paper)."""
    bins: int = 64
    """Quantile bins of a column of numbers, heavy values not counted."""
    max_values: int = 256
    """Numbers with at most so many distinct values get a code for each value."""
    max_categories: int = 4096
    """Categories by name; the rest share a code."""
    min_category_rows: int = MIN_CATEGORY_ROWS
    """Nothing that fewer rows share is written down."""

    def __post_init__(self) -> None:
        if self.coding not in ("quantile", "modes"):
            raise ConfigError(f"coding: expected quantile or modes, found {self.coding!r}")
        limits = {"bins": 8192, "max_values": 8192, "max_categories": 30_000}
        for name, most in {**limits, "min_category_rows": 1_000_000}.items():
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise ConfigError(f"{name}: expected 1 to {most}, found {value}")
