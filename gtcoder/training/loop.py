"""The one training loop, whoever calls it: a process alone, or one of many under torch.distributed.

Every worker takes the same number of steps and draws its rows and noise from (seed, epoch, step,
rank), so a run resumed from a checkpoint takes the very steps it would have taken.
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from gtcoder.codec.layout import Encoded, Layout
from gtcoder.config import Config
from gtcoder.model.gtcoder import GTCoder, Losses
from gtcoder.training import distributed, em
from gtcoder.training.checkpoint import (
    Checkpoints,
    NoCheckpoints,
    State,
    pack,
    unpack,
    with_prefix,
    without_prefix,
)
from gtcoder.training.options import Progress, RunOptions
from gtcoder.training.rows import EncodedRows
from gtcoder.training.sharpen import sharpen

CHECKPOINT_SECONDS = 10.0
"""An epoch's end is kept when so much time has passed since the last checkpoint."""
MID_EPOCH_SECONDS = 60.0
"""Within an epoch, so often."""
CLOCK_STEPS = 16
"""Workers agree on the time every so many steps."""
WARM_PATIENCE = 2
"""Validations without a better one after which the warm share ends early."""
VALIDATION_DRAWS = 1_024
"""A small validation set is scored with fresh noise until so many rows are scored."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run leaves."""

    model: GTCoder
    history: list[dict[str, float]]
    rows: int
    """Rows trained on, over all epochs and workers."""
    elapsed_s: float
    stopped: str
    """Why it ended: "epochs", "plateau" or "max_time"."""


def train(
    layout: Layout,
    rows: EncodedRows,
    config: Config,
    *,
    options: RunOptions | None = None,
    checkpoints: Checkpoints | None = None,
) -> Trained:
    """Train a model on this process's share of the rows.

    Args:
        layout: the encoded row.
        rows: all training rows; each worker streams its own share.
        config: the model and its training.
        options: seed, device, time limit, progress.
        checkpoints: where to keep the state; a state found there is resumed.
    """
    return Training(
        layout, rows, config, options or RunOptions(), checkpoints or NoCheckpoints()
    ).run()


class Training:
    """One run."""

    def __init__(
        self,
        layout: Layout,
        rows: EncodedRows,
        config: Config,
        options: RunOptions,
        checkpoints: Checkpoints,
    ) -> None:
        self.rows, self.config, self.options = rows, config.training, options
        self.checkpoints = checkpoints
        self.rank, self.world = distributed.rank(), distributed.world()
        self.device = options.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(options.seed)
            self.model = GTCoder(layout, config.model).to(self.device)
        self.wrapped = self._wrap(self.model)
        free = self.model.free_parameters()
        named = {id(each) for each in free}
        rest = [each for each in self.model.parameters() if id(each) not in named]
        groups: list[dict[str, Any]] = [
            {"params": free, "weight_decay": self.config.free_decay},
            {"params": rest},
        ]
        self.optimizer = torch.optim.AdamW(
            groups,
            lr=self.config.learning_rate,
            weight_decay=self.config.weight_decay,
            betas=(0.9, 0.99),
            fused=True,
        )
        self.local_rows = max(1, min(self.config.batch_rows, rows.rows) // self.world)
        self.epoch_steps = max(1, rows.rows // (self.local_rows * self.world))
        self.state = State()
        self.best: dict[str, Tensor] = {}
        self.started = self.kept = time.monotonic()

    def _wrap(self, model: nn.Module) -> nn.Module:
        if self.world == 1:
            return model
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(model, device_ids=devices, forward_sync_buffers=False)

    def run(self) -> Trained:
        """Train to the end, from the last checkpoint if there is one."""
        self._resume()
        before = self.state.elapsed_s
        self.started = time.monotonic() - before
        while not self.state.stopped:
            self._epoch()
        if self.best:
            self._load_tensors(self.best)
        if self.model.config.latent_mixture:
            if not self.state.fitted:  # too short a run to have got that far
                em.start(self.model, self.rows, seed=self.options.seed)
            em.finish(self.model, self.rows, seed=self.options.seed)
        else:
            em.from_labels(self.model)
        sharpen(self.model, self.rows, seed=self.options.seed)
        return Trained(
            model=self.model.eval(),
            history=self.state.history,
            rows=self._rows_seen(),
            elapsed_s=time.monotonic() - self.started,
            stopped=self.state.stopped,
        )

    def _epoch(self) -> None:
        state = self.state
        batches = self.rows.batches(
            seed=self.options.seed,
            epoch=state.epoch,
            rank=self.rank,
            world=self.world,
            batch_rows=self.local_rows,
        )
        for _ in range(state.step):  # taken before the checkpoint this run came from
            next(batches)
        sums = torch.zeros(4, device=self.device)
        steps = 0
        while state.step < self.epoch_steps and not state.stopped:
            self._fit_mixture()
            sums += self._step(next(batches))
            steps += 1
            state.step += 1
            if state.step % CLOCK_STEPS == 0:
                self._agree_on_time()
                self._keep(MID_EPOCH_SECONDS)
        if not state.stopped or state.step == self.epoch_steps:
            state.epoch, state.step = state.epoch + 1, 0
        self._agree_on_time()
        if state.epoch == self.config.epochs and not state.stopped:
            state.stopped, state.share = "epochs", 1.0
        if state.share >= state.next_validation or state.stopped:
            self._validate(sums / max(steps, 1))
        self._keep(CHECKPOINT_SECONDS)

    def _agree_on_time(self) -> None:
        """Take the slowest worker's clock, and from it how much of the run is done."""
        state = self.state
        state.elapsed_s = distributed.largest(time.monotonic() - self.started, self.device)
        done = state.epoch * self.epoch_steps + state.step
        state.share = done / (self.config.epochs * self.epoch_steps)
        if self.options.max_time_s is not None:
            state.share = max(state.share, state.elapsed_s / self.options.max_time_s)
            if state.elapsed_s >= self.options.max_time_s:
                state.stopped = "max_time"
        state.share = min(state.share, 1.0)
        self._report(None)

    def _step(self, batch: Encoded) -> Tensor:
        """One optimizer step; the batch's losses, (4,)."""
        codes, scalars = self._to_device(batch)
        bf16 = self.device.type == "cuda"
        with self._seeded(), torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
            noise = torch.randn(len(batch), self.model.config.latent, device=self.device)
            losses: Losses = self.wrapped(
                codes, scalars, noise=noise, against_mixture=self.state.fitted
            )
        self._set_learning_rate()
        self.optimizer.zero_grad(set_to_none=True)
        self._objective(losses).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        return torch.stack(losses).detach()

    def _objective(self, losses: Losses) -> Tensor:
        """Eq. 13."""
        c = self.config
        kl_label = c.kl_label if self.state.fitted else c.kl_warm
        return (
            c.reconstruction * losses.reconstruction
            + kl_label * losses.kl_label.clamp_min(c.rate_floor)
            + c.kl_mixture * losses.kl_mixture.clamp_min(c.rate_floor)
            + c.contrastive * losses.contrastive
        )

    def _set_learning_rate(self) -> None:
        step = self.state.epoch * self.epoch_steps + self.state.step
        rise = min(1.0, (step + 1) / 100)
        fall = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * self.state.share))
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.learning_rate * rise * fall

    @property
    def _warm(self) -> bool:
        """Whether Eq. 8's prior alone still shapes z."""
        return self.model.config.latent_mixture and not self.state.fitted

    def _fit_mixture(self) -> None:
        """Fit the latent mixture once the warm share is over, and refresh it now and then."""
        state = self.state
        if not self.model.config.latent_mixture or state.share < state.next_em:
            return
        if state.fitted:
            em.refresh(self.model, self.rows, seed=self.options.seed)
        elif state.share >= self.config.warm_share or state.warm_over:
            em.start(self.model, self.rows, seed=self.options.seed)
            state.fitted, state.best, state.stale = True, math.inf, 0
        else:
            return
        state.next_em = state.share + (1 - self.config.warm_share) / 10

    @torch.no_grad()
    def _validate(self, train: Tensor) -> None:
        """Score the held-out rows; keep the weights if they are the best so far."""
        state = self.state
        state.next_validation = state.share + 1 / self.config.validations
        line = {"epoch": float(state.epoch), "elapsed_s": round(state.elapsed_s, 2)}
        line |= dict(zip(Losses._fields, distributed.mean(train).tolist(), strict=True))
        loss = self._validation_loss()
        if loss is not None:
            line["validation"] = loss
            self._judge(loss)
        state.history.append(line)
        self._report(loss)

    def _judge(self, loss: float) -> None:
        """Remember the best validation; after too many worse ones go on to what comes next."""
        state = self.state
        if loss < state.best - 1e-4:
            state.best, state.stale = loss, 0
            if not self._warm:
                self.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
            return
        state.stale += 1
        if self._warm:
            state.warm_over = state.warm_over or state.stale >= WARM_PATIENCE
        elif state.stale >= self.config.patience and not state.stopped:
            state.stopped = "plateau"

    def _validation_loss(self) -> float | None:
        """Mean −ELBO of the held-out rows (to Eq. 8's prior before the mixture is fitted)."""
        held = self.rows.validation
        if not len(held):
            return None
        self.model.eval()
        total = torch.zeros(2, dtype=torch.float64, device=self.device)
        repeats = -(-VALIDATION_DRAWS // len(held))
        generator = torch.Generator().manual_seed(self.options.seed)
        for _ in range(repeats):
            for start in range(self.rank * 1024, len(held), self.world * 1024):
                rows = slice(start, start + 1024)
                codes, scalars = self._to_device(Encoded(held.codes[rows], held.scalars[rows]))
                noise = torch.randn(len(codes), self.model.config.latent, generator=generator)
                losses = self.model(
                    codes, scalars, noise=noise.to(self.device), against_mixture=self.state.fitted
                )
                kl = losses.kl_mixture if self.state.fitted else losses.kl_label
                total += torch.stack([losses.reconstruction + kl, torch.ones_like(kl)]) * len(codes)
        self.model.train()
        total = distributed.total(total)
        return float(total[0] / total[1])

    def _to_device(self, batch: Encoded) -> tuple[Tensor, Tensor]:
        codes = torch.from_numpy(np.ascontiguousarray(batch.codes))
        scalars = torch.from_numpy(np.ascontiguousarray(batch.scalars))
        if self.device.type == "cuda":
            codes, scalars = codes.pin_memory(), scalars.pin_memory()
        return (
            codes.to(self.device, non_blocking=True).long(),
            scalars.to(self.device, non_blocking=True),
        )

    @contextmanager
    def _seeded(self) -> Iterator[None]:
        """Random numbers of one step: the same after a resume, and without a trace afterwards."""
        key = (self.options.seed, 1, self.state.epoch, self.state.step, self.rank)
        seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield

    def _rows_seen(self) -> int:
        steps = self.state.epoch * self.epoch_steps + self.state.step
        return steps * self.local_rows * self.world

    def _report(self, validation_loss: float | None) -> None:
        if self.rank == 0:
            self.options.progress(
                Progress(
                    share=self.state.share,
                    epoch=self.state.epoch,
                    epochs=self.config.epochs,
                    rows=self._rows_seen(),
                    elapsed_s=self.state.elapsed_s,
                    validation_loss=validation_loss,
                )
            )

    def _keep(self, after_s: float) -> None:
        """Checkpoint when `after_s` have passed since the last one, or the run is over."""
        since = distributed.largest(time.monotonic() - self.kept, self.device)
        if since >= after_s or self.state.stopped:
            self.checkpoints.save(self._checkpoint() if self.rank == 0 else None)
            self.kept = time.monotonic()

    def _checkpoint(self) -> bytes:
        tensors = with_prefix("model.", self.model.state_dict())
        tensors |= with_prefix("best.", self.best)
        for index, slots in self.optimizer.state_dict()["state"].items():
            tensors |= with_prefix(f"optimizer.{index}.", slots)
        return pack(self.state, tensors)

    def _resume(self) -> None:
        data = self.checkpoints.load()
        if data is None:
            return
        self.state, tensors = unpack(data)
        self._load_tensors(without_prefix("model.", tensors))
        best = without_prefix("best.", tensors)
        self.best = {name: value.to(self.device) for name, value in best.items()}
        plain: dict[str, Any] = self.optimizer.state_dict()
        for key, value in without_prefix("optimizer.", tensors).items():
            index, name = key.split(".", 1)
            plain["state"].setdefault(int(index), {})[name] = value
        self.optimizer.load_state_dict(plain)

    def _load_tensors(self, tensors: dict[str, Tensor]) -> None:
        self.model.load_state_dict(tensors)
        self.model.mixture.refresh()
