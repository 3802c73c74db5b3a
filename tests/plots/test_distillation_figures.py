"""The figures of distillation show their data."""

import numpy as np
import pytest

from minicompress import plots
from minicompress.equations.distillation.logit_regression import high_temperature_gradient
from minicompress.equations.distillation.soft_targets import gradient_of_parts
from minicompress.equations.distillation.softened import softened


def test_each_temperature_shows_its_probabilities():
    logits = [3.0, -1.0, 8.0, 0.5]
    figure = plots.softened_probabilities(logits, (1, 2, 5, 20), image=np.eye(8))
    picture, *panels = figure.axes
    assert picture.images[0].get_array().tolist() == np.eye(8).tolist()
    assert [ax.get_title() for ax in panels] == ["T = 1", "T = 2", "T = 5", "T = 20"]
    for ax, temperature in zip(panels, (1, 2, 5, 20), strict=True):
        heights = [bar.get_height() for bar in ax.patches]
        assert heights == pytest.approx(softened(logits, temperature))
        assert ax.get_ylim()[1] >= 1 and ax.get_xlabel() == "class"
        assert len({bar.get_facecolor() for bar in ax.patches}) == 2, "the answer stands out"
        assert ax.patches[2].get_facecolor() != ax.patches[0].get_facecolor()
    assert panels[0].get_ylabel() == "probability"
    assert len(plots.softened_probabilities(logits, (3,)).axes) == 1


@pytest.mark.parametrize(("logits", "temperatures"), [([[1.0, 2.0]], (1,)), ([1.0, 2.0], ())])
def test_probabilities_of_nothing_are_refused(logits, temperatures):
    with pytest.raises(ValueError, match=r"expected .*classes"):
        plots.softened_probabilities(logits, temperatures)


def test_each_width_has_a_line_over_temperature_and_one_of_labels():
    students = {300: {"distilled": [[0.02, 0.01, 0.03], [0.04, 0.03, 0.03]], "plain": [0.02, 0.04]},
                30: {"distilled": [[0.05, 0.06, 0.07]] * 2, "plain": [0.05, 0.05]}}
    ax, = plots.error_against_temperature([1, 4, 20], students).axes
    lines = [line for line in ax.lines if len(line.get_xdata()) == 3 and line.get_label() == "_nolegend_"
             and line.get_linestyle() == "-"]
    assert [line.get_ydata().tolist() for line in lines] == [pytest.approx([3, 2, 3]), pytest.approx([5, 6, 7])]
    assert all(line.get_xdata().tolist() == [1, 4, 20] for line in lines)
    dashed = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert dashed == [pytest.approx(3), pytest.approx(5)]
    labels = {text.get_text() for text in ax.get_legend().get_texts()}
    assert labels == {f"{units} units, {how}" for units in (300, 30) for how in ("soft targets", "labels")}
    assert ax.get_ylabel() == "test error, %" and ax.get_ylim()[0] == 0
    with pytest.raises(ValueError, match="4 widths"):
        plots.error_against_temperature([1], {n: {"distilled": [[0.1]], "plain": [0.1]} for n in range(4)})


def test_the_gradient_approaches_its_limit_as_one_over_the_temperature():
    z, v = np.random.default_rng(0).normal(size=(2, 5, 10))
    ax, = plots.high_temperature_limit(z, v, (64.0, 128.0, 256.0)).axes
    measured, line = (line.get_ydata() for line in ax.lines)
    z, v = (a - a.mean(axis=1, keepdims=True) for a in (z, v))
    for t, found in zip((64.0, 128.0, 256.0), measured, strict=True):
        gradients = [gradient_of_parts(*rows, t, 0.0, 1.0, 1.0) for rows in
                     zip(z.tolist(), v.tolist(), np.zeros((5, 10)).tolist(), strict=True)]
        limits = [high_temperature_gradient(*rows, t) for rows in zip(z.tolist(), v.tolist(), strict=True)]
        expected = np.linalg.norm(np.subtract(gradients, limits)) / np.linalg.norm(limits)
        assert found == pytest.approx(expected, rel=1e-6)
    assert line.tolist() == pytest.approx([4 * measured[2], 2 * measured[2], measured[2]])
    assert measured.tolist() == pytest.approx(line.tolist(), rel=0.1)
