"""Networks that compute in integers only: trained as floats, then quantized after training, or trained on quantized.

Jacob et al. 2018: int8 without training, int4 per channel without and with quantization-aware training, each written
without entropy coding, and checked in a fresh process.
"""

import time
from dataclasses import asdict, dataclass

import numpy as np

from minicompress import data, models, quantization
from minicompress.nn import optim

from .course import Course, jitter
from .jobs import VALIDATION
from .plans import PLANS


@dataclass(frozen=True)
class Plan:
    """The dense training, as in Deep Compression's plans, then ``qat_epochs`` at ``qat_lr``, the start of a cosine."""

    train_epochs: int
    train_lr: float
    qat_epochs: int
    qat_lr: float
    weight_decay: float
    batch_size: int
    jitter: int
    calibration: int = 2000  # training images that the ranges of activations are read off

    @classmethod
    def of(cls, name, **options):
        """With the dense stage of `PLANS`."""
        dense = PLANS[name]
        return cls(dense.train_epochs, dense.train_lr, weight_decay=dense.weight_decay, batch_size=dense.batch_size,
                   jitter=dense.jitter, **options)


LENET_300_100 = Plan.of("lenet-300-100", qat_epochs=10, qat_lr=0.01)
LENET_5 = Plan.of("lenet-5", qat_epochs=4, qat_lr=0.01)


def integers_lenet_300_100(seed, *, folder, plan=LENET_300_100, **options):
    """LeNet-300-100 on MNIST; see `quantize_and_compare`."""
    return _mnist("lenet-300-100", seed, plan, folder, **options)


def integers_lenet_5(seed, *, folder, plan=LENET_5, **options):
    """LeNet-5 on MNIST; see `quantize_and_compare`."""
    return _mnist("lenet-5", seed, plan, folder, **options)


def _mnist(name, seed, plan, folder, **options):
    rng = np.random.default_rng(seed)
    dataset = data.load("mnist", validation=VALIDATION, rng=rng)
    model = models.build(name, rng=rng)
    report = quantize_and_compare(model, dataset, plan, folder, rng=rng, **options)
    return {"seed": seed, "model": name, "data": "mnist"} | report


def quantize_and_compare(model, dataset, plan, folder, *, resume=False, progress=None, say=None, rng):
    """Train an untrained model, lower it to integers in three ways, and measure the files; a dict ready for JSON.

    Writes ``dense.mcz``, ``int8.mcz`` (post-training), ``int4.mcz`` (post-training) and ``int4_qat.mcz``
    (quantization-aware) into ``folder``, without entropy coding; weights per channel, activations int8. Each integer
    file is loaded in a fresh process, with the same logits bit for bit. Weights are chosen on the validation split; the
    test set is read to report errors only. ``say`` is called with a `Stage` for each file; a killed run goes on with
    ``resume=True``, as in every `Course`.

    In the report, per file NAME: ``NAME_error``, a fraction of the test set, ``NAME_excess``, by how much it is above
    ``dense_error``, ``NAME_bytes`` and ``NAME_ratio`` to ``dense_bytes``; ``seconds`` of the whole. Raises
    `fresh.FreshProcessError` where logits differ, KeyboardInterrupt after Ctrl-C.
    """
    start, examples = time.perf_counter(), dataset.train.images[:plan.calibration] * np.float32(dataset.scale)
    course = Course(dataset, folder, batch_size=plan.batch_size, augment=jitter(plan.jitter), resume=resume,
                    progress=progress, say=say, rng=rng)

    def train(name, model, epochs, lr):
        optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=plan.weight_decay)
        course.train(name, model, optimizer, epochs)

    train("train", model, plan.train_epochs, plan.train_lr)
    course.write("dense", model, entropy=False)
    for name, bits in (("int8", 8), ("int4", 4)):
        prepared = quantization.calibrate(quantization.prepare(model, weights=bits), examples)
        course.write(name, quantization.convert(prepared), entropy=False, check=True)
    aware = quantization.prepare_qat(model, examples, weights=4)
    train("aware", aware, plan.qat_epochs, plan.qat_lr)
    course.write("int4_qat", quantization.convert(aware), entropy=False, check=True)

    report, dense = {"plan": asdict(plan), "seconds": time.perf_counter() - start}, course.stages["dense"].error
    for name, stage in course.stages.items():
        report |= {f"{name}_{what}": getattr(stage, what) for what in ("error", "bytes", "ratio")}
        report[f"{name}_excess"] = round(stage.error - dense, 9)
    return report
