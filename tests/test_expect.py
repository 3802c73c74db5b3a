"""The words of refusal: NAME is VALUE, expected …, and what fits comes back."""

import math

import numpy as np
import pytest

from minicompress import expect
from minicompress.engine import Tensor


@pytest.mark.parametrize(("found", "expected"), [
    (lambda: expect.integer("k", np.int64(3), 1), 3), (lambda: expect.integer("k", 16, 1, 16), 16),
    (lambda: expect.integers(0, a=0, b=np.int8(7)), [0, 7]), (lambda: expect.divisor("groups", 3, 6, 9), 3),
    (lambda: expect.number("lr", np.float32(0.5), 0), 0.5), (lambda: expect.positive(a=1, b=0.5), [1.0, 0.5]),
    (lambda: expect.fraction("p", 1), 1), (lambda: expect.one_of("axis", None, (None, 0)), None),
    (lambda: expect.some_of("names", ["a"], {"a": 1, "b": 2}), ["a"]), (lambda: expect.a(dict, "keep", {}), {}),
    (lambda: expect.function("f", len), len), (lambda: expect.generator(None, "to evaluate only"), None),
    (lambda: expect.reals("w", [1, 2]).tolist(), [1, 2]), (lambda: expect.integral("labels", [], 0, 1).tolist(), []),
    (lambda: expect.shaped("w", 3, "()", True), 3), (lambda: expect.that(True, "never"), None),
])
def test_what_fits_comes_back(found, expected):
    found = found()
    assert found == expected and type(found) is type(expected)


@pytest.mark.parametrize(("call", "error", "words"), [
    (lambda: expect.integer("k", 0, 1), ValueError, "k is 0, expected an integer of at least 1"),
    (lambda: expect.integer("k", True, 1), ValueError, "k is True, expected an integer of at least 1"),
    (lambda: expect.integer("k", 2.0, 1, 4), ValueError, "k is 2.0, expected an integer from 1 to 4"),
    (lambda: expect.integer("k", 5, most=4), ValueError, "k is 5, expected an integer of at most 4"),
    (lambda: expect.integer("k", "2", kind=TypeError), TypeError, "k is '2', expected an integer"),
    (lambda: expect.integers(1, stride=1, kernel=0), ValueError, "kernel is 0, expected an integer of at least 1"),
    (lambda: expect.divisor("groups", 4, 6), ValueError, "groups is 4, expected a divisor of 6 channels"),
    (lambda: expect.number("lr", "1"), TypeError, "lr is '1', expected a number"),
    (lambda: expect.number("lr", math.nan), ValueError, "lr is nan, expected a finite number"),
    (lambda: expect.number("lr", -1, 0), ValueError, "lr is -1, expected a finite number of at least 0"),
    (lambda: expect.number("T", 0, above=0), ValueError, "T is 0, expected a finite number above 0"),
    (lambda: expect.number("m", 2, 0, 1), ValueError, "m is 2, expected a number from 0 to 1"),
    (lambda: expect.number("m", 2, above=0, most=1), ValueError,
     "m is 2, expected a finite number of at most 1 and above 0"),
    (lambda: expect.positive(a=1, b=math.inf), ValueError, "b is inf, expected a finite number above 0"),
    (lambda: expect.fraction("p", 1, below=1), ValueError, r"p is 1, expected a fraction in \[0, 1\)"),
    (lambda: expect.fraction("p", 0, above=0), ValueError, r"p is 0, expected a fraction in \(0, 1\]"),
    (lambda: expect.fraction("p", math.nan), ValueError, r"p is nan, expected a fraction in \[0, 1\]"),
    (lambda: expect.fraction("p", True), ValueError, "p is True, expected a fraction"),
    (lambda: expect.one_of("init", "best", ("a", "b")), ValueError, "init is 'best', expected one of 'a', 'b'"),
    (lambda: expect.some_of("real names", ["c", "a"], ["a", "b"]), ValueError,
     r"real names \['c'\], expected some of \['a', 'b'\]"),
    (lambda: expect.a(Tensor, "x", 3), TypeError, "x is an int, expected a Tensor"),
    (lambda: expect.a(int, "x", Tensor([1.0]), "a whole number"), TypeError, "x is a Tensor, expected a whole number"),
    (lambda: expect.function("f", 3), TypeError, "f is 3, expected a callable"),
    (lambda: expect.generator(3), TypeError, r"rng is 3, expected a np\.random\.Generator"),
    (lambda: expect.generator(None), TypeError, "rng is None"),
    (lambda: expect.reals("w", ["1"]), TypeError, r"w of shape \(1,\) are <U1, expected real numbers"),
    (lambda: expect.reals("w", [0, math.nan, math.inf], finite=True), ValueError,
     r"w hold 2 NaN or infinite of 3 numbers, first nan at \(1,\): expected finite numbers"),
    (lambda: expect.integral("labels", [0.5]), TypeError, r"labels of shape \(1,\) are float64, expected integers"),
    (lambda: expect.integral("labels", [0, 7], 0, 2), ValueError, "labels span 0 to 7, expected 0 to 2"),
    (lambda: expect.integral("z", 9, 0, 2), ValueError, "z is 9, expected 0 to 2"),
    (lambda: expect.shaped("logits", np.zeros(3), "(N, C)", False), ValueError,
     r"logits have shape \(3,\), expected \(N, C\)"),
    (lambda: expect.shaped("input", np.zeros(3), "(N, C)", False), ValueError, "input has shape"),
    (lambda: expect.that([], "nothing", KeyError), KeyError, "nothing"),
    (lambda: expect.that(0, lambda: "made when needed"), ValueError, "made when needed"),
])
def test_what_does_not_is_refused_by_its_name_and_value(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_a_message_is_made_only_when_it_is_needed():
    expect.that(True, lambda: 1 / 0)
