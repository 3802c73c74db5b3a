"""The data that come with the project are the ones their README describes."""

import gzip
import hashlib
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from minicompress.data import NAMES, dataset, load


def folder(name):
    package = Path(dataset.__file__).parents[1]
    return next(root / name for root in (package / "datasets", package.parent / "datasets") if (root / name).is_dir())


def checksums():
    readme = (folder("digits").parent / "README.md").read_text(encoding="utf-8")
    return {path: digest for digest, path in re.findall(r"^([0-9a-f]{64})  (\S+)$", readme, re.MULTILINE)}


def test_checksums_are_those_of_the_readme():
    expected = checksums()
    found = {}
    for name in NAMES:
        for path in folder(name).glob("*.gz"):
            content = gzip.decompress(path.read_bytes())
            found[f"{name}/{path.name.removesuffix('.gz')}"] = hashlib.sha256(content).hexdigest()
    assert len(expected) == 8 and found == expected


# Known of the originals: MNIST's class sizes, and those of the 1 797 images of the UCI test part.
CLASS_SIZES = {
    "mnist": ([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
              [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    "digits": [178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
}


def test_mnist_is_mnist():
    mnist = load("mnist")
    assert (mnist.image_shape, mnist.num_classes, mnist.scale) == ((28, 28), 10, 1 / 255)
    for split, sizes, first in zip((mnist.train, mnist.test), CLASS_SIZES["mnist"],
                                   ([5, 0, 4, 1, 9, 2, 1, 3, 1, 4], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]), strict=True):
        assert np.bincount(split.labels).tolist() == sizes and split.labels[:10].tolist() == first
    histogram = sum(np.bincount(chunk.ravel(), minlength=256) for chunk in np.array_split(mnist.train.images, 60))
    inputs = np.arange(256) * mnist.scale
    mean = np.average(inputs, weights=histogram)
    std = np.sqrt(np.average((inputs - mean) ** 2, weights=histogram))
    assert (round(mean, 4), round(std, 4)) == (0.1307, 0.3081)  # the constants in common use


def test_digits_are_the_uci_test_part():
    digits = load("digits")
    assert (digits.image_shape, digits.num_classes, digits.scale) == ((8, 8), 10, 1 / 16)
    sizes = [np.bincount(split.labels) for split in (digits.train, digits.test)]
    assert (sizes[0] + sizes[1]).tolist() == CLASS_SIZES["digits"]
    assert (abs(sizes[1] - 0.2 * np.array(CLASS_SIZES["digits"])) < 1).all()  # split class by class, four to one


@pytest.mark.parametrize("name", NAMES)
def test_images_are_those_of_the_file_in_order(name):
    loaded = load(name)
    for part, split in (("train", loaded.train), ("t10k", loaded.test)):
        content = gzip.decompress((folder(name) / f"{part}-images-idx3-ubyte.gz").read_bytes())
        count, height, width = struct.unpack(">III", content[4:16])
        assert split.images.shape == (count, height, width) and split.images.tobytes() == content[16:]
