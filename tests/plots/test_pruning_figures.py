"""The figures of pruning show their data; figures show themselves in a notebook; trained centroids show their way."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minicompress import plots, pruning

ROOT = Path(__file__).parents[2]


def test_progress_shows_the_schedule_and_the_error_over_the_same_epochs():
    sparsity = pruning.gradual_sparsity(np.arange(40), final=0.75, begin=0, end=30, every=5)
    figure = plots.pruning_progress(sparsity, [0.04, 0.02, 0.03, 0.01])
    top, bottom = figure.axes
    assert top.lines[0].get_ydata().tolist() == (100 * sparsity).tolist()
    assert top.lines[0].get_xdata().tolist() == pytest.approx([step / 10 for step in range(40)])  # 10 steps an epoch
    assert bottom.lines[0].get_xdata().tolist() == [1, 2, 3, 4]
    assert bottom.lines[0].get_ydata().tolist() == pytest.approx([4, 2, 3, 1])
    assert top.get_xlim() == bottom.get_xlim()
    assert (top.get_ylabel(), bottom.get_ylabel()) == ("sparsity, %", "validation error, %")


@pytest.mark.parametrize(("sparsity", "errors"), [([], [0.1]), ([0.1], [])])
def test_progress_of_nothing_is_refused(sparsity, errors):
    with pytest.raises(ValueError, match="expected at least one of each"):
        plots.pruning_progress(sparsity, errors)


def test_each_pixel_shows_how_many_weights_it_keeps():
    mask = np.zeros((5, 2, 3), bool)
    mask[:2, 0, 1], mask[:, 1, 2], mask[4, 1, 0] = True, True, True  # rows, columns of the image
    ax, bar = plots.weights_per_pixel(mask.reshape(5, 6), (2, 3)).axes
    assert ax.images[0].get_array().tolist() == [[0, 2, 0], [1, 0, 5]]
    assert ax.images[0].cmap(ax.images[0].norm(0))[:3] == (1, 1, 1)  # dead pixels are white
    assert ax.get_title(loc="left") == "3 of 6 pixels keep a weight"
    assert bar.get_ylabel() == "weights kept, of 5"


@pytest.mark.parametrize(("shape", "image_shape"), [((5, 6), (3, 3)), ((5, 2, 3), (2, 3)), ((6,), (2, 3))])
def test_a_mask_of_other_pixels_is_refused(shape, image_shape):
    with pytest.raises(ValueError, match="a column for each pixel"):
        plots.weights_per_pixel(np.ones(shape, bool), image_shape)


def test_trained_centroids_lead_back_to_where_they_started():
    ax, = plots.centroids_on_histogram(np.array([-1.0, 1.0, 2.0]), [-1.1, 1.5], untrained=[-1.0, 1.25]).axes
    drawn = [line.get_xdata() for line in ax.lines]
    assert [list(x) for x in drawn[:2]] == [[-1.1, -1.1], [1.5, 1.5]]
    assert [list(x) for x in drawn[2:] if len(x) == 2] == [[-1.0, -1.1], [1.25, 1.5]]
    assert [list(x) for x in drawn[2:] if len(x) == 1] == [[-1.0], [1.25]]


def test_a_notebook_gets_a_picture_without_pyplot():
    code = """if True:
        import sys
        from minicompress import plots
        picture = plots.pruning_progress([0.0, 0.5], [0.1])._repr_png_()  # the hook that a notebook asks for
        sys.exit("matplotlib.pyplot" in sys.modules or not picture.startswith(b"\\x89PNG"))"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
