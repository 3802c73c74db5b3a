"""Augmentation: new training images from old ones, with the same labels."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from minicompress import expect


@dataclass(frozen=True)
class Jitter:
    """Shift each image by its own random whole number of pixels.

    Down and right shifts are drawn independently and uniformly from {-pixels, …, pixels}; what leaves the image is
    lost (it never wraps around), what enters is 0.

    Args:
        pixels: the largest shift along either axis; 0 changes nothing.

    Raises:
        ValueError: `pixels` is no integer of at least 0; when called, images no larger than `pixels`, which could be
            shifted out of sight.

    >>> image = np.eye(3, dtype=np.uint8)[None]
    >>> Jitter(1)(image, np.random.default_rng(0))[0]  # one down, none to the right
    array([[0, 0, 0],
           [1, 0, 0],
           [0, 1, 0]], dtype=uint8)
    """

    pixels: int = 2

    def __post_init__(self):
        expect.integer("pixels", self.pixels, 0)

    def __call__(self, images, rng):
        """The shifted images, a new array; ``images`` is (n, H, W) or (n, C, H, W), all C channels shifted alike."""
        fits = images.ndim in (3, 4) and min(images.shape[-2:]) > self.pixels
        expect.shaped("images", images, f"(n, H, W) or (n, C, H, W), H, W above the {self.pixels} pixels", fits)
        n, p, (height, width) = len(images), self.pixels, images.shape[-2:]
        padded = np.zeros((*images.shape[:-2], height + 2 * p, width + 2 * p), images.dtype)
        padded[..., p:p + height, p:p + width] = images
        # A view of every shifted version of every image: (n, …, 2p+1, 2p+1, H, W).
        windows = sliding_window_view(padded, (height, width), axis=(-2, -1))
        down, right = rng.integers(-p, p, size=(2, n), endpoint=True)
        # A window that starts higher shows the image lower. One shift per image: -> (n, …, H, W)
        return windows[np.arange(n), ..., p - down, p - right, :, :]
