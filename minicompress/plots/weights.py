"""Weights and masks: where the values lie, which are left, and how they are written."""

import math

import numpy as np

from minicompress import expect
from minicompress.clustering import optimal
from minicompress.coding.huffman import code_lengths
from minicompress.equations.coding.huffman import canonical_codes
from minicompress.pruning import magnitude_mask

from .sheet import ACCENT, INK, SHADE, sheet


def deep_compression(w, sparsity, k):
    """A small array on its way into a file, a panel for each step: as it is, pruned (PR-2), sharing k values (QU-11),
    its codes in Huffman's words (QU-14); returns a `Figure`. Below each stands what the values take.

    w : (rows, columns) weights, few enough to read; sparsity : a fraction; k : how many values the survivors share

    Raises ValueError for other shapes, and where nothing is left.

    >>> deep_compression(np.array([[1.0, -2.0, 0.1], [2.0, 0.2, 2.0]]), 1 / 3, 2).axes[3].get_xlabel()
    '4 words, 4 bits, 2 floats,\\nand where they are'
    """
    w = np.asarray(w)
    mask = magnitude_mask(w, sparsity)
    expect.that(w.ndim == 2 and mask.any(), f"weights have shape {w.shape} and {mask.sum()} of them are left, expected "
                "(rows, columns) and one at least")
    centroids, found = optimal(w[mask], k)
    codes, counts = np.zeros(w.shape, int), np.bincount(found, minlength=len(centroids))
    codes[mask] = found
    lengths = code_lengths(counts)
    words, n, where = canonical_codes(lengths.tolist()), len(found), "\nand where they are"
    width, floats = max(1, math.ceil(math.log2(len(centroids)))), f"{len(centroids)} floats,{where}"
    shared = np.where(mask, centroids[codes], 0)
    panels = {"weights": (w, np.ones_like(mask), lambda at: f"{w[at]:+.1f}", f"{w.size} floats,\n{32 * w.size:,} bits"),
              "pruned": (w * mask, mask, lambda at: f"{w[at]:+.1f}", f"{n} floats, {32 * n:,} bits,{where}"),
              "shared": (shared, mask, lambda at: str(codes[at]), f"{n} codes, {n * width} bits, {floats}"),
              "Huffman": (shared, mask, lambda at: words[codes[at]], f"{n} words, {counts @ lengths} bits, {floats}")}
    rows, columns = w.shape
    figure, (axes,) = sheet(0.31 * 4 * columns + 0.4, 0.31 * rows + 0.9, columns=4)
    for ax, (title, (values, shown, word, below)) in zip(axes, panels.items(), strict=True):
        ax.imshow(np.abs(values), cmap="gray_r", vmin=0, vmax=2.5 * np.abs(w).max(), interpolation="none")
        for at in np.argwhere(shown):
            ax.text(*at[::-1], word(tuple(at)).replace("-", "−"), ha="center", va="center", fontsize=8, color=INK)
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_xlabel(below, fontsize=9)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(True)
    return figure


def weight_histograms(before, after, centroids=None, *, bins=80):
    """Histograms of an array's weights before and after compression, on one scale; returns a `Figure`.

    before, after : arrays of any one shape; exact zeros of ``after`` are counted in the title, not drawn
    centroids : (k,) values to mark under the lower histogram, or None

    Raises ValueError for two shapes.

    >>> weight_histograms(np.array([-1.0, 0.2, 2.0]), np.array([-1.0, 0.0, 2.0])).axes[1].get_title(loc="left")
    'after: 2 of 3 weights, 66.7 % kept'
    """
    before, after = np.asarray(before), np.asarray(after)
    expect.that(before.shape == after.shape,
                f"weights have shapes {before.shape} before and {after.shape} after, expected one")
    figure, axes = sheet(7, 4.2, rows=2, sharex=True)
    edges, alive = np.linspace(*_range(before, after), bins + 1), after[after != 0]
    for (ax,), weights, color in zip(axes, (before.ravel(), alive), (SHADE, ACCENT), strict=True):
        ax.hist(weights, edges, color=color)
        ax.set_ylabel("weights")
    axes[0, 0].set_title(f"before: {before.size:,} weights", loc="left", fontsize=10)
    kept = 100 * alive.size / max(after.size, 1)
    axes[1, 0].set_title(f"after: {alive.size:,} of {after.size:,} weights, {kept:.1f} % kept", loc="left", fontsize=10)
    axes[1, 0].set_xlabel("value")
    if centroids is not None:
        _mark(axes[1, 0], centroids)
    return figure


def centroids_on_histogram(w, centroids, *, untrained=None, bins=120):
    """The histogram of the weights that are clustered, with the centroids as lines; returns a `Figure`.

    w : an array of any shape, zeros left out as pruned
    centroids : (k,)
    untrained : (k,) where the centroids stood before they were trained, drawn as dots that lead to the lines, or None

    >>> len(centroids_on_histogram(np.array([-1.0, 1.0, 1.2]), [-1.0, 1.1]).axes[0].lines)
    2
    """
    w = np.asarray(w)
    alive, centroids = w[w != 0], np.asarray(centroids)
    figure, ((ax,),) = sheet(7, 2.8)
    ax.hist(alive, np.linspace(*_range(w, centroids), bins + 1), color=SHADE)
    for centroid in centroids:
        ax.axvline(centroid, ymax=0.88 if untrained is not None else 1, color=ACCENT, linewidth=1.2)
    if untrained is not None:
        ax.margins(y=0.2)
        for start, end in zip(untrained, centroids, strict=True):
            ax.plot([start, end], [0.95, 0.88], "-", color=INK, linewidth=1, transform=ax.get_xaxis_transform())
            ax.plot(start, 0.95, "o", color=INK, markersize=3, transform=ax.get_xaxis_transform())
    words = "lines" if untrained is None else "lines; dots: before training"
    ax.set_title(f"{alive.size:,} weights, {centroids.size} centroids ({words})", loc="left", fontsize=10)
    ax.set_xlabel("value")
    ax.set_ylabel("weights")
    return figure


def mask_picture(mask):
    """A mask as a picture, kept weights dark; returns a `Figure`.

    mask : (out, in) bool, or (out, …), whose other axes are put in one row

    Raises ValueError for fewer than two axes.

    >>> mask_picture(np.eye(4, dtype=bool)).axes[0].get_title(loc="left")
    '4 of 16 weights kept (25.0 %)'
    """
    mask = np.asarray(mask, bool)
    expect.shaped("the mask", mask, "two axes or more", mask.ndim >= 2)
    flat = mask.reshape(len(mask), -1)
    rows, columns = flat.shape
    figure, ((ax,),) = sheet(7.5, min(4.5, max(1.8, 0.9 + 6.6 * rows / columns)))
    # Each screen pixel covers several weights of a large mask: their mean keeps single weights visible.
    ax.imshow(~flat, cmap="gray", vmin=0, vmax=1, interpolation="none" if columns <= 400 else "antialiased",
              aspect="equal" if rows <= columns else "auto")
    ax.set_title(f"{flat.sum():,} of {flat.size:,} weights kept ({100 * flat.mean():.1f} %)", loc="left", fontsize=10)
    ax.set_xlabel("input" if mask.ndim == 2 else "weight of the filter")
    ax.set_ylabel("output" if mask.ndim == 2 else "filter")
    return figure


def _range(*arrays):
    """A little more than the span of all values together, never empty."""
    low, high = (float(f(np.concatenate([np.ravel(a) for a in arrays]))) for f in (np.min, np.max))
    margin = 0.02 * (high - low) or 0.5
    return low - margin, high + margin


def _mark(ax, centroids):
    """Centroids as ticks along the lower edge, that hide nothing."""
    ax.plot(centroids, np.full(len(centroids), -0.04), "|", color=INK, transform=ax.get_xaxis_transform(),
            clip_on=False, markersize=7, label="centroids")
    ax.tick_params(axis="x", pad=9)
    ax.legend(frameon=False, loc="upper right")
