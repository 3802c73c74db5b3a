"""A split: images and labels that are known to fit together."""

import math
from operator import itemgetter

import numpy as np


class Split(tuple):
    """A checked pair ``images, labels = split`` of read-only arrays, and the `scale` that turns pixels into inputs.

    A network's input is ``float32(images) · float32(scale)``. As a tuple of two, ``len(split)`` is 2; the number of
    examples is ``len(split.images)``.

    Args:
        images: uint8 (N, H, W) or (N, C, H, W); or floats (N, features), (N, H, W) or (N, C, H, W), which are kept
            as float32. An array that needs no conversion is not copied.
        labels: integers (N,), kept as intp; or distributions over the classes, floats (N, classes) whose rows sum
            to 1, kept as float32; or None for unlabelled data.
        scale: positive; by default 1/255 for uint8 images and 1 for floats.

    Raises:
        TypeError: a dtype not listed above.
        ValueError: a shape not listed above, no examples, different numbers of images and labels, values that are
            not finite, negative labels, rows that are not distributions.

    >>> split = Split(np.full((2, 8, 8), 255, np.uint8), [3, 1])
    >>> split
    Split(images=uint8 (2, 8, 8), labels=int64 (2,), scale=1/255)
    >>> images, labels = split
    """

    images = property(itemgetter(0), doc="uint8 or float32, the examples along the first axis; read-only.")
    labels = property(itemgetter(1), doc="intp (N,), float32 (N, classes) or None; read-only.")
    scale = property(lambda self: self._scale, doc="What a pixel is multiplied with to become an input.")

    def __new__(cls, images, labels=None, scale=None):
        images = _checked_images(np.asarray(images))
        if labels is not None:
            labels = _checked_labels(np.asarray(labels))
            if len(images) != len(labels):
                raise ValueError(f"{len(images)} images but {len(labels)} labels, expected one label per image")
        if scale is None:
            scale = 1 / 255 if images.dtype == np.uint8 else 1.0
        if not 0 < scale < math.inf:
            raise ValueError(f"scale is {scale}, expected a positive number")
        split = super().__new__(cls, (images, labels))
        split._scale = float(scale)
        return split

    def __getnewargs__(self):  # for copy and pickle
        return (*self, self._scale)

    def __repr__(self):
        images, labels = (a if a is None else f"{a.dtype} {a.shape}" for a in self)
        return f"Split(images={images}, labels={labels}, scale=1/{1 / self._scale:g})"


def as_split(data):
    """The `Split` that ``data`` is or can be made into.

    Args:
        data: a `Split`, a tuple ``(x, y)``, or an array ``x`` without labels; see `Split` for what they may hold.

    Raises:
        TypeError, ValueError: anything else; see `Split`.

    >>> as_split((np.zeros((5, 64), np.float32), np.arange(5)))
    Split(images=float32 (5, 64), labels=int64 (5,), scale=1/1)
    """
    if isinstance(data, Split):
        return data
    if isinstance(data, tuple) and len(data) == 2:
        return Split(*data)
    if isinstance(data, np.ndarray):
        return Split(data)
    found = f"a tuple of {len(data)}" if isinstance(data, tuple) else type(data).__name__
    raise TypeError(f"data is {found}, expected a Split (such as dataset.train), a tuple (x, y) or an array x")


def _checked_images(images):
    if images.dtype == np.uint8:
        allowed = {3: "(N, H, W)", 4: "(N, C, H, W)"}
    elif np.issubdtype(images.dtype, np.floating):
        allowed = {2: "(N, features)", 3: "(N, H, W)", 4: "(N, C, H, W)"}
    else:
        raise TypeError(f"images (x) have dtype {images.dtype}, expected uint8 pixels or floats")
    if images.ndim not in allowed or images.size == 0:
        raise ValueError(f"images (x) of dtype {images.dtype} have shape {images.shape}, "
                         f"expected {' or '.join(allowed.values())}, nothing empty")
    return _read_only(images if images.dtype == np.uint8 else _finite(images, "images (x)"))


def _checked_labels(labels):
    if np.issubdtype(labels.dtype, np.integer):
        if labels.ndim != 1:
            raise ValueError(f"integer labels (y) have shape {labels.shape}, expected (N,)")
        if labels.size and labels.min() < 0:
            raise ValueError(f"labels (y) go down to {labels.min()}, expected 0 or more")
        return _read_only(labels.astype(np.intp, copy=False))
    if not np.issubdtype(labels.dtype, np.floating):
        raise TypeError(f"labels (y) have dtype {labels.dtype}, expected integers or floats (distributions)")
    if labels.ndim != 2:
        raise ValueError(f"float labels (y) have shape {labels.shape}, expected distributions (N, classes)")
    labels = _finite(labels, "labels (y)")
    sums = labels.sum(axis=1, dtype=np.float64)
    wrong = (labels < 0).any(axis=1) | (abs(sums - 1) > 1e-3)  # 1e-3: what rounding a row to float16 can do
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(f"labels (y) in row {row} are {labels[row]} with sum {sums[row]:g}, "
                         "expected a distribution: none negative, sum 1")
    return _read_only(labels)


def _finite(array, what):
    with np.errstate(over="ignore"):  # a float64 beyond float32's range becomes inf, and is refused here
        array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{what} hold {array[where]} at {where}, expected finite float32 values")
    return array


def _read_only(array):
    view = array.view()  # a view, so that the caller's own array stays writable
    view.flags.writeable = False
    return view
