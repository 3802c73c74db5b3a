"""Words in columns, as a terminal shows them."""


def table(header, rows, left=1):
    """Rows of strings under a header, the first ``left`` columns flush left, the others flush right.

    >>> print(table(["stage", "bytes"], [["dense", "1,024"], ["pruned", "96"]]))
    stage   bytes
    dense   1,024
    pruned     96
    """
    rows = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w)
                               in enumerate(zip(row, widths, strict=True))).rstrip() for row in rows)
