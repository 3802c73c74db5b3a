"""The figures of binary networks show their data."""

import numpy as np
import pytest

from minicompress import plots


def test_latent_weights_show_both_histograms_and_what_changed():
    before = np.random.default_rng(0).uniform(-1, 1, (40, 50))
    after = np.clip(3 * before, -1, 1)
    after[:10] *= -1
    top, bottom = plots.latent_weights(before, after, bins=20).axes
    for ax, weights in ((top, before), (bottom, after)):
        assert [bar.get_height() for bar in ax.patches] == np.histogram(weights, np.linspace(-1, 1, 21))[0].tolist()
    assert top.get_title(loc="left") == "before: 2,000 latent weights"
    share = 100 * np.mean(np.abs(after) > 0.95)
    assert bottom.get_title(loc="left") == f"after: {share:.1f} % beyond ±0.95, 25.0 % with another sign than before"


def test_theory_is_never_in_one_panel_with_a_measurement():
    results = [{"product": "a", "ratio": 12.5, "theoretical_speedup": 63.0},
               {"product": "b", "ratio": 0.75, "theoretical_speedup": 60.0}]
    measured, theory = plots.xnor_speedup(results).axes
    assert [bar.get_width() for bar in measured.patches] == [12.5, 0.75]
    assert [bar.get_width() for bar in theory.patches] == [63, 60]
    assert measured.get_xlabel() != theory.get_xlabel() and measured.get_xlim() != theory.get_xlim()


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="no results"):
        plots.xnor_speedup([])
    with pytest.raises(ValueError, match=r"\(3,\) before and \(2,\) after"):
        plots.latent_weights(np.zeros(3), np.zeros(2))
