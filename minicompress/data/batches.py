"""Mini-batches: shuffle, gather pixels, augment them, and only then turn them into floats."""

from typing import NamedTuple

import numpy as np

from minicompress import expect

from .split import Split, as_split


class Batch(NamedTuple):
    """One mini-batch of n examples.

    Attributes:
        x: float32 (n, 1, H, W), (n, C, H, W) or (n, features): the inputs.
        y: intp (n,), float32 (n, classes), or None if the data are unlabelled.
        indices: intp (n,), which examples of the split these are: what was computed for an example once, such as a
            teacher's output, is found again by them.
        split: the Split whose examples x holds unchanged; None if they were augmented, or are of no split.
    """

    x: np.ndarray
    y: np.ndarray | None
    indices: np.ndarray
    split: Split | None = None


def batches(data, batch_size, *, rng=None, shuffle=False, augment=None, drop_last=False):
    """Iterate once over the data in batches of ``batch_size`` examples.

    Args:
        data: whatever `as_split` accepts. Images (N, H, W) come as (n, 1, H, W), other shapes as they are; all are
            multiplied by the split's scale.
        batch_size: examples per batch; the last batch holds what is left.
        rng: a np.random.Generator, needed to shuffle or augment.
        shuffle: take the examples in the order ``rng.permutation(N)`` instead of the split's own.
        augment: ``(images, rng) -> images``, applied to a copy of each batch's images as the split stores them (uint8
            pixels before scaling), such as `Jitter`.
        drop_last: leave out a last batch that is not full.

    Raises:
        TypeError, ValueError: at the call, not at the first batch: data that `as_split` refuses, a batch size that is
            no positive integer, no `rng` where one is needed, `drop_last` that would drop everything. While
            iterating: an augmentation that changes the number of images.

    >>> x, y = np.arange(5, dtype=np.float32)[:, None], np.array([0, 1, 0, 1, 0])
    >>> [batch.indices.tolist() for batch in batches((x, y), 2)]
    [[0, 1], [2, 3], [4]]
    """
    split = as_split(data)
    total = len(split.images)
    batch_size = expect.integer("batch_size", batch_size, 1)
    expect.that(batch_size <= total or not drop_last,
                lambda: f"batch_size is {batch_size} with drop_last, expected at most the {total} examples")
    if shuffle or augment is not None:
        expect.a(np.random.Generator, "rng", rng, "a np.random.Generator to shuffle and augment with")
    order = rng.permutation(total) if shuffle else np.arange(total)
    return _generate(split, order, range(0, total - (total % batch_size if drop_last else 0), batch_size), rng, augment)


def _generate(split, order, starts, rng, augment):
    scale = np.float32(split.scale)
    for start in starts:
        indices = order[start:start + starts.step]
        images = split.images.take(indices, axis=0)
        if augment is not None:
            images = augment(images, rng)
            made = f"the augmentation made {len(images)} images of {len(indices)}, expected as many"
            expect.that(len(images) == len(indices), made)
        x = np.multiply(images, scale, dtype=np.float32)
        if x.ndim == 3:
            x = x[:, None]  # (n, H, W) -> (n, 1, H, W)
        labels = None if split.labels is None else split.labels.take(indices, axis=0)
        yield Batch(x, labels, indices, split if augment is None else None)
