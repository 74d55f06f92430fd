"""How likely each row of a table is, and which of its columns surprise, given the others.

A row's log-likelihood and its surprises follow from the row alone, whatever rows are beside it.

Shapes: B rows, K fields, D draws, Z latent.
"""

import math
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from gtcoder.codec.category import CategoryTransform
from gtcoder.codec.codec import Codec, column_of
from gtcoder.codec.layout import Encoded, Layout, take
from gtcoder.errors import GTCoderError
from gtcoder.model.fusion import reparameterise
from gtcoder.model.gtcoder import GTCoder
from gtcoder.model.leave_one_out import LeaveOneOut
from gtcoder.model.prior import gaussian_log_prob
from gtcoder.rules.rule import Derived
from gtcoder.rules.together import Together
from gtcoder.seeds import Purpose, torch_generator
from gtcoder.training.rows.batch import to_device

CHUNK_VALUES = 1 << 22
"""Values that the heads of all steps see at once; what is in memory is a few times as much."""
DRAWS = 16
"""Of z, for each row."""


def table_scores(
    model: GTCoder,
    codec: Codec,
    table: pa.Table,
    *,
    learned_rows: int,
    draws: int = DRAWS,
    columns: bool = False,
) -> pd.DataFrame:
    """The scores of a table's rows, those that break a rule among the least likely.

    Where all n rows that were learned kept a rule, one that breaks it has a probability of about
    1 / (n + 2) (Laplace's rule of succession): it is so much less likely, and if no column
    surprises more, the rule's columns are named, with an excess of log (n + 2).

    Args:
        model: the network.
        codec: of its tables.
        table: rows with all of its columns.
        learned_rows: n.
        draws: of z, for each row.
        columns: also the surprise of each field.

    Raises:
        TableError: a column's values do not convert.
        GTCoderError: columns are asked for, and the model cannot tell.
    """
    encoded = codec.encode(table, jitter=False)
    found = scores(model, codec.layout, encoded, draws=draws, columns=columns)
    cells = {c.name: column_of(table, c) for c in codec.schema.columns if codec.rules.kept}
    odd = math.log(learned_rows + 2)
    for rule, broken in codec.rules.broken(cells):
        if isinstance(rule, Derived) and rule.otherwise:
            continue  # the network has learned which rows keep it
        if isinstance(rule, Together):
            broken = _never_together(codec, rule, cells)
        found["log_likelihood"] -= odd * broken
        most = broken & ~(found["excess"].to_numpy() >= odd)
        found.loc[most, "most_surprising"] = ", ".join(rule.columns)
        found.loc[most, "excess"] = np.float32(odd)
    return found


def _never_together(codec: Codec, rule: Together, cells: Mapping[str, pa.Array]) -> np.ndarray:
    """Which rows have values that are known, but of which not one row had these together, (B,).

    What was seen, if only as one of the rare combinations, the network knows how rarely.
    """
    transform = codec.transform_of(rule.name)
    types = {name: array.type for name, array in cells.items()}
    known = rule.knows(cells, types)
    if not isinstance(transform, CategoryTransform) or transform.rest:
        return np.zeros(len(known), bool)
    return known & ~np.isin(rule.encode(cells, types), transform.values.to_numpy())


def scores(
    model: GTCoder, layout: Layout, encoded: Encoded, *, draws: int = DRAWS, columns: bool = False
) -> pd.DataFrame:
    """All of a row's scores: what `Synthesizer.score` returns, with rows numbered from 0.

    Args:
        model: the network.
        layout: its fields, whose names are told.
        encoded: the rows.
        draws: of z, for each row.
        columns: also the surprise of each field.

    Raises:
        GTCoderError: columns are asked for, and the model cannot tell.
    """
    likely, error = log_likelihood(model, encoded, draws=draws)
    named, excess = np.full(len(encoded), None), np.full(len(encoded), np.nan, np.float32)
    each: dict[str, np.ndarray] = {}
    names = np.array([field.name for field in layout.fields], object)
    if len(encoded) and (columns or model.config.conditional):
        surprise = surprises(model, encoded)  # (B, K)
        above = surprise - _usual(layout, encoded)
        most = above.argmax(1)
        named, excess = names[most], above[np.arange(len(above)), most]
        each = {f"surprise_{name}": surprise[:, k] for k, name in enumerate(names) if columns}
    found = {"log_likelihood": likely, "standard_error": error}
    return pd.DataFrame(found | {"most_surprising": named, "excess": excess} | each)


@torch.inference_mode()
def log_likelihood(
    model: GTCoder, encoded: Encoded, *, draws: int = DRAWS, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """log p(row) from below, by importance, and its standard error: nats, both float64 (B,).

        log p(row) ≥ E log 1/D Σ_d w_d,  w_d = p(row | z_d) p(z_d) / q(z_d | row),  z_d ~ q(z | row)

    (Burda, Grosse and Salakhutdinov, 2016), which is −ELBO for one draw and comes nearer with more.
    The standard error is that of a logarithm of a mean, std(w) / (mean(w) sqrt(D)). A number counts
    with its density within its code's span of length 1, so that what is found can be above 0.

    Args:
        model: the network.
        encoded: the rows.
        draws: D; the same ones are each row's, moved to where its posterior is. Of one alone the
            error is NaN.
        seed: of the draws.
    """
    rng = torch_generator(seed, Purpose.SCORE)
    noise = torch.randn(draws, model.config.latent, generator=rng)  # (D, Z)
    found = [np.zeros((0, 2))]
    for codes, scalars in chunks(model, encoded):
        mu, logvar, _ = model.encode(codes, scalars)
        weights = []
        for draw in noise.to(mu.device):
            z = reparameterise(mu, logvar, draw)  # (B, Z)
            rate = gaussian_log_prob(z, mu, logvar) - model.mixture.log_prob(z)
            weights.append(-model.decoder.reconstruction(z, codes, scalars) - rate)
        log_w = torch.stack(weights).double()  # (D, B)
        mean = log_w.logsumexp(0) - math.log(draws)
        spread = (log_w - mean).exp().std(0) if draws > 1 else torch.full_like(mean, torch.nan)
        found.append(torch.stack([mean, spread / math.sqrt(draws)], 1).cpu().numpy())
    both = np.concatenate(found)
    return both[:, 0], both[:, 1]


@torch.inference_mode()
def surprises(model: GTCoder, encoded: Encoded) -> np.ndarray:
    """−log p(field | all other fields of the row), nats, float32 (B, K).

    A number counts with its density within its code's span of length 1, so that it can be below 0.

    Raises:
        GTCoderError: the model was not trained to complete rows.
    """
    needs_completing(model)
    tables = model.decoder.tables()
    found = [np.zeros(encoded.codes.shape, np.float32)[:0]]
    for codes, scalars in chunks(model, encoded):
        rows = LeaveOneOut(model, codes, scalars, tables)
        each = [rows.surprise(k) for k in range(codes.shape[1])]
        found.append(torch.stack(each, 1).float().cpu().numpy())
    return np.concatenate(found)


def _usual(layout: Layout, encoded: Encoded) -> np.ndarray:
    """−log of the share of the table's rows that have the row's code in each field, (B, K)."""
    shares = [np.array(field.frequencies) for field in layout.fields]
    own = [each[codes] for each, codes in zip(shares, encoded.codes.T, strict=True)]
    return -np.log(np.maximum(np.stack(own, 1), 1e-9))


def needs_completing(model: GTCoder) -> None:
    """See that a model can tell how columns go with one another.

    Raises:
        GTCoderError: it was not trained to complete rows.
    """
    if not model.config.conditional:
        raise GTCoderError(
            "this model cannot tell which columns surprise, as it was not trained to complete rows "
            "(the paper's preset); train one with the default preset"
        )


def chunks(model: GTCoder, encoded: Encoded) -> Iterator[tuple[Tensor, Tensor]]:
    """Codes and scalars (B, K) of as many rows at a time as there is room for."""
    device = model.mixture.means.device
    rows = model.rows_within(CHUNK_VALUES)
    for start in range(0, len(encoded), rows):
        yield to_device(take(encoded, slice(start, start + rows)), device)
