"""How training went, and what the network then gets wrong."""

import math

import numpy as np

from minicompress import expect

from .sheet import ACCENT, INK, sheet


def training_curves(history):
    """Loss and error over the epochs, training dashed and validation solid; returns a `Figure`.

    history : what `fit` returned; of several runs in a row, a list of them

    >>> from minicompress.training import History
    >>> training_curves(History([2.0, 1.0], [0.5, 0.2], [None, None], [None, None])).axes[1].get_ylabel()
    'error, %'
    """
    histories = list(history) if isinstance(history, list | tuple) else [history]
    figure, ((left, right),) = sheet(8, 2.8, columns=2)
    for ax, what, factor, words in ((left, "loss", 1, "cross-entropy, nats"), (right, "error", 100, "error, %")):
        for name, style in ((what, {"color": INK, "linestyle": "--", "label": "training"}),
                            (f"validation_{what}", {"color": ACCENT, "linestyle": "-", "label": "validation"})):
            values = [math.nan if v is None else factor * v for h in histories for v in getattr(h, name)]
            if not np.isnan(values).all():
                ax.plot(range(1, len(values) + 1), values, marker="o" if len(values) < 3 else None, **style)
        ax.set_ylim(bottom=0)
        ax.set_xlabel("epoch")
        ax.set_ylabel(words)
        ax.xaxis.get_major_locator().set_params(integer=True)
    epochs = np.cumsum([len(h.loss) for h in histories])
    for ax in (left, right):
        for end in epochs[:-1]:
            ax.axvline(end + 0.5, color="0.8", linewidth=1)
    right.legend(frameon=False)
    return figure


def digits_grid(images, titles=None, *, columns=8):
    """Grey images in a grid, ink dark; returns a `Figure`.

    images : (n, H, W) or (n, 1, H, W)
    titles : a line for each image, or None

    Raises ValueError for other shapes, no image, or another number of titles.

    >>> len(digits_grid(np.zeros((3, 8, 8)), ["0", "1", "2"]).axes)
    3
    """
    images = np.asarray(images)
    images = images[:, 0] if images.ndim == 4 and images.shape[1] == 1 else images
    expect.shaped("images", images, "(n, H, W) with n > 0", images.ndim == 3 and len(images))
    expect.that(titles is None or len(titles) == len(images),
                lambda: f"images have shape {images.shape} with {len(titles)} titles, expected {len(images)}")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    figure, axes = sheet(1.05 * columns, (1.05 + 0.25 * (titles is not None)) * rows, rows, columns)
    for i, ax in enumerate(axes.flat):
        if i >= len(images):
            ax.remove()
            continue
        ax.imshow(images[i], cmap="gray_r", interpolation="none")
        ax.axis("off")
        if titles is not None:
            ax.set_title(titles[i], fontsize=9)
    return figure
