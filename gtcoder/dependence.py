"""How much columns tell of one another beyond what all others tell, in nats, as the model sees it.

Shapes: B rows, K fields.
"""

import numpy as np
import torch
from torch import Tensor

from gtcoder.codec.layout import Encoded
from gtcoder.errors import TableError
from gtcoder.model.gtcoder import GTCoder
from gtcoder.score import chunks, needs_completing


@torch.inference_mode()
def dependence(model: GTCoder, encoded: Encoded) -> np.ndarray:
    """I(i; j | all others) of every two fields, nats, float64 (K, K), symmetric, 0 on the diagonal.

        I(i; j | rest) = E[log p(x_i | x_j, rest) − log p(x_i | rest)],  i before j,

    the mean drop of the surprise of one field when the other is known as well. It is 0 where two
    columns say nothing of one another that the others do not say: of a chain A → B → C, A and C.
    What the mean of a few rows leaves below 0 is 0.

    Raises:
        GTCoderError: the model was not trained to complete rows.
        TableError: there are no rows.
    """
    needs_completing(model)
    if not len(encoded):
        raise TableError("no rows to look at: expected at least one")
    fields = encoded.codes.shape[1]
    total = np.zeros((fields, fields))
    for codes, scalars in chunks(model, encoded):
        for i in range(fields):
            known = _surprise(model, codes, scalars, [i])
            for j in range(i + 1, fields):
                total[i, j] += _surprise(model, codes, scalars, [i, j]) - known
    mean = np.maximum(total / len(encoded), 0.0)
    return mean + mean.T


def _surprise(model: GTCoder, codes: Tensor, scalars: Tensor, gone: list[int]) -> float:
    """−log p of the first field that is gone, given all that are not, summed over rows."""
    given = torch.ones_like(codes, dtype=torch.bool)
    given[:, gone] = False
    context = model.context_of(codes, scalars, given)
    return float(model.decoder.surprise(context, codes, scalars, given)[:, gone[0]].double().sum())
