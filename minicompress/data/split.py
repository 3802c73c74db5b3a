"""A split: images and labels that are known to fit together."""

from operator import itemgetter

import numpy as np

from minicompress import expect

_PIXELS = {3: "(N, H, W)", 4: "(N, C, H, W)"}
_IMAGES = {np.uint8: _PIXELS, np.floating: {2: "(N, features)", **_PIXELS}}
_LABELS = {np.integer: {1: "(N,)"}, np.floating: {2: "distributions (N, classes)"}}


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
        images = _read_only(_array("images (x)", images, _IMAGES))
        if labels is not None:
            labels = _read_only(_labels(labels))
            counts = f"{len(images)} images but {len(labels)} labels, expected one label per image"
            expect.that(len(images) == len(labels), counts)
        if scale is None:
            scale = 1 / 255 if images.dtype == np.uint8 else 1.0
        split = super().__new__(cls, (images, labels))
        split._scale = expect.number("scale", scale, above=0)
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


def _array(name, array, kinds):
    """The array, one of ``kinds`` {dtype: {ndim: shape}} and not empty; floats as float32, finite ones."""
    array = np.asarray(array)
    shapes = next((shapes for kind, shapes in kinds.items() if np.issubdtype(array.dtype, kind)), None)
    names = " or ".join(kind.__name__ for kind in kinds)
    expect.that(shapes, f"{name} have dtype {array.dtype}, expected {names}", TypeError)
    expect.that(array.ndim in shapes and array.size, f"{name} of dtype {array.dtype} have shape {array.shape}, "
                f"expected {' or '.join(shapes.values())}, nothing empty")
    if array.dtype.kind != "f":
        return array
    with np.errstate(over="ignore"):  # a float64 beyond float32's range becomes inf, and is refused here
        array = array.astype(np.float32, copy=False)
    return expect.reals(f"{name} in float32", array, finite=True)


def _labels(labels):
    labels = _array("labels (y)", labels, _LABELS)
    if labels.ndim == 1:
        expect.that(labels.min() >= 0, lambda: f"labels (y) go down to {labels.min()}, expected 0 or more")
        return labels.astype(np.intp, copy=False)
    sums = labels.sum(axis=1, dtype=np.float64)
    wrong = (labels < 0).any(axis=1) | (abs(sums - 1) > 1e-3)  # 1e-3: what rounding a row to float16 can do
    row = int(wrong.argmax())
    expect.that(not wrong.any(), lambda: f"labels (y) in row {row} are {labels[row]} with sum {sums[row]:g}, "
                "expected a distribution: none negative, sum 1")
    return labels


def _read_only(array):
    view = array.view()  # a view, so that the caller's own array stays writable
    view.flags.writeable = False
    return view
