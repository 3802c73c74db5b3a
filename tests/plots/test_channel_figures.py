"""The figures of cut channels and of sparse rows show their data."""

import numpy as np
import pytest

from minicompress import plots


def test_filters_kept_are_framed_and_shown_again():
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(12, 1, 3, 3)), rng.normal(size=(2, 1, 3, 3))
    axes = [ax for ax in plots.filters_before_after(before, after, [4, 11]).axes if ax.images]
    assert [ax.get_title() for ax in axes] == [*map(str, range(12)), "4", "11"]
    for ax, image in zip(axes, [*before[:, 0], *after[:, 0]], strict=True):
        assert np.array_equal(ax.images[0].get_array(), image)
    widths = [ax.spines["left"].get_linewidth() for ax in axes]
    assert [i for i, width in enumerate(widths) if width == max(widths)] == [4, 11, 12, 13]
    assert len({ax.images[0].get_clim() for ax in axes[:12]}) == 1  # one scale, so that weak filters look weak


@pytest.mark.parametrize(("shapes", "kept", "words"), [
    (((4, 2, 3, 3), (1, 2, 3, 3)), [0], "expected one input channel"),
    (((4, 1, 3, 3), (2, 1, 3, 3)), [0], "expected an index for each of the 2 filters"),
    (((4, 1, 3, 3), (1, 1, 3, 3)), [4], "indices kept span 4 to 4, expected 0 to 3"),
])
def test_filters_that_do_not_fit_are_refused(shapes, kept, words):
    with pytest.raises(ValueError, match=words):
        plots.filters_before_after(*map(np.ones, shapes), kept)


def test_error_against_parameters_draws_a_curve_for_each_way():
    ax, = plots.error_against_parameters({"cut": [(500, 0.03), (100, 0.05)], "scratch": [(100, 0.06)]},
                                         whole=(1000, 0.02)).axes
    cut, scratch, whole = ax.lines
    assert cut.get_xdata().tolist() == [100, 500] and cut.get_ydata().tolist() == pytest.approx([5, 3])
    assert scratch.get_ydata().tolist() == pytest.approx([6]) and whole.get_xdata().tolist() == [1000]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["cut", "scratch", "before cutting"]
    assert cut.get_linestyle() != scratch.get_linestyle() and cut.get_marker() != scratch.get_marker()
    for nothing in ({}, {"cut": []}):
        with pytest.raises(ValueError, match="at least one"):
            plots.error_against_parameters(nothing)


def test_sensitivity_draws_a_curve_for_each_layer():
    ax, = plots.sensitivity({"fc1.weight": [0.02, 0.5], "fc2.weight": np.array([0.02, 0.9])}, [0.0, 0.75]).axes
    assert [line.get_label() for line in ax.lines] == ["fc1", "fc2"]
    assert ax.lines[1].get_xdata().tolist() == [0, 75] and ax.lines[1].get_ydata().tolist() == pytest.approx([2, 90])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("sparsity of this layer alone, %",
                                                   "validation error, % (log scale)")
    for errors in ({}, {"fc1.weight": [0.1]}):
        with pytest.raises(ValueError, match="as many for each layer"):
            plots.sensitivity(errors, [0.0, 0.5])


def test_products_are_drawn_over_what_is_kept_with_the_break_even():
    results = [{"shape": [20, 30], "batch": batch, "sparsity": s, "ours_seconds": 2e-6 * (1 - s) * batch,
                "peer_seconds": 3e-6, "dense_seconds": 1e-6 * batch} for batch in (1, 4) for s in (0.0, 0.75)]
    even = [{"shape": [20, 30], "batch": 1, "ours": 0.5, "peer": None},
            {"shape": [20, 30], "batch": 4, "ours": None, "peer": None}]
    report = {"benchmark": "csr", "results": results, "break_even": even}
    one, four = plots.sparse_products(report).axes
    assert [line.get_label() for line in four.lines] == ["dense, BLAS", "scipy.sparse", "sparse rows, ours"]
    assert four.lines[2].get_xdata().tolist() == [100, 25] and four.lines[2].get_ydata().tolist() == [8, 2]
    assert list(one.lines[-1].get_xdata()) == [50, 50] and one.texts[0].get_text() == "50 % zeros"
    assert (one.get_title(), four.get_title()) == ("20×30, batch 1", "20×30, batch 4") and not four.texts
    with pytest.raises(ValueError, match="benchmark is 'train', expected one of 'csr'"):
        plots.sparse_products({"benchmark": "train"})
