"""The graph of a computation: values on their way forward, gradients on their way back."""

from minicompress import expect

from .sheet import ACCENT, INK, sheet


def computation_graph(edges, values, gradients=None):
    """What is computed of what, from left to right, with the value and the gradient of each node; returns a `Figure`.

    edges : {(operand, result): words on the arrow}, of nodes named by text, without cycles, in the order of computing
    values : {node: number}
    gradients : {node: number}, the derivative of the last node by this one, or None to leave them out

    Raises ValueError for edges that are none, or that lead in a circle, and for a node without a value.

    >>> figure = computation_graph({("x", "y"): "· 2"}, {"x": 3.0, "y": 6.0}, {"x": 2.0, "y": 1.0})
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['x\\n3', '2', 'y\\n6', '1', '', '· 2']
    """
    places = _places(edges)
    missing = [node for node in places for known in (values, gradients or values) if node not in known]
    expect.that(not missing, lambda: f"there is no number for {missing[0]!r}")
    width, height = (1 + max(place[axis] for place in places.values()) for axis in (0, 1))
    figure, ((ax,),) = sheet(1.65 * width, 0.55 + 1.05 * height)
    highest = 0.45
    for node, (column, row) in places.items():
        ax.text(column, -row, f"{node}\n{_number(values[node])}", ha="center", va="center", color=INK, fontsize=10,
                bbox={"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": INK})
        if gradients is not None:
            ax.text(column, -row - 0.37, _number(gradients[node]), ha="center", va="center", color=ACCENT, fontsize=10,
                    weight="bold")
    for (start, end), words in edges.items():
        (x1, y1), (x2, y2) = places[start], places[end]
        over = 0.3 if y1 == y2 and x2 - x1 > 1 else 0  # in an arc over what stands between
        ax.annotate("", (x2 - 0.25, -y2 - 0.08 * (y1 - y2) + over / 2), (x1 + 0.25, -y1 + over / 2), zorder=0,
                    arrowprops={"arrowstyle": "->", "color": INK, "connectionstyle": f"arc3,rad={-over}"})
        ax.text((x1 + x2) / 2, -(y1 + y2) / 2 + (0.12 if y1 == y2 else 0) + over * (x2 - x1) / 1.45, words, ha="center",
                va="center", color=INK, fontsize=9, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
        highest = max(highest, -y1 + over * (x2 - x1) / 1.45 + 0.2)
    below = "" if gradients is None else "\nbold: its gradient, computed from right to left"
    ax.set_title(f"in the box: the value, computed from left to right{below}", loc="left", fontsize=10)
    ax.set_xlim(-0.5, width - 0.5)
    ax.set_ylim(0.55 - height, highest)
    ax.axis("off")
    return figure


def _number(value):
    return f"{value:.4g}".replace("-", "−")


def _places(edges):
    """(column, row) of each node: the further from the last result, the more to the left; rows in order of mention."""
    distance = dict.fromkeys((node for edge in edges for node in edge), 0)
    for _ in distance:
        for start, end in edges:
            distance[start] = max(distance[start], distance[end] + 1)
    expect.that(edges and max(distance.values()) < len(distance),
                f"edges are {list(edges)}, expected at least one, and no circle")
    places, taken = {}, {}
    for node, steps in distance.items():
        column = max(distance.values()) - steps
        places[node] = column, taken.get(column, 0)
        taken[column] = places[node][1] + 1
    return places
