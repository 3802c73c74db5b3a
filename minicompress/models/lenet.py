"""The two LeNets of the compression literature (LeCun et al. 1998, in Caffe's dialect), and plain MLPs."""

from itertools import pairwise
from numbers import Integral

from minicompress import expect, nn


def mlp(sizes, *, batch_norm=False, dropout=0.0, rng):
    """Linear layers of the given sizes with ReLU between them; takes images (N, 1, H, W) or flat.

    ``mlp([784, 300, 10])`` has one hidden layer of 300; ``batch_norm`` normalises each hidden layer before its ReLU,
    ``dropout`` is the share of its units that training drops behind it.
    Raises ValueError for fewer than two sizes.

    >>> import numpy as np
    >>> mlp([64, 30, 10], rng=np.random.default_rng(0)).summary().parameters
    2260
    """
    sizes = list(sizes)
    expect.that(len(sizes) >= 2 and all(isinstance(size, Integral) and size > 0 for size in sizes),
                f"sizes are {sizes}, expected at least two positive integers: inputs, hidden …, classes")
    layers = {"flatten": nn.Flatten()}
    for i, (inputs, outputs) in enumerate(pairwise(sizes), 1):
        if i > 1:
            layers |= {f"bn{i - 1}": nn.BatchNorm1d(inputs, blank=rng is None)} if batch_norm else {}
            layers[f"relu{i - 1}"] = nn.ReLU()
            layers |= {f"drop{i - 1}": nn.Dropout(dropout, rng=rng)} if dropout else {}
        layers[f"fc{i}"] = nn.Linear(inputs, outputs, rng=rng)
    return nn.Sequential(layers)


def lenet_300_100(*, rng):
    """LeNet-300-100: 784 inputs, hidden layers of 300 and 100, 10 classes; 266 200 weights, 266 610 parameters.

    >>> import numpy as np
    >>> lenet_300_100(rng=np.random.default_rng(0)).summary().parameters
    266610
    """
    return mlp([784, 300, 100, 10], rng=rng)


def lenet_5(*, rng, image_shape=(28, 28)):
    """LeNet-5 in Caffe's form: 20 and 50 filters of 5×5, each max-pooled, then 500 units; 431 080 parameters.

    There is no nonlinearity between convolution and pooling, as in Caffe. Raises ValueError for images other than
    28×28: the 800 inputs of the first linear layer are 50 channels of 4×4, which only 28×28 leaves.

    >>> import numpy as np
    >>> lenet_5(rng=np.random.default_rng(0)).summary().parameters
    431080
    """
    expect.that(tuple(image_shape) == (28, 28), f"image_shape is {tuple(image_shape)}, expected (28, 28): fc1 "
                "reads 50 channels of 4×4, which two 5×5 convolutions and poolings leave of 28×28 only")
    return nn.Sequential({
        "input": nn.ImageInput(1, 28, 28),
        "conv1": nn.Conv2d(1, 20, 5, rng=rng), "pool1": nn.MaxPool2d(2),
        "conv2": nn.Conv2d(20, 50, 5, rng=rng), "pool2": nn.MaxPool2d(2),
        "flatten": nn.Flatten(),
        "fc1": nn.Linear(800, 500, rng=rng), "relu1": nn.ReLU(),
        "fc2": nn.Linear(500, 10, rng=rng),
    })
