"""Where the bytes go, and what they buy."""

import numpy as np
from matplotlib.ticker import FuncFormatter

from .sheet import ACCENT, INK, SHADE, sheet


def bytes_per_part(inspection):
    """Bars for what a file's bytes are spent on; returns a `Figure`.

    inspection : what `minicompress.inspect` says about the file

    >>> from minicompress.container import Inspection
    >>> bytes_per_part(Inspection(40, {"payload": 30, "header": 10}, [], [])).axes[0].get_title(loc="left")
    '40 bytes in all'
    """
    sizes, total = inspection.sizes, inspection.size
    figure, ((ax,),) = sheet(7, 0.9 + 0.33 * len(sizes))
    bars = ax.barh(list(sizes), list(sizes.values()), color=ACCENT, height=0.65)
    ax.bar_label(bars, [f"{n:,}  ({100 * n / max(total, 1):.1f} %)" for n in sizes.values()], padding=4, color=INK)
    ax.invert_yaxis()
    ax.margins(x=0.22)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("bytes")
    ax.xaxis.set_major_formatter(_THOUSANDS)
    ax.set_title(f"{total:,} bytes in all", loc="left", fontsize=10)
    return figure


def error_against_bytes(stages):
    """Test error over size on disk, a labelled point for each stage; returns a `Figure`.

    stages : (name, error, bytes) triples, errors as fractions, in the order in which they came about

    >>> error_against_bytes([("dense", 0.02, 1000), ("pruned", 0.03, 100)]).axes[0].get_xscale()
    'log'
    """
    names, errors, sizes = zip(*stages, strict=True)
    figure, ((ax,),) = sheet(5.5, 3.2)
    ax.plot(sizes, [100 * error for error in errors], "o-", color=ACCENT, markerfacecolor="white", markeredgewidth=1.8,
            markersize=7, linewidth=1)
    for name, error, size in zip(names, errors, sizes, strict=True):
        ax.annotate(f"{name}\n{size:,} bytes", (size, 100 * error), xytext=(0, 9), textcoords="offset points",
                    ha="center", fontsize=9, color=INK)
    ax.set_xscale("log")
    ax.set_ylim(0, 1.5 * 100 * max(errors) or 1)
    ax.margins(x=0.2)
    ax.set_xlabel("bytes on disk (log scale)")
    ax.set_ylabel("test error, %")
    return figure


def tour(stages, before, after, centroids):
    """The tour in one figure: bytes and test error of each stage, and one layer's weights; returns a `Figure`.

    stages : (name, error, bytes) triples, the first of the dense network, errors as fractions
    before, after : one layer's weights, dense and compressed
    centroids : (k,), what its surviving weights share

    >>> figure = tour([("dense", 0.02, 1000), ("shared", 0.02, 40)], np.array([0.5, 2.0]), np.array([0.0, 2.0]), [2.0])
    >>> len(figure.axes)
    3
    """
    names, errors, sizes = zip(*stages, strict=True)
    figure, ((left, middle, right),) = sheet(9.6, 2.7, columns=3, width_ratios=[5, 3, 5])
    bars = left.barh(names, sizes, color=[SHADE] * (len(names) - 1) + [ACCENT], height=0.6)
    left.bar_label(bars, [f"{size:,}" + (f"  ({sizes[0] / size:.1f}×)" if size < sizes[0] else "") for size in sizes],
                   padding=4, color=INK)
    left.margins(x=0.3)
    left.set_title("Bytes on disk", loc="left")
    left.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / 1000:.0f}"))
    left.set_xlabel("thousand bytes")
    percents = [100 * error for error in errors]
    middle.plot(percents, names, "o", color=INK, markersize=7)
    for percent, name in zip(percents, names, strict=True):
        middle.annotate(f"{percent:.2f} %", (percent, name), xytext=(9, 0), textcoords="offset points", va="center",
                        color=INK)
    middle.set_xlim(0, 1.8 * max(percents) or 1)
    middle.set_ylim(left.get_ylim())
    middle.set_title("Test error", loc="left")
    middle.set_xlabel("% of the test images")
    middle.grid(axis="y", color="0.9")
    for ax in (left, middle):
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
    middle.set_yticklabels([])
    _values(right, np.ravel(before), np.ravel(after), centroids)
    return figure


def _values(ax, before, after, centroids):
    """The distribution of a layer's weights, and over it how many share each centroid."""
    edges = np.linspace(before.min(), before.max(), 61)
    ax.hist(before, edges, color=SHADE, label=f"dense: {before.size:,} weights")
    alive = after[after != 0]
    counts = [np.count_nonzero(alive == np.float32(centroid)) for centroid in centroids]
    ax.vlines(centroids, 0, counts, color=ACCENT, linewidth=2,
              label=f"compressed: {alive.size:,} weights of {len(centroids)} values")
    ax.set_title("One layer's weights", loc="left")
    ax.set_xlabel("value")
    ax.set_ylabel("weights")
    ax.set_ylim(0, 1.5 * ax.get_ylim()[1])  # room for the legend
    ax.legend(frameon=False, fontsize=9, handlelength=1.2, loc="upper left", borderaxespad=0)


_THOUSANDS = FuncFormatter(lambda x, _: f"{x:,.0f}")
