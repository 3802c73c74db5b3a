"""Deep Compression on MNIST (Han et al. 2016): two LeNets from raw images to small files, checked."""

from functools import partial

from minicompress import models
from minicompress.claims import Claim, Quantity, count, percent, seconds, times
from minicompress.recipes.deep_compression import measure
from minicompress.recipes.plans import PLANS


def run(lab, plan, model):
    """Train a network, known by its name, and compress it; the report of `measure`."""
    lab.load("mnist")
    return measure(lab, models.build(model, rng=lab.rng), plan)


def _claim(name, words, *, error=None, ratio=None, within=None):
    quantities = (
        Quantity("error", percent, "test error", at_most=error), Quantity("compressed_bytes", count, "bytes on disk"),
        Quantity("ratio", times, "ratio", at_least=ratio), Quantity("dense_error", percent, "dense: test error"),
        Quantity("dense_bytes", count, "dense: bytes"), Quantity("gzip_bytes", count),
        Quantity("seconds", seconds, "seconds", at_most=within))
    model = name.removesuffix("-plain")
    return Claim(partial(run, plan=PLANS[name], model=model), quantities, model=model, words=words)


CLAIMS = {
    "lenet-300-100": _claim("lenet-300-100", "LeNet-300-100", error=0.0158, ratio=40, within=300),
    "lenet-5": _claim("lenet-5", "LeNet-5", error=0.0074, ratio=39, within=1500),
    "lenet-300-100-plain": _claim("lenet-300-100-plain", "LeNet-300-100, no augmentation"),
    "lenet-5-plain": _claim("lenet-5-plain", "LeNet-5, no augmentation"),
}
