"""An empty figure with axes, and the few shades that all figures draw with: they stay apart in greyscale."""

import io

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

INK, SHADE, ACCENT = "0.15", "0.72", "#1c5a9c"


class Sheet(Figure):
    """A Figure that a notebook shows as it is, without pyplot and its backends."""

    def _repr_png_(self):
        picture = io.BytesIO()
        self.savefig(picture, format="png", bbox_inches="tight")
        return picture.getvalue()


def sheet(width, height, rows=1, columns=1, **options):
    """A `Figure` of so many inches, apart from pyplot's global state, and its Axes, (rows, columns)."""
    figure = Sheet(figsize=(width, height), layout="constrained", facecolor="white")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for ax in axes.flat:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def logarithmic(axis, set_scale):
    """A log scale with plain numbers at 1, 2 and 5 of each decade; what is 0 lies below it."""
    set_scale("log", nonpositive="clip")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.10g}"))
    axis.set_minor_formatter(NullFormatter())
