"""The compression ratio of files (ME-2)."""

import numpy as np

from minicompress.checker.draws import one_of
from minicompress.checker.page import page
from minicompress.checker.paper import Convention
from minicompress.checker.properties import close

# ---------------------------------------------------------------------------------------------------------------------
# ME-2


def _bytes(rng, size):
    """Files of one part or more, some of them empty; now and then of gigabytes."""
    scale = one_of(rng, 1, 1, 1, 10**6)
    parts = rng.integers(1, 100, one_of(rng, size + 1, size + 1, 1)) * scale
    parts[1:] *= rng.random(len(parts) - 1) < 0.8
    return 1000 * scale * int(rng.integers(1, 10 * size + 1)), parts


@page("ME-2", cite=Convention("both are real files, headers and tables counted; the ratio is beside every result"),
      latex=r"r = \frac{\text{bytes of the dense float32 file of the original model}}"
            r"{\text{bytes of all parts of the compressed file}}",
      implementation="minicompress.recipes.files.dense_size", adapt=None, inputs=_bytes,
      cases=((1_067_000, np.array([26_675])),))
def compression_ratio(dense_bytes, parts):
    """compression ratio

    r = bytes of the dense float32 file of the original model / bytes of all parts of the compressed file

    dense_bytes : bytes of the dense file, an integer
    parts : bytes of each part of the compressed file, (parts,)
    r : how many times smaller, a number

    >>> compression_ratio(1_067_000, [20_000, 6_675])
    40.0
    """
    return dense_bytes / sum(parts)


@compression_ratio.must("only the sum of the parts matters")
def _splitting_changes_nothing(f, dense_bytes, parts):
    close(f, f(dense_bytes, np.append(parts, 0)), f(dense_bytes, parts), "an empty part changes nothing", 4)
    close(f, f(dense_bytes, np.array([parts.sum()])), f(dense_bytes, parts), "only the sum of the parts matters", 4)


@compression_ratio.must("the dense file's own ratio is 1")
def _same_size_is_one(f, dense_bytes, parts):
    close(f, f(int(parts.sum()), parts), 1.0, "a file as large as the dense one has ratio 1", 4)


compression_ratio.must_agree(4)
compression_ratio.trap("headers forgotten", "one part is left out: headers and tables are bytes of the file too.",
                       lambda dense, parts: dense / (parts[1:].sum() or parts.sum()))
compression_ratio.trap("largest part", "this looks at the largest part alone: all are bytes of the file.",
                       lambda dense, parts: dense / parts.max())
compression_ratio.trap("part by part", "this adds up the ratios of the parts: their bytes are to be added.",
                       lambda dense, parts: np.sum(dense / parts[parts > 0]))
compression_ratio.trap("inverted", "this is the share that remains: the ratio is its inverse.",
                       lambda dense, parts: parts.sum() / dense)
compression_ratio.trap("saved", "this is the share of bytes saved.", lambda dense, parts: 1 - parts.sum() / dense)
