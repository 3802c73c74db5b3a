"""Huffman's tree."""

from minicompress import expect
from minicompress.equations.coding.huffman import canonical_codes

from .sheet import ACCENT, INK, sheet

MOST = 40  # leaves that still can be read


def huffman_tree(lengths, labels=None):
    """The tree of a canonical Huffman code: 0 to the left, 1 to the right; returns a `Figure` (QU-14).

    lengths : code length of each symbol, 0 for none; at most 40 with a code
    labels : a word for each symbol, by default its number

    Raises ValueError for no code, too many, or lengths that are no prefix code.

    >>> [text.get_text() for text in huffman_tree([1, 2, 2], "abc").axes[0].texts if "\\n" in text.get_text()]
    ['a\\n0', 'b\\n10', 'c\\n11']
    """
    lengths = [int(length) for length in lengths]
    labels = [str(label) for label in (range(len(lengths)) if labels is None else labels)]
    expect.that(len(labels) == len(lengths), f"{len(labels)} labels for {len(lengths)} symbols, expected as many")
    expect.integer("the number of symbols with a code", sum(map(bool, lengths)), 1, MOST)
    expect.that(sum(2.0**-length for length in lengths if length) <= 1,
                f"code lengths {lengths} are no prefix code: the sum of 2^-length exceeds 1")
    leaves = {code: label for code, label in zip(canonical_codes(lengths), labels, strict=True) if code}
    places = _places(sorted(leaves))
    depth = max(map(len, leaves))
    widest = max(6, depth, *(len(label) for label in leaves.values()))  # characters
    figure, ((ax,),) = sheet(max(3.5, 0.8 + 0.075 * widest * len(leaves)), 1 + 0.5 * depth)
    for code, x in places.items():
        if code:
            parent = places[code[:-1]]
            ax.plot([parent, x], [1 - len(code), -len(code)], color=INK, linewidth=1, zorder=1)
            ax.annotate(code[-1], ((parent + x) / 2, 0.5 - len(code)), ha="center", va="center", fontsize=8, color=INK,
                        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})
        ax.plot(x, -len(code), "s" if code in leaves else "o", color=ACCENT if code in leaves else INK,
                markersize=6 if code in leaves else 3.5, zorder=2)
        if code in leaves:
            ax.annotate(f"{leaves[code]}\n{code}", (x, -len(code)), xytext=(0, -6), textcoords="offset points",
                        ha="center", va="top", fontsize=8, color=INK)
    ax.set_ylim(-depth - 0.9, 0.2)
    ax.axis("off")
    return figure


def _places(leaves):
    """Where each node, named by its code, stands from left to right: leaves in a row, parents over their children."""
    places = {code: float(i) for i, code in enumerate(leaves)}
    for length in range(max(map(len, leaves)), 0, -1):
        for parent in {code[:-1] for code in list(places) if len(code) == length}:
            children = [places[parent + bit] for bit in "01" if parent + bit in places]
            places[parent] = sum(children) / len(children)
    return places
