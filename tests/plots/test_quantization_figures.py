"""The figures of linear quantization show what the formulas say."""

import math

import numpy as np
import pytest

from minicompress import plots
from minicompress.equations.quantization.affine import code_bounds, dequantize, quantize
from minicompress.equations.quantization.scales import asymmetric_params, symmetric_scale
from minicompress.equations.quantization.weights import decibels


@pytest.mark.parametrize("symmetric", [False, True])
def test_the_staircase_is_the_quantizer_and_stays_within_its_bound(symmetric):
    top, bottom = plots.staircase(-1.0, 3.0, 3, symmetric=symmetric).axes
    s, z = (symmetric_scale(-1.0, 3.0, 3), 0) if symmetric else asymmetric_params(-1.0, 3.0, 3)
    r, r_hat = top.lines[1].get_data()
    for x, y in zip(r[::100].tolist(), r_hat[::100].tolist(), strict=True):
        assert y == pytest.approx(dequantize(quantize(x, s, z, -4, 3), s, z), abs=1e-6)
    inside = (r >= -1) & (r <= 3)
    assert np.abs(bottom.lines[0].get_ydata()[inside]).max() <= s / 2 + 1e-6
    assert sorted(line.get_ydata()[0] for line in bottom.lines[1:]) == pytest.approx([-s / 2, s / 2])
    assert r.min() < -1 and r.max() > 3 and ("symmetric" in top.get_title(loc="left"))
    assert (top.get_ylabel(), bottom.get_ylabel()) == ("r̂ = s·(q − z)", "r̂ − r")


def test_the_levels_are_those_of_the_formula_beside_6_02_db_a_bit():
    r = np.random.default_rng(0).uniform(-1, 1, 500)
    ax, = plots.error_against_bits({"some": r, "other": r**3}, [2, 4, 8]).axes
    reference, some, other = ax.lines
    for bits, level in zip(*some.get_data(), strict=True):
        s, z = asymmetric_params(r.min(), r.max(), int(bits))
        r_hat = [dequantize(quantize(x, s, z, *code_bounds(int(bits))), s, z)
                 for x in r.tolist()]
        assert level == pytest.approx(decibels(r.tolist(), r_hat), abs=1e-3)
    assert np.diff(reference.get_ydata()) == pytest.approx([2 * 20 * math.log10(2), 4 * 20 * math.log10(2)])
    assert reference.get_ydata()[-1] == some.get_ydata()[-1] != other.get_ydata()[-1]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["6.02 dB for each bit", "some", "other"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("bits", "signal-to-noise ratio, dB")


def test_bars_are_the_relative_errors_of_both_kinds():
    weights = {"a": np.array([[8.0, 1.0], [0.1, 0.033]]), "b": np.array([[[1.0]], [[2.0]]])}
    ax, = plots.per_layer_and_per_channel(weights, bits=2).axes
    shared, own = ([bar.get_height() for bar in bars] for bars in ax.containers)
    # 2 bits: codes −2 to 1, s = max|r|. One scale, 8: only 8.0 is kept. Own scales: 8.0 and 0.1 are.
    square = sum(w**2 for w in (8.0, 1.0, 0.1, 0.033))
    assert shared[0] == pytest.approx(100 * math.sqrt((1 + 0.1**2 + 0.033**2) / square))
    assert own[0] == pytest.approx(100 * math.sqrt((1 + 0.033**2) / square))
    assert own[1] == 0 and shared[1] == pytest.approx(100 / math.sqrt(5))  # 1/2 is rounded to the even code, 0


def test_no_array_has_no_error():
    with pytest.raises(ValueError, match=r"arrays \[\] and bits \[4\]: expected at least one of each"):
        plots.error_against_bits({}, [4])
    with pytest.raises(ValueError, match=r"arrays \['a'\] and bits \[\]: expected at least one of each"):
        plots.error_against_bits({"a": np.ones(2)}, [])
