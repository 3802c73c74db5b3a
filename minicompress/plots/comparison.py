"""What every method makes of one network, in one picture."""

from matplotlib.ticker import FuncFormatter
from matplotlib.transforms import Bbox

from .sheet import ACCENT, INK, sheet

PLACES = [((0, 11), "center"), ((0, -12), "center"), ((9, 0), "left"), ((-9, 0), "right"), ((0, 22), "center"),
          ((0, -23), "center")]  # offsets in points, and how the text is aligned there


def comparison(rows):
    """Test error over bytes on disk, a labelled point for each method; returns a `Figure`.

    rows : dicts with ``method``, ``error`` (a fraction) and ``bytes``, such as `recipes.compare` gives

    >>> rows = [{"method": "dense", "error": 0.02, "bytes": 1000}, {"method": "int8", "error": 0.02, "bytes": 260}]
    >>> comparison(rows).axes[0].get_xlabel()
    'bytes on disk (log scale)'
    """
    figure, ((ax,),) = sheet(7.5, 4.2)
    points = sorted(((row["bytes"], 100 * row["error"], row["method"]) for row in rows), reverse=True)
    least = float("inf")
    front = {name for _, error, name in sorted(points) if error < least and (least := error) is not None}
    for size, error, name in points:
        best = name in front
        ax.plot(size, error, "o", color=ACCENT if best else "white", markeredgecolor=ACCENT, markersize=7)
    ax.set_xscale("log")
    ax.margins(x=0.15, y=0.15)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("bytes on disk (log scale)")
    ax.set_ylabel("test error, %")
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    ax.set_title("filled: no smaller one is as accurate", loc="right", fontsize=9, color=INK)
    _label(ax, points)
    return figure


def _label(ax, points):
    """A name beside each point, where it covers no other point and no other name, as far as there is room."""
    ax.figure.draw_without_rendering()
    at = [ax.transData.transform(point[:2]) for point in points]
    taken = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in at]
    for size, error, name in points:
        tries = [ax.annotate(name, (size, error), xytext=offset, textcoords="offset points", ha=side, va="center",
                             fontsize=9, color=INK) for offset, side in PLACES]
        boxes = [text.get_window_extent() for text in tries]
        best = min(range(len(tries)), key=lambda i: sum(boxes[i].overlaps(box) for box in taken))
        taken.append(boxes[best])
        for text in tries[:best] + tries[best + 1:]:
            text.remove()
