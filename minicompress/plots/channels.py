"""Channels that are cut: which filters stay, what a layer minds, and what smaller networks cost in error."""

import numpy as np

from minicompress import expect

from .sheet import ACCENT, INK, SHADE, logarithmic, sheet

_STYLES = [(INK, "o", "-"), (ACCENT, "s", "--"), ("0.5", "^", "-."), (ACCENT, "D", ":"), (INK, "v", "--"),
           ("0.5", "x", "-")]


def filters_before_after(before, after, kept):
    """A first layer's filters, those that were kept framed, and below each kept one what it became; returns a `Figure`.

    before : (F, 1, k, k) or (F, k, k) filters of the large network
    after : the same of the small one, a filter for each of ``kept``
    kept : indices of the filters that stayed

    Raises ValueError for filters of more than one channel, and unless ``after`` has one for each index.

    >>> figure = filters_before_after(np.ones((4, 1, 3, 3)), np.ones((2, 1, 3, 3)), [0, 3])
    >>> sum(bool(ax.images) for ax in figure.axes)
    6
    """
    before, after, kept = np.asarray(before), np.asarray(after), np.asarray(kept)
    expect.that(all(filters.ndim != 4 or filters.shape[1] == 1 for filters in (before, after)),
                f"filters of shapes {before.shape} and {after.shape}, expected one input channel")
    before, after = (filters.reshape(len(filters), *filters.shape[-2:]) for filters in (before, after))
    expect.shaped("kept", kept, f"an index for each of the {len(after)} filters after", kept.shape == (len(after),))
    expect.integral("indices kept", kept, 0, len(before) - 1)
    columns = min(10, len(before))
    rows, below = -(-len(before) // columns), -(-len(after) // columns)
    figure, axes = sheet(0.72 * columns + 0.5, 0.78 * (rows + below) + 0.7, rows + below, columns)
    for ax in axes.flat:
        ax.set_axis_off()
    for i, image in enumerate(before):
        _filter(axes[i // columns, i % columns], image, np.abs(before).max(), i, framed=i in kept)
    for j, image in enumerate(after):
        _filter(axes[rows + j // columns, j % columns], image, np.abs(after).max(), kept[j], framed=True)
    figure.suptitle(f"{len(before)} filters, {len(after)} kept (framed), and below what fine-tuning made of them",
                    fontsize=10)
    return figure


def _filter(ax, image, largest, index, *, framed):
    ax.set_axis_on()
    ax.imshow(image, cmap="gray", vmin=-largest, vmax=largest, interpolation="none")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_title(str(index), fontsize=7, pad=2, color=INK if framed else "0.6")
    ax.spines[:].set(visible=True, color=ACCENT if framed else SHADE, linewidth=2.5 if framed else 0.5)


def error_against_parameters(curves, *, whole=None):
    """Test error over the number of parameters, a curve for each way to a small network; returns a `Figure`.

    curves : {its name: [(parameters, error), …]}, errors as fractions, such as one of cut networks and one of the same
        shapes trained from scratch
    whole : (parameters, error) of the network that was cut, drawn as a star

    Raises ValueError for no curve, or one without points.

    >>> curves = {"cut": [(1000, 0.02), (500, 0.03)], "from scratch": [(1000, 0.03), (500, 0.04)]}
    >>> error_against_parameters(curves).axes[0].get_xscale()
    'log'
    """
    expect.that(curves and all(len(points) for points in curves.values()),
                f"curves are {curves!r}, expected at least one, and points in each")
    figure, ((ax,),) = sheet(5.5, 3.4)
    for (name, points), (color, marker, line) in zip(curves.items(), _styles(len(curves)), strict=True):
        parameters, errors = zip(*sorted(points), strict=True)
        ax.plot(parameters, [100 * error for error in errors], marker=marker, linestyle=line, color=color,
                markerfacecolor="white", markersize=6, linewidth=1.3, label=name)
    if whole is not None:
        ax.plot(whole[0], 100 * whole[1], "*", color=INK, markersize=12, label="before cutting")
    logarithmic(ax.xaxis, ax.set_xscale)
    ax.set_ylim(0, 1.1 * ax.get_ylim()[1])
    ax.set_xlabel("parameters (log scale)")
    ax.set_ylabel("test error, %")
    ax.legend(frameon=False, fontsize=9)
    return figure


def sensitivity(errors, sparsities):
    """Validation error over the sparsity of one layer alone, a curve for each layer; returns a `Figure`.

    errors : {weight's name: (levels,)} fractions, from `pruning.sensitivity` (PR-13)
    sparsities : (levels,) fractions

    Raises ValueError for no layer, and for other numbers of errors than of sparsities.

    >>> sensitivity({"fc1.weight": [0.02, 0.9]}, [0.0, 1.0]).axes[0].get_ylabel()
    'validation error, % (log scale)'
    """
    levels = {name: len(values) for name, values in errors.items()}
    expect.that(set(levels.values()) == {len(sparsities)}, f"errors of {levels} levels and {len(sparsities)} "
                "sparsities, expected as many for each layer, and a layer")
    figure, ((ax,),) = sheet(5.5, 3.4)
    for (name, values), (color, marker, line) in zip(errors.items(), _styles(len(errors)), strict=True):
        ax.plot(100 * np.asarray(sparsities), 100 * np.asarray(values), marker=marker, linestyle=line, color=color,
                markerfacecolor="white", markersize=5, linewidth=1.3, label=name.removesuffix(".weight"))
    logarithmic(ax.yaxis, ax.set_yscale)
    ax.set_xlabel("sparsity of this layer alone, %")
    ax.set_ylabel("validation error, % (log scale)")
    ax.legend(frameon=False, fontsize=9)
    return figure


def _styles(count):
    return [_STYLES[i % len(_STYLES)] for i in range(count)]
