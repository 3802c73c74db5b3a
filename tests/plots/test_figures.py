"""Figures say what the data say: what is drawn is read back; and none of them touches pyplot's global state."""

import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from minicompress import container, models, plots, training
from minicompress.coding import huffman
from minicompress.equations.coding.huffman import canonical_codes, huffman_lengths
from minicompress.equations.pruning.magnitude import magnitude_mask
from minicompress.equations.quantization.partitions import clustering_error, layered_error

ROOT = Path(__file__).parents[2]

def bars(ax):
    """(left edge, right edge, height) of the bars that are drawn."""
    return [(p.get_x(), p.get_x() + p.get_width(), p.get_height()) for p in ax.patches if p.get_height() > 0]


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32)


@pytest.fixture(scope="module")
def inspection(tmp_path_factory):
    return container.save(models.mlp([8, 5, 3], rng=np.random.default_rng(0)), tmp_path_factory.mktemp("net") / "a.mcz")


def history():
    return training.History([2.0, 1.0, 0.5], [0.5, 0.25, 0.125], [1.5, 1.0, 1.0], [0.4, 0.3, 0.2])


ROWS = [{"method": "dense", "error": 0.02, "bytes": 1000}, {"method": "int8", "error": 0.01, "bytes": 260},
        {"method": "twin", "error": 0.01, "bytes": 262}, {"method": "tiny", "error": 0.3, "bytes": 20}]
STAGES = [("dense", 0.02, 1000), ("pruned", 0.03, 250), ("shared", 0.025, 40)]


@pytest.fixture(scope="module")
def figures(weights, inspection):
    pruned = np.where(np.abs(weights) > 1, weights, 0)
    return {
        "deep_compression": plots.deep_compression(weights[:5, :6], 0.5, 4),
        "weight_histograms": plots.weight_histograms(weights, pruned, [-1.5, 1.5]),
        "centroids_on_histogram": plots.centroids_on_histogram(pruned, [-1.5, 1.5]),
        "mask_picture": plots.mask_picture(pruned != 0),
        "huffman_tree": plots.huffman_tree([1, 2, 2]),
        "bytes_per_part": plots.bytes_per_part(inspection),
        "error_against_bytes": plots.error_against_bytes(STAGES),
        "comparison": plots.comparison(ROWS),
        "tour": plots.tour(STAGES, weights, pruned, [-1.5, 1.5]),
        "training_curves": plots.training_curves(history()),
        "digits_grid": plots.digits_grid(np.zeros((3, 8, 8)), "abc"),
    }


def test_every_figure_is_drawn(figures):
    assert figures.keys() <= set(plots.__all__)
    for name, figure in figures.items():
        assert isinstance(figure, Figure), name
        figure.savefig(file := io.BytesIO(), dpi=50)  # warnings, of glyphs and layouts too, are errors
        assert file.getvalue().startswith(b"\x89PNG"), name


def test_drawing_leaves_pyplot_alone():
    code = """if True:
        import sys
        from minicompress import plots
        plots.error_against_bytes([("a", 0.5, 9)]).savefig(sys.argv[1])
        sys.exit("matplotlib.pyplot" in sys.modules)"""
    with tempfile.TemporaryDirectory() as folder:
        assert subprocess.run([sys.executable, "-c", code, f"{folder}/a.png"], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize("name", ["weight_histograms", "centroids_on_histogram", "mask_picture", "bytes_per_part",
                                  "error_against_bytes", "tour", "training_curves"])
def test_axes_are_labelled(name, figures):
    axes = figures[name].axes
    assert axes[-1].get_xlabel() and any(ax.get_ylabel() or ax.get_yticklabels() for ax in axes)


def test_histograms_count_every_weight_once_and_leave_zeros_out(weights):
    pruned = np.where(np.abs(weights) > 1, weights, 0)
    before, after = plots.weight_histograms(weights, pruned).axes
    assert sum(height for *_, height in bars(before)) == weights.size
    assert sum(height for *_, height in bars(after)) == np.count_nonzero(pruned)
    assert f"{np.count_nonzero(pruned)} of 600 weights" in after.get_title(loc="left")
    assert before.get_xlim() == after.get_xlim()
    for left, right, height in bars(before)[:-1]:
        assert height == np.count_nonzero((weights >= left) & (weights < right))


def test_a_constant_array_has_a_histogram():
    before, after = plots.weight_histograms(np.ones(5), np.zeros(5)).axes
    assert sum(height for *_, height in bars(before)) == 5 and bars(after) == []


def test_two_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(2,\) before and \(3,\) after"):
        plots.weight_histograms(np.ones(2), np.ones(3))


def test_each_step_of_deep_compression_is_that_of_the_formulas(weights):
    w = weights[:5, :6]
    dense, pruned, shared, coded = plots.deep_compression(w, 0.5, 5).axes
    text = {ax: {text.get_position()[::-1]: text.get_text().replace("−", "-") for text in ax.texts}
            for ax in (dense, pruned, shared, coded)}
    mask = np.reshape(magnitude_mask(w.ravel().tolist(), 0.5), w.shape)
    assert text[dense] == {at: f"{value:+.1f}" for at, value in np.ndenumerate(w)}
    assert text[pruned] == {at: word for at, word in text[dense].items() if mask[at]}
    assert text[shared].keys() == text[coded].keys() == text[pruned].keys()
    survivors, codes = ([*values] for values in zip(*((w[at], int(word)) for at, word in text[shared].items()),
                                                    strict=True))
    centroids = [np.mean([value for value, code in zip(survivors, codes, strict=True) if code == c]) for c in range(5)]
    assert clustering_error(survivors, centroids, codes) == pytest.approx(layered_error(survivors, 5))
    words = canonical_codes(huffman_lengths([codes.count(c) for c in range(5)]))
    assert [*text[coded].values()] == [words[code] for code in codes]
    assert [ax.get_xlabel().split("\n")[0] for ax in (dense, pruned, shared, coded)] == [
        "30 floats,", "15 floats, 480 bits,", "15 codes, 45 bits, 5 floats,",
        f"15 words, {sum(len(word) for word in text[coded].values())} bits, 5 floats,"]
    shared_shade = [abs(centroids[int(text[shared][at])]) if mask[at] else 0 for at in np.ndindex(w.shape)]
    for ax, shade in ((dense, np.abs(w)), (pruned, np.abs(w) * mask), (shared, shared_shade), (coded, shared_shade)):
        assert np.ravel(ax.images[0].get_array()).tolist() == pytest.approx(np.ravel(shade).tolist())


@pytest.mark.parametrize(("w", "sparsity"), [(np.ones(4), 0.5), (np.ones((2, 2)), 1.0)])
def test_no_weights_on_their_way_are_refused(w, sparsity):
    with pytest.raises(ValueError, match="expected \\(rows, columns\\) and one at least"):
        plots.deep_compression(w, sparsity, 2)


def test_centroids_stand_where_they_are(weights):
    ax, = plots.centroids_on_histogram(weights, [-1.25, 0.5, 2.0]).axes
    assert [line.get_xdata()[0] for line in ax.lines] == [-1.25, 0.5, 2.0]
    assert sum(height for *_, height in bars(ax)) == weights.size


def test_kept_weights_are_dark():
    mask = np.random.default_rng(0).random((6, 2, 3)) < 0.3
    ax, = plots.mask_picture(mask).axes
    shown = ax.images[0]
    assert (shown.get_array() == ~mask.reshape(6, 6)).all()
    assert shown.cmap(shown.norm(0))[:3] == (0, 0, 0) and shown.cmap(shown.norm(1))[:3] == (1, 1, 1)
    with pytest.raises(ValueError, match="two axes"):
        plots.mask_picture(mask.ravel())


@pytest.mark.parametrize("lengths", [[1], [1, 1], [0, 2, 1, 2], [3] * 8, [1, 2, 3, 4, 5, 5]])
def test_the_tree_leads_to_every_code(lengths):
    ax, = plots.huffman_tree(lengths).axes
    leaves = dict(text.get_text().split("\n") for text in ax.texts if "\n" in text.get_text())
    assert leaves == {str(i): code for i, code in enumerate(canonical_codes(lengths)) if code}
    edges = [text for text in ax.texts if text.get_text() in "01" and "\n" not in text.get_text()]
    nodes = {code[:i] for code in leaves.values() for i in range(len(code) + 1)}
    assert len(edges) == len(nodes) - 1
    # 0 leads to the left and 1 to the right, so that leaves read from left to right are in order of their codes
    places = sorted((text.xy[0], text.get_text().split("\n")[1]) for text in ax.texts if "\n" in text.get_text())
    assert [code for _, code in places] == sorted(leaves.values())
    assert len({x for x, _ in places}) == len(places)


@pytest.mark.parametrize(("lengths", "labels", "message"), [
    ([], None, "symbols with a code is 0, expected"), ([0, 0], None, "symbols with a code is 0, expected"),
    ([6] * 41, None, "symbols with a code is 41, expected an integer from 1 to 40"),
    ([1, 1, 1], None, "no prefix code"), ([1, 1], "a", "1 labels for 2 symbols"),
])
def test_what_is_no_readable_tree_is_refused(lengths, labels, message):
    with pytest.raises(ValueError, match=message):
        plots.huffman_tree(lengths, labels)


def test_the_bars_are_the_bytes(inspection):
    ax, = plots.bytes_per_part(inspection).axes
    shown = dict(zip((label.get_text() for label in ax.get_yticklabels()), (bar.get_width() for bar in ax.patches),
                     strict=True))
    assert shown == inspection.sizes and sum(shown.values()) == inspection.size
    assert any(text.get_text().startswith(f"{inspection.sizes['payload']:,} ") for text in ax.texts)


def test_points_are_the_stages():
    ax, = plots.error_against_bytes(STAGES).axes
    assert ax.lines[0].get_xdata().tolist() == [1000, 250, 40]
    assert ax.lines[0].get_ydata().tolist() == pytest.approx([2, 3, 2.5])
    assert [text.get_text().split("\n")[0] for text in ax.texts] == ["dense", "pruned", "shared"]


def test_the_tour_shows_bytes_errors_and_shared_values():
    before = np.array([0.1, -0.4, 0.6, 0.5, -0.5])
    after = np.array([0, -0.5, 0.5, 0.5, 0], np.float32)
    left, middle, right = plots.tour(STAGES, before, after, [-0.5, 0.5]).axes
    assert [bar.get_width() for bar in left.patches] == [1000, 250, 40]
    assert [text.get_text() for text in left.texts] == ["1,000", "250  (4.0×)", "40  (25.0×)"]
    assert middle.lines[0].get_xdata().tolist() == pytest.approx([2, 3, 2.5])
    assert left.get_ylim() == middle.get_ylim() and left.yaxis_inverted()
    assert [segment.tolist() for segment in right.collections[0].get_segments()] == [[[-0.5, 0], [-0.5, 1]],
                                                                                     [[0.5, 0], [0.5, 2]]]


def test_curves_follow_the_history():
    loss, error = plots.training_curves(history()).axes
    assert [list(line.get_ydata()) for line in loss.lines] == [[2.0, 1.0, 0.5], [1.5, 1.0, 1.0]]
    assert [list(line.get_ydata()) for line in error.lines] == [[50, 25, 12.5], pytest.approx([40, 30, 20])]


def test_runs_in_a_row_are_joined_and_missing_values_left_out():
    unmeasured = training.History([0.4], [None], [None], [None])
    loss, error = plots.training_curves([history(), unmeasured]).axes
    assert list(loss.lines[0].get_xdata()) == [1, 2, 3, 4]
    assert list(loss.lines[0].get_ydata()) == [2.0, 1.0, 0.5, 0.4]
    assert np.isnan(error.lines[0].get_ydata()[3])


def test_digits_are_shown_with_their_titles():
    images = np.random.default_rng(0).integers(0, 17, (5, 1, 8, 8))
    axes = plots.digits_grid(images, list("abcde"), columns=3).axes
    assert [ax.get_title() for ax in axes] == list("abcde")
    assert all((ax.images[0].get_array() == image[0]).all() for ax, image in zip(axes, images, strict=True))


@pytest.mark.parametrize(("shape", "titles"), [((0, 8, 8), None), ((8, 8), None), ((2, 3, 8, 8), None),
                                               ((2, 8, 8), ["one"])])
def test_what_are_no_titled_images_is_refused(shape, titles):
    with pytest.raises(ValueError, match="images have shape"):
        plots.digits_grid(np.zeros(shape), titles)


def test_the_tree_of_a_real_codebook_fits(weights):
    codes = np.clip(np.rint(4 * weights + 8), 0, 15).astype(int).ravel()
    lengths = huffman.code_lengths(np.bincount(codes, minlength=16))
    plots.huffman_tree(lengths, [f"{c:+.2f}" for c in np.linspace(-1, 1, 16)]).savefig(io.BytesIO(), dpi=50)


def test_the_comparison_has_a_point_and_a_readable_name_for_each_method(figures):
    figure = figures["comparison"]
    ax, = figure.axes
    assert {(line.get_xdata()[0], round(line.get_ydata()[0], 9)) for line in ax.lines} == {
        (row["bytes"], 100 * row["error"]) for row in ROWS}
    filled = {line.get_xdata()[0] for line in ax.lines if line.get_markerfacecolor() != "white"}
    assert filled == {20, 260}  # the others are beaten in both
    assert sorted(text.get_text() for text in ax.texts) == sorted(row["method"] for row in ROWS)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
