"""Pruning at work: how fast the weights go, what that does to the error, and which pixels keep theirs."""

import numpy as np

from minicompress import expect

from .sheet import ACCENT, INK, sheet


def pruning_progress(sparsity, validation_error):
    """Sparsity over a stage of training, and below it the validation error after each epoch; returns a `Figure`.

    sparsity : (steps,) fractions, one for each step of the stage, such as `pruning.gradual_sparsity` of them (PR-9)
    validation_error : (epochs,) fractions, such as ``history.validation_error``

    Raises ValueError for no step or no epoch.

    >>> pruning_progress([0.0, 0.5, 0.8, 0.8], [0.03, 0.02]).axes[1].get_xlabel()
    'epoch'
    """
    epochs = len(validation_error)
    expect.that(len(sparsity) and epochs, f"{len(sparsity)} steps and {epochs} epochs, expected at least one of each")
    figure, ((top,), (bottom,)) = sheet(6, 3.6, rows=2, sharex=True)
    top.step(np.linspace(0, epochs, len(sparsity), endpoint=False), 100 * np.asarray(sparsity), where="post", color=INK)
    top.set_ylabel("sparsity, %")
    top.set_ylim(0, 105)
    bottom.plot(range(1, epochs + 1), 100 * np.asarray(validation_error), "o-", color=ACCENT, markersize=4)
    bottom.set_ylabel("validation error, %")
    bottom.set_ylim(bottom=0)
    bottom.set_xlabel("epoch")
    bottom.xaxis.get_major_locator().set_params(integer=True)
    figure.align_ylabels()
    return figure


def weights_per_pixel(mask, image_shape):
    """How many weights of a first layer each pixel of the image keeps, as that image; returns a `Figure`.

    mask : (out, height·width) bool, of a layer that reads the pixels row by row
    image_shape : (height, width)

    Raises ValueError for a mask that does not have a column for each pixel.

    >>> weights_per_pixel(np.ones((3, 4), bool), (2, 2)).axes[0].images[0].get_array().tolist()
    [[3, 3], [3, 3]]
    """
    mask, (height, width) = np.asarray(mask, bool), image_shape
    fits = mask.ndim == 2 and mask.shape[1] == height * width
    expect.shaped("the mask", mask, f"(out, {height * width}), a column for each pixel", fits)
    kept = mask.sum(axis=0).reshape(height, width)
    figure, ((ax,),) = sheet(4.6, 3.7)
    picture = ax.imshow(kept, cmap="gray_r", interpolation="none", extent=(0, width, height, 0))
    ax.spines[:].set_visible(True)  # a frame: the outermost pixels may be as white as the paper
    ax.set_xlabel("pixel column")
    ax.set_ylabel("pixel row")
    ax.set_title(f"{np.count_nonzero(kept)} of {kept.size} pixels keep a weight", loc="left", fontsize=10)
    figure.colorbar(picture, ax=ax, shrink=0.85, label=f"weights kept, of {len(mask)}")
    return figure
