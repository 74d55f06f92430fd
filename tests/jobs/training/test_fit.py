"""What is seen of a training while it runs."""

import pytest

from gtcoder.progress import Stage
from gtcoder.training.options import Progress
from ray_jobs.training import fit

pytestmark = pytest.mark.timeout(120)


class Seen(Stage):
    """Keeps the shares that are shown."""

    def __init__(self):
        super().__init__("train")
        self.shares = []

    def update(self, share, text, left_s=None, *, at_most=False):
        self.shares.append(share)


def test_progress_is_shown_again_after_its_keeper_was_lost(ray_session, wait_until):
    import ray

    board, stage = fit.new_board(), Seen()

    def shown(share):
        board.put.remote(
            Progress(
                share=share,
                epoch=1,
                epochs=2,
                rows=3,
                elapsed_s=4.0,
                validation_loss=None,
                left_s=None,
            )
        )
        return share in stage.shares

    with fit._shown(board, stage):
        wait_until(lambda: shown(0.25))
        ray.kill(board, no_restart=False)
        wait_until(lambda: shown(0.5))
