"""Binary networks: where training drives the latent weights, and what packed products win, in theory and measured."""

import numpy as np

from minicompress import expect

from .sheet import ACCENT, INK, SHADE, sheet


def latent_weights(before, after, *, bins=80):
    """Histograms of a layer's latent weights before and after training, on one scale; returns a `Figure`.

    before, after : arrays of any one shape, within ±1 (BI-4). The lower title says how many lie beyond ±0.95, where
    only the clip stops them, and how many changed their sign (BI-1): only those changed the network.

    Raises ValueError for two shapes.

    >>> latent_weights(np.array([-0.5, 0.1, 0.5]), np.array([-1.0, -0.2, 0.5])).axes[1].get_title(loc="left")
    'after: 33.3 % beyond ±0.95, 33.3 % with another sign than before'
    """
    before, after = np.asarray(before), np.asarray(after)
    expect.that(before.shape == after.shape and before.size, f"weights have shapes {before.shape} before and "
                f"{after.shape} after, expected one, not empty")
    figure, axes = sheet(7, 4.2, rows=2, sharex=True)
    edges = np.linspace(-1, 1, bins + 1)
    for (ax,), weights, color in zip(axes, (before, after), (SHADE, ACCENT), strict=True):
        ax.hist(weights.ravel(), edges, color=color)
        ax.axvline(0, color=INK, linewidth=0.8, linestyle=":")
        ax.set_ylabel("weights")
    ends, flips = (100 * np.mean(x) for x in (np.abs(after) > 0.95, (before >= 0) != (after >= 0)))
    axes[0, 0].set_title(f"before: {before.size:,} latent weights", loc="left", fontsize=10)
    axes[1, 0].set_title(f"after: {ends:.1f} % beyond ±0.95, {flips:.1f} % with another sign than before", loc="left",
                         fontsize=10)
    axes[1, 0].set_xlabel("latent weight; the network computes with its sign")
    return figure


def xnor_speedup(results):
    """Measured speed-up of packed products on the left, the count of operations on the right; returns a `Figure`.

    Two panels with scales of their own, as BI-9 counts operations and is no measurement.

    results : those of `bench.xnor.run`, of which "product", "ratio" and "theoretical_speedup" are drawn

    Raises ValueError for no results.

    >>> result = {"product": "matrix × vector", "ratio": 10.0, "theoretical_speedup": 63.0}
    >>> [ax.get_title(loc="left") for ax in xnor_speedup([result]).axes]
    ['measured', 'in theory (BI-9)']
    """
    expect.that(results, "there are no results to draw")
    figure, (axes,) = sheet(8, 1.4 + 0.4 * len(results), columns=2, sharey=True)
    names = [result["product"] for result in results]
    panels = (("ratio", ACCENT, "measured", "times as fast as BLAS in float32, one thread"),
              ("theoretical_speedup", SHADE, "in theory (BI-9)", "times fewer operations"))
    for ax, (key, color, title, label) in zip(axes, panels, strict=True):
        values = [result[key] for result in results]
        bars = ax.barh(names, values, color=color, height=0.6)
        ax.bar_label(bars, [f"{value:.1f}×" for value in values], padding=5, color=INK,
                     bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # over the line, not under it
        ax.set_title(title, loc="left", fontsize=10)
        ax.set_xlabel(label)
        ax.margins(x=0.18)
        ax.tick_params(axis="y", length=0)
    axes[0].axvline(1, color=INK, linewidth=0.8, linestyle=":")
    axes[0].invert_yaxis()
    return figure
