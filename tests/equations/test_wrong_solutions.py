"""Solutions that are right on the easiest inputs alone: none may pass."""

import math
from fractions import Fraction

import numpy as np
import pytest

from minicompress import checker
from minicompress.checker import check, trial


def reference(id, **fixed):
    """The formula itself with some of its arguments hard-wired."""
    entry = checker.equation(id)

    def function(*inputs):
        return entry.reference(*(dict(zip(entry.arguments, inputs, strict=True)) | fixed).values())
    return function


MEMORISED = [
    *(("PR-10", {name: value}) for name, value in (("lr", 0.25), ("momentum", 0.5), ("first", 1))),
    *((id, {"classes": k}) for id in ("ME-1", "ME-1:confusion", "ME-1:macro-f1") for k in (4, 6)),
    *(("PR-10:adam", {name: value}) for name, value in (("lr", 0.25), ("first", 1))),
    *(("QU-13:pruned", {name: value}) for name, value in (("b", 32), ("k", 4), ("i", 5))),
    *(("QU-11:pruned", {"k": k}) for k in (1, 2, 3)), *(("QU-11:lloyd", {"iterations": n}) for n in (1, 2)),
    ("QU-12", {"k": 4}), ("QU-10:layer", {"q_min": -128}), ("QU-10:layer", {"q_max": 127}),
]


@pytest.mark.slow
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
    function = checker.equation(id).reference
    return lambda first, *rest: function(np.trunc(first), *rest)


def huffman(most=np.inf):
    """Right up to so many bits, then cut."""
    function = checker.equation("QU-14").reference
    return lambda counts: np.minimum(function(counts), most)


def antithetic(x, rng):
    half = rng.random((x.size + 1) // 2)
    return np.where(np.append(half, 1 - half)[:x.size] < (x + 1) / 2, 1, -1)


def softmax(z, floor=0.0, eps=0.0):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return np.maximum(e / (e.sum(axis=-1, keepdims=True) + eps), floor)


def without_gaps(x):
    """So many numbers from the memory that x lies in, as if it had no gaps."""
    return np.ndarray(x.shape, x.dtype, x if x.base is None else x.base)


WRONG = {
    "int16": ("QU-10:layer", int16_layer),
    "int8": ("QU-1:dequantize", lambda q, s, z: s * (q.astype(np.int8) - np.int8(z))),
    "nearly zero": ("PR-1", lambda x: np.mean(np.isclose(x, 0))),
    "5 bits": ("QU-14", huffman(5)), "15 bits": ("QU-14", huffman(15)), "32 bits": ("QU-14", huffman(32)),
    "first row": ("KD-1", lambda z, T: softmax(z / T) if z.ndim < 2 else np.broadcast_to(softmax(z[:1] / T), z.shape)),
    "two axes alone": ("KD-1", lambda z, T: softmax(z / T) if z.ndim < 3 else softmax(z.swapaxes(1, 2) / T).swapaxes(
        1, 2)),
    "gaps in memory": ("PR-1", lambda x: np.mean(without_gaps(x) == 0)),
    "beyond 6000": ("KD-1", lambda z, T: softmax(np.clip(z, -6000, 6000) / T)),
    "floor in large layers": ("PR-2", lambda w, s: np.argsort(np.argsort(np.abs(w), kind="stable")) >= (
        int(s * w.size) if w.size > 50 else round(s * w.size))),
    "antithetic": ("BI-2", antithetic),
    "unseeded": ("BI-2", lambda x, rng: np.where(np.random.default_rng().random(x.size) < (x + 1) / 2, 1, -1)),
    **{f"whole numbers, {id}": (id, whole(id)) for id in ("PR-16", "PR-17", "PR-16:product")},
}


@pytest.mark.parametrize(("id", "function"), WRONG.values(), ids=WRONG)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_wrong_arithmetic_fails(id, function):
    assert not check(id, function)


DOUBLE = {
    "an epsilon": ("KD-1", lambda z, T: softmax(z / T, eps=1e-6)),
    "a floor": ("KD-1", lambda z, T: softmax(z / T, floor=1e-7)),
    "six digits": ("KD-1", lambda z, T: softmax(z / T).round(6)),
    "nearly": ("KD-2", lambda *inputs: (1 + 1e-5) * checker.equation("KD-2").reference(*inputs)),
}


@pytest.mark.parametrize(("id", "function"), DOUBLE.values(), ids=DOUBLE)
def test_an_error_that_single_precision_would_hide_fails_in_double_precision(id, function):
    assert not check(id, function)


def test_single_precision_passes_where_every_number_is_of_it():
    result = check("KD-1", lambda z, T: softmax(np.float32(z) / np.float32(T)))
    assert result and "single precision" in result.report["note"]
    assert check("KD-1", lambda z, T: softmax(np.float32(z) / np.float32(T)).astype(np.float64).tolist())


def moved(w, k):
    """The best clusters, all their centroids moved so that the error is a thirtieth larger."""
    centroids, codes = map(np.array, checker.equation("QU-11").reference(w, k))
    return centroids + np.sqrt(np.mean((w - centroids[codes]) ** 2) / 30), codes


def colder(z, T):
    """From T = 4 on as if it were a little less than half, so that twice the temperature is a little colder."""
    return softmax(z / (T if T < 4 else 0.49 * T))


def tilted(z, T):
    each = np.eye(z.shape[-1])
    return softmax(z / T) + (0.05 * each[0] - 0.05 * each[-1] if T > 1e6 else 0)


def loaded(x, rng):
    return np.where(rng.random(x.size) < (x + 1) / 2 + np.where(np.abs(x) <= 0.25, 0.085, 0), 1, -1)


@pytest.mark.parametrize(("id", "property", "function"), [
    ("QU-4", "the error is at most half a step",
     lambda r, bits: r + 0.55 * (max(r.max(), 0) - min(r.min(), 0)) / (2**bits - 1)),
    ("QU-11", "no clustering has a smaller error", moved), ("KD-1", "entropy grows with T", colder),
    ("KD-1", "a very high T makes it uniform", tilted), ("BI-2", "+1 has its probability", loaded),
])
def test_a_property_has_no_slack(id, property, function):
    """What is a little wrong is found by the property that says so, not by another one alone."""
    entry = checker.equation(id)
    assert property in trial.run(entry, entry.subject(function), entry.examples(36)).failed
