"""The gradual schedule by example; what holds of all inputs stands in tests/laws/test_pruning_laws.py."""

import numpy as np
import pytest

from minicompress.pruning import gradual_sparsity


def test_seven_eighths_of_the_way_is_done_by_half_time():
    assert gradual_sparsity(50, final=0.8, begin=0, end=100) == pytest.approx(0.7)


def test_steps_count_in_multiples_and_the_end_comes_on_time():
    values = [gradual_sparsity(t, final=0.5, begin=0, end=10, every=4) for t in range(12)]
    assert values[:4] == [0.0] * 4 and len(set(values[4:8])) == len(set(values[8:10])) == 1
    assert values[10:] == [0.5, 0.5] and values[3] < values[4] < values[8] < values[10]


def test_many_steps_at_once():
    steps = np.arange(-2, 14)
    options = {"initial": 0.1, "final": 0.9, "begin": 0, "end": 10, "every": 3}
    assert gradual_sparsity(steps, **options).tolist() == [gradual_sparsity(int(t), **options) for t in steps]
    assert isinstance(gradual_sparsity(3, **options), float)


@pytest.mark.parametrize(("options", "words"), [
    ({"final": 97, "begin": 0, "end": 1}, r"final is 97, expected a fraction in \[0, 1\]"),
    ({"final": -0.1, "begin": 0, "end": 1}, r"final is -0\.1, expected a fraction"),
    ({"final": 0.5, "begin": 1, "end": 1}, "begin is 1, end 1, every 1, expected begin < end"),
    ({"final": 0.5, "begin": 2, "end": 1}, "begin is 2, end 1, every 1, expected begin < end"),
    ({"final": 0.5, "begin": 0, "end": 1, "every": 0}, "begin is 0, end 1, every 0, expected begin < end, every > 0"),
    ({"initial": 1.5, "final": 0.5, "begin": 0, "end": 1}, r"initial is 1\.5, expected a fraction"),
    ({"final": float("nan"), "begin": 0, "end": 1}, "final is nan, expected a fraction"),
])
def test_bad_options(options, words):
    with pytest.raises(ValueError, match=words):
        gradual_sparsity(0, **options)
