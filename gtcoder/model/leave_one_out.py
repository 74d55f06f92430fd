"""How surprising a field of a whole row is, given all the others: many questions of the same rows.

What the rows' outcomes add to the decoder's running sums is added up once; each question then costs
the encoder and one field's heads.

Shapes: B rows, K fields, S steps, H hidden, V_s outcomes of step s, n steps of a field.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from gtcoder.model.decoder import Tables
from gtcoder.model.gtcoder import GTCoder
from gtcoder.model.outcomes import OutcomeTable
from gtcoder.model.steps import CELLS, cells_of


class LeaveOneOut:
    """Rows, of which fields are left out in turn."""

    def __init__(
        self, model: GTCoder, codes: Tensor, scalars: Tensor, tables: Tables | None = None
    ) -> None:
        """Rows of a model that completes rows.

        Args:
            model: the network.
            codes: int64 (B, K).
            scalars: float32 (B, K).
            tables: the vectors of all outcomes, where they are known.
        """
        self.model, self.codes, self.scalars = model, codes, scalars
        decoder = model.decoder
        tables = tables or decoder.tables()
        assert tables.seen is not None
        self.outcomes = decoder.outcomes(codes, cells_of(scalars))  # (S, B)
        seen = self._vectors(decoder.seen, tables.seen)
        self.ahead = self._vectors(decoder.ahead, tables.ahead)
        self.later = torch.zeros_like(seen)
        coded = self.outcomes[decoder.coded] + decoder.first
        self.later[decoder.coded] = functional.embedding(coded, decoder.inverse(tables.coded))
        self.sums = seen.cumsum(0) - seen + decoder.step.unsqueeze(1)  # of all steps before
        self.sums += self.ahead.sum(0) - self.ahead.cumsum(0) + self.ahead  # of it and all after
        self.after = self.later.sum(0) - self.later.cumsum(0)
        self.heads = tables.heads.split(decoder.step_sizes)
        self.added = decoder.added_to_all(tables.seen).split(decoder.step_sizes)
        self.bias = decoder.bias.split(decoder.step_sizes)

    def surprise(self, field: int, *others: int) -> Tensor:
        """−log p(field | all fields but it and some others, which come after it), nats, (B,).

        A number counts with its density within its code's span of length 1.

        Args:
            field: its number.
            others: numbers of fields that are left out as well; all larger than that of the field.
        """
        steps, gone = self.model.decoder.steps, [field, *others]
        given = torch.ones_like(self.codes, dtype=torch.bool)
        given[:, gone] = False
        context = self.model.context_of(self.codes, self.scalars, given)  # (B, H)
        lost = [s for s, step in enumerate(steps) if step.field in gone]
        own = [s for s in lost if steps[s].field == field]
        return torch.stack([self._loss(s, context, [t for t in lost if t >= s]) for s in own]).sum(
            0
        )

    def _loss(self, s: int, context: Tensor, lost: Sequence[int]) -> Tensor:
        """−log p of a step's outcome, or of its cell's density, (B,).

        Args:
            s: the step.
            context: what the encoder makes of what is given, (B, H).
            lost: the step and those after it that are not given either.
        """
        decoder = self.model.decoder
        state = context + self.sums[s] - self.ahead[lost].sum(0)
        later = self.after[s] - self.later[lost[1:]].sum(0)
        logits = torch.addmm(self.bias[s], decoder.seen_of(s, state), self.heads[s].mT)  # (B, V_s)
        logits = logits.addmm(later, self.added[s].mT).float()
        loss = functional.cross_entropy(logits, self.outcomes[s], reduction="none")
        if not decoder.steps[s].is_cell:
            return loss
        assert decoder.seen_cells is not None
        spread = decoder.seen_cells.spread(self.outcomes[decoder.cell - 1])[decoder.cells.index(s)]
        return (loss - math.log(CELLS)) * spread

    def _vectors(self, table: OutcomeTable | None, vectors: Tensor | None) -> Tensor:
        """What each step's outcome adds by a table, (S, B, H)."""
        decoder = self.model.decoder
        assert table is not None
        assert vectors is not None
        nothing = torch.zeros_like(decoder.step)
        found = decoder.vectors_of(table, vectors, self.outcomes, None, nothing)
        return torch.cat(found)[decoder.sums.source]
