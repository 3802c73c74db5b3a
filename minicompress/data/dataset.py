"""`load`: a data set by name, or from a folder of IDX files, as train, validation and test splits."""

import numbers
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .idx import DataError, read_idx
from .split import Split

NAMES = ("digits", "mnist")
_FOLDER_HOLDS = ("a folder holding train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
                 "t10k-labels-idx1-ubyte (each may end in .gz, or be spelled like train-images.idx3-ubyte)")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images of one size, labelled 0 … num_classes - 1, in a training, a validation and a test `Split`.

    `validation` is None if none was asked for. All three have the same `scale`.
    """

    name: str
    train: Split
    validation: Split | None
    test: Split
    num_classes: int

    @property
    def image_shape(self):
        """(H, W) in pixels."""
        return self.train.images.shape[1:]

    @property
    def scale(self):
        """1 / the largest pixel value of the training images: inputs lie in [0, 1]."""
        return self.train.scale


def load(name_or_folder="digits", *, validation=0, rng=None):
    """The data set of a name, or of a folder of IDX files.

    The validation examples are drawn with `rng` from the training set, stratified: each class gives its share
    (count · class size / training size, rounded down or up), both parts in the order of the file. The test set is
    never touched. Inputs are ``pixel · scale`` with scale = 1 / (largest pixel value in the file of training images):
    1/255 for MNIST, 1/16 for the digits; it does not depend on what is split off.

    Args:
        name_or_folder: "digits" (8×8, 1 438 + 359 images), "mnist" (28×28, 60 000 + 10 000), or a folder holding
            the four files of the MNIST distribution, plain or gzipped (the plain file is read if both are there).
        validation: how much of the training set to set aside: a count, or a fraction in [0, 1).
        rng: a np.random.Generator, needed if `validation` is not 0.

    Raises:
        DataError: an unknown name, or a file that is missing, damaged, or does not match the others.
        ValueError: a validation set that would be empty or leave nothing to train on.
        TypeError: `validation` is not a number, or `rng` is not a generator where one is needed.

    >>> digits = load("digits", validation=0.1, rng=np.random.default_rng(0))
    >>> digits.image_shape, digits.num_classes, 1 / digits.scale
    ((8, 8), 10, 16.0)
    >>> [len(split.images) for split in (digits.train, digits.validation, digits.test)]
    [1294, 144, 359]
    """
    if isinstance(validation, bool) or not isinstance(validation, numbers.Real):
        raise TypeError(f"validation is {validation!r}, expected a count or a fraction")
    if validation != 0 and not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng is {rng!r}, but validation={validation} needs a np.random.Generator to draw with")
    folder = _folder_of(name_or_folder)
    (images, labels), (test_images, test_labels) = (_read_part(folder, part) for part in ("train", "t10k"))
    if images.shape[1:] != test_images.shape[1:]:
        raise DataError(folder, "test images of {}×{} pixels".format(*test_images.shape[1:]),
                        "{}×{} as in the training images".format(*images.shape[1:]))
    if not (brightest := int(images.max())):
        raise DataError(folder, "training images that are zero everywhere", "at least one pixel above 0")
    num_classes = int(max(labels.max(), test_labels.max())) + 1
    scale, held_out = 1 / brightest, None
    if validation != 0:
        chosen = _stratified(labels, _count(validation, len(labels)), rng)
        held_out = Split(images[chosen], labels[chosen], scale)
        images, labels = images[~chosen], labels[~chosen]
    return Dataset(str(name_or_folder), Split(images, labels, scale), held_out, Split(test_images, test_labels, scale),
                   num_classes)


def _folder_of(name_or_folder):
    if name_or_folder in NAMES:
        package = Path(__file__).parents[1]
        # An installed package carries the data inside itself, a checkout has them beside it.
        for root in (package / "datasets", package.parent / "datasets"):
            if (root / name_or_folder).is_dir():
                return root / name_or_folder
        raise DataError(package, f"no data for {name_or_folder!r}", "them installed with the package")
    if not Path(name_or_folder).is_dir():
        names = ", ".join(map(repr, NAMES))
        raise DataError(name_or_folder, "neither the name of a data set nor a folder", f"{names} or {_FOLDER_HOLDS}")
    return Path(name_or_folder)


def _read_part(folder, part):
    images_path, labels_path = (_find(folder, f"{part}-{kind}") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    if len(images) != len(labels):
        raise DataError(labels_path, f"{len(labels)} labels", f"{len(images)}, one per image in {images_path.name}")
    return images, labels


def _find(folder, name):
    for spelling in (name, name.replace("-idx", ".idx")):
        for path in (folder / spelling, folder / f"{spelling}.gz"):
            if path.is_file():
                return path
    raise DataError(folder, f"no {name}", _FOLDER_HOLDS)


def _count(validation, total):
    count = int(validation) if isinstance(validation, numbers.Integral) else None
    if count is None and 0 < validation < 1:
        count = round(validation * total)
    if count is None or not 0 < count < total:
        raise ValueError(f"validation is {validation}, expected a count from 1 to {total - 1} or a fraction in [0, 1) "
                         f"that leaves images on both sides")
    return count


def _stratified(labels, count, rng):
    """A mask over the examples with ``count`` of them true, each class in proportion (largest remainder first)."""
    class_sizes = np.bincount(labels)
    quota, remainder = np.divmod(count * class_sizes, len(labels))
    quota[np.argsort(-remainder, kind="stable")[:count - quota.sum()]] += 1
    chosen = np.zeros(len(labels), bool)
    for label, size in enumerate(quota):
        chosen[rng.permutation(np.flatnonzero(labels == label))[:size]] = True
    return chosen
