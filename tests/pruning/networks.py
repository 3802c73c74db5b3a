"""A small network whose channels are scored and cut, and images for it."""

import numpy as np

from minicompress import nn
from tests.laws.channel_networks import randomise

IMAGES = np.random.default_rng(1).random((3, 1, 6, 6), np.float32)


def network(**between):
    rng = np.random.default_rng(0)
    layers = {"input": nn.ImageInput(1, 6, 6), "conv": nn.Conv2d(1, 4, 3, rng=rng), "bn": nn.BatchNorm2d(4),
              "relu": nn.ReLU(), **between, "flatten": nn.Flatten(), "fc": nn.Linear(64, 8, rng=rng),
              "out": nn.Linear(8, 3, rng=rng)}
    return randomise(nn.Sequential(layers), rng, np.float32)
