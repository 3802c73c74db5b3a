"""Networks that compute in integers only: trained as floats, then quantized after training, or trained on quantized.

Jacob et al. 2018: int8 without training, int4 per channel without and with quantization-aware training, each written
without entropy coding, and checked in a fresh process.
"""

import time
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np

from minicompress import models, quantization
from minicompress.claims import Claim, Quantity, count, percent, points, precise_times, seconds
from minicompress.recipes.plans import PLANS
from minicompress.training import Training


@dataclass(frozen=True)
class Plan:
    """The dense training, that of Deep Compression's plans, and the one that goes on under quantization."""

    train: Training
    aware: Training
    calibration: int = 2000  # training images that the ranges of activations are read off


def plan(name, epochs, lr):
    """With the dense stage of `PLANS`, and so many epochs from a learning rate on under quantization.

    >>> plan("lenet-5", 4, 0.01).aware.epochs
    4
    """
    dense = PLANS[name].train
    return Plan(dense, replace(dense, epochs=epochs, lr=lr))


def run(lab, plan, model, data="mnist"):
    """Train a network, known by its name, and lower it to integers in three ways: `quantize_and_compare`."""
    dataset = lab.load(data)
    network = models.build(model, rng=lab.rng, image_shape=dataset.image_shape)
    return quantize_and_compare(lab, network, plan)


def quantize_and_compare(lab, model, plan):
    """Train an untrained model, lower it to integers in three ways, and measure the files; a dict ready for JSON.

    Writes ``dense.mcz``, ``int8.mcz`` (post-training), ``int4.mcz`` (post-training) and ``int4_qat.mcz``
    (quantization-aware), without entropy coding; weights per channel, activations int8. Each integer file is loaded in
    a fresh process, with the same logits bit for bit.

    In the report, per file NAME: ``NAME_error``, a fraction of the test set, ``NAME_excess``, by how much it is above
    ``dense_error``, ``NAME_bytes`` and ``NAME_ratio`` to ``dense_bytes``; ``seconds`` of the whole. Raises
    `fresh.FreshProcessError` where logits differ, KeyboardInterrupt after Ctrl-C.
    """
    start, train = time.perf_counter(), lab.dataset.train
    examples = train.images[:plan.calibration] * np.float32(train.scale)
    lab.train("train", model, plan.train)
    lab.write("dense", model, entropy=False)
    for name, bits in (("int8", 8), ("int4", 4)):
        prepared = quantization.calibrate(quantization.prepare(model, weights=bits), examples)
        lab.write(name, quantization.convert(prepared), entropy=False, check=True)
    aware = quantization.prepare_qat(model, examples, weights=4)
    lab.train("aware", aware, plan.aware)
    lab.write("int4_qat", quantization.convert(aware), entropy=False, check=True)

    report, dense = {"plan": asdict(plan), "seconds": time.perf_counter() - start}, lab.stages["dense"].error
    for name, stage in lab.stages.items():
        report |= {f"{name}_{what}": getattr(stage, what) for what in ("error", "bytes", "ratio")}
        report[f"{name}_excess"] = round(stage.error - dense, 9)
    return report


def _claim(model, words, epochs):
    return Claim(partial(run, plan=plan(model, epochs, 0.01), model=model), (
        Quantity("dense_error", percent, "float"), Quantity("int8_error", percent, "int8, after training"),
        Quantity("int8_excess", points, "int8, points", at_most=0.0005),
        Quantity("int4_error", percent, "int4, after training"), Quantity("int4_excess", points),
        Quantity("int4_qat_error", percent, "int4, in training"),
        Quantity("int4_qat_excess", points, "int4 in training, points", at_most=0.0015),
        *(Quantity(f"{name}_bytes", count) for name in ("dense", "int8", "int4", "int4_qat")),
        Quantity("int8_ratio", precise_times, "int8, file", at_least=3.9),
        Quantity("int4_ratio", precise_times, "int4, file", at_least=7.5),
        Quantity("int4_qat_ratio", precise_times, at_least=7.5),
        Quantity("seconds", seconds, "seconds")), model=model, words=words)


CLAIMS = {"integers-lenet-300-100": _claim("lenet-300-100", "LeNet-300-100", 10),
          "integers-lenet-5": _claim("lenet-5", "LeNet-5", 4)}
