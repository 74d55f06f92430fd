"""The one training loop, whoever calls it: a process alone, or one of many under torch.distributed.

Every worker takes the same number of steps and draws its rows and noise from (seed, epoch, step,
rank), so a run resumed from a checkpoint takes the very steps it would have taken.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from gtcoder.codec.layout import Encoded, Layout, take
from gtcoder.config import Config
from gtcoder.model.gtcoder import Asked, GTCoder, Losses
from gtcoder.seeds import Purpose, torch_seed
from gtcoder.training import distributed, sharpen
from gtcoder.training.checkpoint import Checkpoints, NoCheckpoints, State
from gtcoder.training.clock import Clock
from gtcoder.training.keeper import Keeper, load_weights
from gtcoder.training.memory import memory_kept
from gtcoder.training.mixture import MixtureFits
from gtcoder.training.objective import objective
from gtcoder.training.optimizer import clip, learning_rate, optimizer_of, warm_up_steps
from gtcoder.training.options import Progress, RunOptions
from gtcoder.training.rows.batch import asked_of, rarity_of, seeded, to_device
from gtcoder.training.rows.encoded import EncodedRows
from gtcoder.training.start import Start
from gtcoder.training.validation import Validation

CHECKPOINT_SECONDS = 10.0
"""An epoch's end is kept when so much time has passed since the last checkpoint."""
MID_EPOCH_SECONDS = 60.0
"""Within an epoch, so often."""
KEEP_STEPS = 16
"""Within an epoch, workers ask each other about a checkpoint every so many steps."""
STATE_VALUES = 1 << 26
"""Numbers in the decoder's states and features at once, at most (268 MB, several times as much in
all); a larger batch of a worker is taken in parts, whose gradients are added up."""
LEAST_PART = 32
"""Rows of such a part, at least: of each some are completed, and some have all tokens fused."""
VALIDATION_STEPS = 10
"""Steps between two validations at least."""
SHARPEN_SHARE = 0.1
"""Of the time allowed, for sharpening at most."""
FINISHING = "finishing"
"""What is shown while the prior is fitted and the decoder is sharpened."""
EXPLAIN_SHARE = 0.1
"""Of the time allowed, what the dependence between columns takes at most."""
EXPLAINED_ROWS = 100_000
"""Rows that it looks at, each counted once for each column and each pair."""
SHOWN_ROWS = 4_000
"""Rows whose attention a bundle's explanation costs about as much as a forward pass over these."""
KNOWN_ROWS = 10_000
"""Held-out rows, at most, that are scored once more for how well a bundle knows them."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run leaves."""

    model: GTCoder
    history: list[dict[str, float]]
    rows: int
    """Rows trained on, over all epochs and workers."""
    elapsed_s: float
    looked_at: int
    """So many times a row may be looked at once more for what explains the model."""
    stopped: str
    """Why it ended: "epochs", "plateau" or "max_time"."""


def train(
    layout: Layout,
    rows: EncodedRows,
    config: Config,
    *,
    options: RunOptions | None = None,
    checkpoints: Checkpoints | None = None,
    start: Start | None = None,
) -> Trained:
    """Train a model on this process's share of the rows.

    Args:
        layout: the encoded row.
        rows: all training rows; each worker streams its own share.
        config: the model and its training.
        options: seed, device, time limit, progress.
        checkpoints: where to keep the state; a state found there is resumed.
        start: what to go on from; the mixture is then fitted at once, since its weights have put
            the rows where Eq. 8's prior wants them.
    """
    options, checkpoints = options or RunOptions(), checkpoints or NoCheckpoints()
    with memory_kept(options.device):
        return Training(layout, rows, config, options, checkpoints, start).run()


class Training:
    """One run."""

    def __init__(
        self,
        layout: Layout,
        rows: EncodedRows,
        config: Config,
        options: RunOptions,
        checkpoints: Checkpoints,
        start: Start | None = None,
    ) -> None:
        began = time.monotonic()  # a wide table's network takes seconds to make
        self.rows, self.config, self.options = rows, config.training, options
        self.rank, self.world = distributed.rank(), distributed.world()
        self.device = options.device
        with seeded(options.seed, torch.device("cpu")):
            self.model = GTCoder(layout, config.model).to(self.device)
        self.start = start
        if start is not None:
            self.model.load_state_dict({**self.model.state_dict(), **start.weights})
        self.rarity = rarity_of(layout).to(self.device)
        self.wrapped = _wrapped(self.model, self.device)
        self.optimizer = optimizer_of(self.model, self.config)
        self.validation = Validation(self.model, rows.validation, self.config, options.seed)
        self.local_rows = max(1, min(self.config.batch_rows, rows.rows) // self.world)
        self.at_once = max(self.model.rows_within(STATE_VALUES), LEAST_PART)
        self.epoch_steps = max(1, rows.rows // (self.local_rows * self.world))
        self.keeper = Keeper(checkpoints, self.model, self.optimizer, self.validation)
        self.state = self.keeper.resumed() or State(warm_over=start is not None)
        self.clock = Clock(self.state, options.max_time_s, self.device, began)
        self.mixture = MixtureFits(self.model, rows, self.config, self.clock, options.seed)

    def run(self) -> Trained:
        """Train to the end, from the last checkpoint if there is one."""
        sums = torch.zeros(len(Losses._fields) + 1, device=self.device)
        while not self.state.stopped:
            for batch in self._epoch():
                self.mixture.follow(self.state)
                sums += self._step(batch)
                self._advance(sums)
                if self.state.stopped:
                    break
        if self.validation.best:
            load_weights(self.model, self.validation.best)
        rows = self.rows
        self.clock.end()
        self._report(None, FINISHING)
        if self.start is not None:
            self.start.average(self.model)
            rows, self.state.fitted = self.start.beside(rows, self.options.seed), False
        self.mixture.finish(self.state, rows)
        self.clock.look()
        self._report(None, FINISHING)
        most = self.clock.rows(SHARPEN_SHARE)
        sharpen.sharpen(self.model, rows, seed=self.options.seed, most=most)
        self.clock.look()
        self._report(None, FINISHING)
        return Trained(
            model=self.model.eval(),
            history=self.state.history,
            rows=self._rows_seen(),
            elapsed_s=self.state.elapsed_s,
            looked_at=self._looked_at,
            stopped=self.state.stopped,
        )

    def _epoch(self) -> Iterator[Encoded]:
        """What is left of this epoch's batches."""
        batches = self.rows.batches(
            seed=self.options.seed,
            epoch=self.state.epoch,
            rank=self.rank,
            world=self.world,
            batch_rows=self.local_rows,
            skip=self.state.step,
        )
        for _ in range(self.state.step, self.epoch_steps):
            yield next(batches)

    def _step(self, batch: Encoded) -> Tensor:
        """One optimizer step; the batch's losses, and 1, (6,)."""
        key = torch_seed(
            self.options.seed, Purpose.STEP, self.state.epoch, self.state.step, self.rank
        )
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(
                self.config, self._steps_done, self._steps_at_most, self.state.share
            )
        self.optimizer.zero_grad(set_to_none=True)
        count = -(-len(batch) // self.at_once)
        with seeded(key, self.device):
            parts = [take(batch, slice(k, None, count)) for k in range(count)]
            sums = [self._gradients(part, len(part) / len(batch)) for part in parts]
        clip(self.model)
        self.optimizer.step()
        return torch.stack(sums).sum(0)

    def _gradients(self, rows: Encoded, share: float) -> Tensor:
        """Add those of a share of a batch; its part of the batch's losses, and of 1, (6,).

        The floor of free bits is compared with these rows' mean, over all workers.
        """
        codes, scalars = to_device(rows, self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            noise = torch.randn(len(rows), self.model.config.latent, device=self.device)
            losses: Losses = self.wrapped(
                codes,
                scalars,
                noise=noise,
                against_mixture=self.state.fitted,
                asked=self._asked(codes),
            )
        (share * objective(losses, self.config, fitted=self.state.fitted)).backward()
        return share * torch.stack([*losses, losses.contrastive.new_ones(())]).detach()

    def _asked(self, codes: Tensor) -> Asked | None:
        """The rows of a batch that are to be completed."""
        if not self.model.config.conditional:
            return None
        return asked_of(codes, self.rarity, self.config.asked_share)

    def _advance(self, sums: Tensor) -> None:
        """Count a step; validate, report and keep the state when it is time to.

        Args:
            sums: of the losses since the last validation, and of their steps (6,).
        """
        state, looked = self.state, self.clock.step()
        state.step += 1
        ended = state.step == self.epoch_steps
        if ended:
            state.epoch, state.step = state.epoch + 1, 0
        state.share = self.clock.share(self._steps_done / self._steps_at_most)
        if state.epoch == self.config.epochs:
            state.stopped, state.share = "epochs", 1.0
        elif self.clock.over:
            state.stopped, state.share = "max_time", 1.0
        if state.share >= state.next_validation or state.stopped:
            self._validate(sums)
        elif looked:
            self._report(None)
        if ended or state.stopped or state.step % KEEP_STEPS == 0:
            self.keeper.keep(state, CHECKPOINT_SECONDS if ended else MID_EPOCH_SECONDS)

    @property
    def _steps_done(self) -> int:
        return self.state.epoch * self.epoch_steps + self.state.step

    @property
    def _steps_at_most(self) -> int:
        return self.config.epochs * self.epoch_steps

    def _validate(self, sums: Tensor) -> None:
        """Score the held-out rows; keep the weights if they are the best so far."""
        state, began = self.state, time.monotonic()
        line = {"epoch": self._steps_done / self.epoch_steps}
        means = distributed.mean(sums[:-1] / sums[-1]).tolist()
        line |= {"elapsed_s": round(state.elapsed_s, 2)} | dict(
            zip(Losses._fields, means, strict=True)
        )
        sums.zero_()
        loss = self.validation.score(self.device, fitted=state.fitted)
        if loss is not None:
            line["validation"] = loss
            warm = self.model.config.latent_mixture and not state.fitted
            patient = self._steps_done < warm_up_steps(self._steps_at_most)
            self.validation.judge(loss, state, warm=warm, patient=patient)
            if not state.history:
                scored = len(self.validation.held)
                state.row_s = distributed.largest((time.monotonic() - began) / scored, self.device)
                self.clock.leave(state.row_s * self._ending_rows)
        state.history.append(line)
        least = max(1 / self.config.validations, VALIDATION_STEPS / self._steps_at_most)
        state.next_validation = state.share + self.clock.gap(least, time.monotonic() - began)
        self.clock.soon()
        self._report(loss)

    @property
    def _ending_rows(self) -> int:
        """About so many rows are looked at once the prior is fitted."""
        sharpened, most = sharpen.rows_for(self.model), self.clock.rows(SHARPEN_SHARE)
        held = min(len(self.rows.validation), KNOWN_ROWS)
        sharpened = sharpened if most is None else min(sharpened, most)
        return SHOWN_ROWS + held + sharpened + self._looked_at

    @property
    def _looked_at(self) -> int:
        """Rows that the explanation's dependence looks at, counted once for each pair."""
        most = self.clock.rows(EXPLAIN_SHARE)
        return EXPLAINED_ROWS if most is None else min(EXPLAINED_ROWS, most)

    def _rows_seen(self) -> int:
        return self._steps_done * self.local_rows * self.world

    def _report(self, validation_loss: float | None, doing: str = "") -> None:
        if self.rank == 0:
            self.options.progress(
                Progress(
                    share=self.state.share,
                    epoch=self.state.epoch,
                    epochs=self.config.epochs,
                    rows=self._rows_seen(),
                    elapsed_s=self.state.elapsed_s,
                    validation_loss=validation_loss,
                    left_s=self.clock.left_s(self._steps_done / self._steps_at_most),
                    doing=doing,
                )
            )


def _wrapped(model: nn.Module, device: torch.device) -> nn.Module:
    """The model as its gradients are shared by the workers."""
    if distributed.world() == 1:
        return model
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(
        model,
        device_ids=devices,
        forward_sync_buffers=False,
        gradient_as_bucket_view=True,
        static_graph=True,
    )
