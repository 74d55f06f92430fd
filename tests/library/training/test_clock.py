"""The clock keeps time free for what comes after the last step."""

import time

import pytest
import torch

from gtcoder.training.checkpoint import State
from gtcoder.training.clock import Clock


def clock(max_time_s, **state):
    return Clock(State(**state), max_time_s, torch.device("cpu"), time.monotonic())


def test_without_a_limit_only_steps_count():
    free = clock(None, elapsed_s=1e6)
    assert free.share(0.25) == 0.25
    assert not free.over
    assert free.gap(0.01, 1e6) == 0.01


def test_the_ending_takes_its_share_of_the_time():
    limited = clock(100.0, elapsed_s=40.0)
    assert limited.share(0.1) == pytest.approx(0.4)
    limited.leave(20.0)
    assert limited.share(0.1) == pytest.approx(0.5)
    assert limited.share(0.9) == 0.9
    limited.state.elapsed_s = 80.0
    assert limited.over


def test_steps_keep_half_of_the_time_however_long_the_ending():
    limited = clock(100.0, elapsed_s=49.0)
    limited.leave(1_000.0)
    assert not limited.over
    limited.state.elapsed_s = 50.0
    assert limited.over


def test_what_is_slow_comes_less_often():
    assert clock(100.0).gap(0.01, 0.05) == 0.01
    assert clock(100.0).gap(0.01, 2.0) == pytest.approx(0.2)


def test_it_is_looked_at_after_the_first_step_and_whenever_asked():
    limited = clock(100.0)
    assert limited.step()
    while limited.step():
        pass
    limited.soon()
    assert limited.step()


def test_where_time_is_short_fewer_rows_are_looked_at():
    assert clock(None, row_s=0.1).rows(0.1) is None
    assert clock(100.0).rows(0.1) is None, "nothing is known yet"
    assert clock(100.0, row_s=0.001).rows(0.1) == 10_000
    assert clock(10.0, row_s=1.0).rows(0.1) == 1_000


def test_what_is_left_is_the_steps_at_their_pace_and_the_ending():
    free = clock(None, elapsed_s=100.0)
    assert free.left_s(0.01) is None, "of what came before nothing follows"
    free.leave(7.0)
    free.state.elapsed_s = 110.0
    assert free.left_s(0.26) == pytest.approx(10 * 0.74 / 0.25 + 7.0)


def test_what_is_left_is_never_more_than_is_allowed():
    limited = clock(130.0, elapsed_s=100.0)
    assert limited.left_s(0.01) == pytest.approx(30.0)
    limited.state.elapsed_s = 110.0
    assert limited.left_s(0.02) == pytest.approx(20.0)
    assert limited.left_s(0.51) == pytest.approx(9.8)


@pytest.mark.parametrize("max_time_s", [None, 1_000.0])
def test_after_the_last_step_only_the_ending_is_left(max_time_s):
    ended = clock(max_time_s, elapsed_s=0.0, ending_s=7.0)
    ended.end()
    assert ended.left_s(0.01) == pytest.approx(7.0, abs=0.1), "it ended long before its steps did"
    ended.state.elapsed_s += 5.0
    assert ended.left_s(0.01) == pytest.approx(2.0, abs=0.1)
    ended.state.elapsed_s += 5.0
    assert ended.left_s(0.01) == 0
