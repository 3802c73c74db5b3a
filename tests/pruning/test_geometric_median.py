"""The geometric median by example; its laws stand on its page and in tests/laws/test_criteria.py."""

import numpy as np
import pytest

from minicompress.pruning import geometric_median
from tests.equations.planted import is_caught


def test_a_filter_that_has_a_twin_need_not_go_first():
    """Filter 1 does, the first of three that score the same, though 2 and 3 are the twins."""
    assert np.argmin(geometric_median(np.array([[0.0], [1.0], [9.0], [9.0]]))) == 1


def test_twins_of_large_numbers_have_no_distance():
    """The way by ‖a‖² + ‖b‖² − 2ab would lose it in rounding."""
    twins = np.repeat(np.random.default_rng(0).normal(1e4, 1, (1, 2, 3, 3)), 2, axis=0).astype(np.float32)
    assert geometric_median(twins).tolist() == [0.0, 0.0]


def test_what_holds_no_filters_is_refused():
    with pytest.raises(ValueError, match=r"weight has shape \(3,\), expected \(out, in, …\)"):
        geometric_median(np.ones(3))


@pytest.mark.parametrize(("old", "new"), [
    ("axis=1).sum()", "axis=0).sum()"), ("filters - one", "filters"), ("filters - one", "filters + one"),
    ("axis=1).sum()", "axis=1).max()"), (".sum() for", ".mean() for"),
    ("filters - one, axis", "filters - one, 1, axis"),
])
def test_a_planted_mutant_is_caught(old, new):
    assert is_caught("PR-5", old, new)
