"""The picture of a computation has every node once, to the left of what is made of it, with its own numbers."""

import pytest

from minicompress import plots

EDGES = {("w", "p"): "", ("x", "p"): "· w", ("p", "y"): "", ("b", "y"): "", ("w", "y"): "again"}
VALUES = {"w": 2.0, "x": 3.0, "p": 6.0, "b": 0.5, "y": 8.5}


def texts(figure):
    ax, = figure.axes
    return {text.get_text(): text.get_position() for text in ax.texts if text.get_text()}


def test_operands_stand_to_the_left_of_their_results_and_nothing_covers_another():
    shown = texts(plots.computation_graph(EDGES, VALUES))
    at = {node: shown[f"{node}\n{value:.4g}"] for node, value in VALUES.items()}
    assert all(at[start][0] < at[end][0] for start, end in EDGES)
    assert len(set(at.values())) == len(at)
    assert {"· w", "again"} < shown.keys() and len(shown) == len(VALUES) + 2


def test_each_gradient_stands_below_its_own_node():
    gradients = {"w": 101.0, "x": 102.0, "p": 103.0, "b": 104.0, "y": 105.0}
    shown = texts(plots.computation_graph(EDGES, VALUES, gradients))
    for node, gradient in gradients.items():
        (x, y), (x_gradient, y_gradient) = shown[f"{node}\n{VALUES[node]:.4g}"], shown[f"{gradient:.4g}"]
        assert x == x_gradient and y - 0.5 < y_gradient < y


@pytest.mark.parametrize("edges, values", [({}, {}), ({("a", "b"): "", ("b", "a"): ""}, {"a": 1.0, "b": 1.0}),
                                           ({("a", "b"): ""}, {"a": 1.0})])
def test_what_is_no_computation_is_refused(edges, values):
    with pytest.raises(ValueError, match=r"expected at least one|no number for 'b'"):
        plots.computation_graph(edges, values)


def test_a_node_without_a_gradient_is_refused():
    with pytest.raises(ValueError, match="no number for 'a'"):
        plots.computation_graph({("a", "b"): ""}, {"a": 1.0, "b": 1.0}, {"b": 1.0})
