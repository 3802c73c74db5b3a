"""From where on sparse rows pay."""

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from minicompress import expect

from .sheet import ACCENT, INK, logarithmic, sheet

_SIDES = {"dense": (INK, None, "-", "dense, BLAS"), "peer": ("0.5", "^", "-.", "scipy.sparse"),
          "ours": (ACCENT, "o", "--", "sparse rows, ours")}


def sparse_products(report):
    """Seconds of a product over the share of weights kept, a panel for each shape and batch; returns a `Figure`.

    report : what `minicompress.bench.csr.run` returns; a dotted line marks where ours breaks even with the dense one

    Raises ValueError for a report of another benchmark.

    >>> result = {"shape": [2, 3], "batch": 1, "sparsity": 0.5, "ours_seconds": 1.0, "peer_seconds": 1.0,
    ...           "dense_seconds": 1.0}
    >>> sparse_products({"benchmark": "csr", "peer": "scipy.sparse", "results": [result],
    ...                  "break_even": [{"shape": [2, 3], "batch": 1, "ours": None, "peer": None}]}).axes[0].get_title()
    '2×3, batch 1'
    """
    expect.one_of("the report's benchmark", report.get("benchmark"), ["csr"])
    shapes, batches = (list(dict.fromkeys(key(r) for r in report["results"])) for key in
                       (lambda r: tuple(r["shape"]), lambda r: r["batch"]))
    figure, axes = sheet(2.7 * len(batches) + 0.8, 2.3 * len(shapes) + 0.9, len(shapes), len(batches), sharex=True)
    for row, shape in zip(axes, shapes, strict=True):
        for ax, batch in zip(row, batches, strict=True):
            measured = [r for r in report["results"] if (tuple(r["shape"]), r["batch"]) == (shape, batch)]
            kept = [100 * (1 - r["sparsity"]) for r in measured]
            for side, (color, marker, line, name) in _SIDES.items():
                ax.plot(kept, [1e6 * r[f"{side}_seconds"] for r in measured], color=color, marker=marker,
                        linestyle=line, markersize=4, markerfacecolor="white", linewidth=1.3, label=name)
            even, = (b["ours"] for b in report["break_even"] if (tuple(b["shape"]), b["batch"]) == (shape, batch))
            if even is not None:
                ax.axvline(100 * (1 - even), color=ACCENT, linestyle=":", linewidth=1)
                ax.annotate(f"{100 * even:.0f} % zeros", (100 * (1 - even), 1), xycoords=("data", "axes fraction"),
                            xytext=(3, -2), textcoords="offset points", va="top", fontsize=8, color=ACCENT)
            ax.set_title(f"{shape[0]}×{shape[1]}, batch {batch}", fontsize=9)
            ax.set_xscale("log")
            logarithmic(ax.yaxis, ax.set_yscale)
            ax.xaxis.set_major_locator(FixedLocator(sorted(kept)))
            ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.3g}"))
            ax.xaxis.set_minor_locator(NullLocator())
            ax.tick_params(labelsize=8)
    axes[0, 0].invert_xaxis()
    figure.supxlabel("weights kept, % (log scale)", fontsize=10)
    figure.supylabel("time of one product, µs (log scale)", fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False,
                  fontsize=9)
    return figure
