"""Solutions that are right on the easiest inputs alone: none may pass."""

import math
from fractions import Fraction

import numpy as np
import pytest

from minicompress import equations
from minicompress.equations import check


def reference(id, **fixed):
    """The formula itself with some of its arguments hard-wired."""
    entry = equations.equation(id)

    def function(*inputs):
        return entry.reference(*(dict(zip(entry.arguments, inputs, strict=True)) | fixed).values())
    return function


MEMORISED = [
    *(("PR-10", {name: value}) for name, value in (("lr", 0.25), ("momentum", 0.5), ("first", 1))),
    *((id, {"classes": k}) for id in ("ME-1", "ME-1:confusion", "ME-1:macro-f1") for k in (4, 6)),
    ("QU-12", {"k": 4}), ("QU-10:layer", {"q_min": -128}), ("QU-10:layer", {"q_max": 127}),
]


@pytest.mark.parametrize(("id", "fixed"), MEMORISED, ids=lambda value: str(value))
def test_a_memorised_constant_fails(id, fixed):
    assert check(id, reference(id))
    assert not check(id, reference(id, **fixed))


def int16_layer(q1, q2, b, z1, z2, z3, m0, n, q_min, q_max):
    products = (q1 - z1).astype(np.int16) * (q2 - z2).astype(np.int16)
    total = int(products.sum(dtype=np.int16)) + b
    return min(max(z3 + math.floor(Fraction(m0 * total, 2**31) / Fraction(2) ** n + Fraction(1, 2)), q_min), q_max)


def whole(id):
    """The formula of whole numbers, as if there were no others."""
    function = equations.equation(id).reference
    return lambda first, *rest: function(np.trunc(first), *rest)


def huffman(most=np.inf):
    """Right up to so many bits, then cut."""
    function = equations.equation("QU-14").reference
    return lambda counts: np.minimum(function(counts), most)


def antithetic(x, rng):
    half = rng.random((x.size + 1) // 2)
    return np.where(np.append(half, 1 - half)[:x.size] < (x + 1) / 2, 1, -1)


WRONG = {
    "int16": ("QU-10:layer", int16_layer),
    "int8": ("QU-1:dequantize", lambda q, s, z: s * (q.astype(np.int8) - np.int8(z))),
    "nearly zero": ("PR-1", lambda x: np.mean(np.isclose(x, 0))),
    "5 bits": ("QU-14", huffman(5)), "15 bits": ("QU-14", huffman(15)), "32 bits": ("QU-14", huffman(32)),
    "antithetic": ("BI-2", antithetic),
    "unseeded": ("BI-2", lambda x, rng: np.where(np.random.default_rng().random(x.size) < (x + 1) / 2, 1, -1)),
    **{f"whole numbers, {id}": (id, whole(id)) for id in ("PR-16", "PR-17", "PR-16:product")},
}


@pytest.mark.parametrize(("id", "function"), WRONG.values(), ids=WRONG)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_wrong_arithmetic_fails(id, function):
    assert not check(id, function)


def softmax(z, floor=0.0, eps=0.0):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.maximum(e / (e.sum(axis=-1, keepdims=True) + eps), floor)


DOUBLE = {
    "an epsilon": ("KD-1", lambda z, T: softmax(z / T, eps=1e-6)),
    "a floor": ("KD-1", lambda z, T: softmax(z / T, floor=1e-7)),
    "six digits": ("KD-1", lambda z, T: softmax(z / T).round(6)),
    "nearly": ("KD-2", lambda *inputs: (1 + 1e-5) * equations.equation("KD-2").reference(*inputs)),
}


@pytest.mark.parametrize(("id", "function"), DOUBLE.values(), ids=DOUBLE)
def test_an_error_that_single_precision_would_hide_fails_in_double_precision(id, function):
    assert not check(id, function)


def test_single_precision_passes_where_every_number_is_of_it():
    result = check("KD-1", lambda z, T: softmax(np.float32(z) / np.float32(T)))
    assert result and "single precision" in result.report["note"]
    assert check("KD-1", lambda z, T: softmax(np.float32(z) / np.float32(T)).astype(np.float64).tolist())
