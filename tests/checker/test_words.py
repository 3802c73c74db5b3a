"""Numbers in words: short, never the same for two that differ, and without a sign where there is none."""

import numpy as np

from minicompress.checker.words import in_words, told_apart


def test_six_digits_unless_that_hides_the_difference():
    assert told_apart(1 / 3, 0.5) == ("0.333333", "0.5")
    near = told_apart(np.array([1 / 3]), np.array([1 / 3 + 1e-9]))
    assert near[0] != near[1] and all(words.startswith("[0.33333333") for words in near)


def test_minus_zero_is_zero():
    assert in_words(np.array([-0.0, 0.0, -0.5])) == "[0, 0, -0.5]"
    assert in_words(-0.0) == "0"
