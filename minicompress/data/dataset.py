"""`load`: a data set by name, or from a folder of IDX files, as train, validation and test splits."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minicompress import expect

from .idx import DataError, read_idx, require
from .split import Split

NAMES = ("digits", "mnist")
_FOLDER_HOLDS = ("a folder holding train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
                 "t10k-labels-idx1-ubyte (each may end in .gz, or be spelled like train-images.idx3-ubyte)")
_NAME_OR_FOLDER = f"{', '.join(map(repr, NAMES))} or {_FOLDER_HOLDS}"


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
    folder = _folder_of(name_or_folder)
    (images, labels), (test_images, test_labels) = (_read_part(folder, part) for part in ("train", "t10k"))
    size, test_size = ("{}×{}".format(*part.shape[1:]) for part in (images, test_images))
    require(size == test_size, folder, f"test images of {test_size} pixels", f"{size} as in the training images")
    brightest = int(images.max())
    require(brightest, folder, "training images that are zero everywhere", "at least one pixel above 0")
    num_classes = int(max(labels.max(), test_labels.max())) + 1
    scale, held_out = 1 / brightest, None
    if expect.number("validation", validation):
        expect.a(np.random.Generator, "rng", rng, "a np.random.Generator to draw the validation examples with")
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
    require(Path(name_or_folder).is_dir(), name_or_folder, "neither a data set's name nor a folder", _NAME_OR_FOLDER)
    return Path(name_or_folder)


def _read_part(folder, part):
    images_path, labels_path = (_find(folder, f"{part}-{kind}") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    images, labels = read_idx(images_path, 3), read_idx(labels_path, 1)
    wanted = f"{len(images)}, one per image in {images_path.name}"
    require(len(images) == len(labels), labels_path, f"{len(labels)} labels", wanted)
    return images, labels


def _find(folder, name):
    for spelling in (name, name.replace("-idx", ".idx")):
        for path in (folder / spelling, folder / f"{spelling}.gz"):
            if path.is_file():
                return path
    raise DataError(folder, f"no {name}", _FOLDER_HOLDS)


def _count(validation, total):
    count = round(validation * total) if 0 < validation < 1 else validation
    return expect.integer(f"validation={validation} of {total} images", count, 1, total - 1)


def _stratified(labels, count, rng):
    """A mask over the examples with ``count`` of them true, each class in proportion (largest remainder first)."""
    class_sizes = np.bincount(labels)
    quota, remainder = np.divmod(count * class_sizes, len(labels))
    quota[np.argsort(-remainder, kind="stable")[:count - quota.sum()]] += 1
    chosen = np.zeros(len(labels), bool)
    for label, size in enumerate(quota):
        chosen[rng.permutation(np.flatnonzero(labels == label))[:size]] = True
    return chosen
