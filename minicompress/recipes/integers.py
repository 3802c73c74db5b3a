"""Networks that compute in integers only: trained as floats, then quantized after training, or trained on quantized.

Jacob et al. 2018: int8 without training, int4 per channel without and with quantization-aware training, each written
without entropy coding, and checked in a fresh process.
"""

import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from minicompress import container, data, models, nn, quantization
from minicompress.nn import optim

from . import fresh
from .deep_compression import Stage
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


def integers_lenet_300_100(seed, *, folder, progress=None, say=None, plan=LENET_300_100):
    """LeNet-300-100 on MNIST; see `quantize_and_compare`."""
    return _mnist("lenet-300-100", seed, plan, folder, progress, say)


def integers_lenet_5(seed, *, folder, progress=None, say=None, plan=LENET_5):
    """LeNet-5 on MNIST; see `quantize_and_compare`."""
    return _mnist("lenet-5", seed, plan, folder, progress, say)


def _mnist(name, seed, plan, folder, progress, say):
    rng = np.random.default_rng(seed)
    dataset = data.load("mnist", validation=VALIDATION, rng=rng)
    model = models.build(name, rng=rng)
    report = quantize_and_compare(model, dataset, plan, folder, progress=progress, say=say, rng=rng)
    return {"seed": seed, "model": name, "data": "mnist"} | report


def quantize_and_compare(model, dataset, plan, folder, *, progress=None, say=None, rng):
    """Train an untrained model, lower it to integers in three ways, and measure the files; a dict ready for JSON.

    Writes ``dense.mcz``, ``int8.mcz`` (post-training), ``int4.mcz`` (post-training) and ``int4_qat.mcz``
    (quantization-aware) into ``folder``, without entropy coding; weights per channel, activations int8. Each integer
    file is loaded in a fresh process, with the same logits bit for bit. Weights are chosen on the validation split; the
    test set is read to report errors only. ``say`` is called with a `Stage` for each file.

    In the report, per file NAME: ``NAME_error``, a fraction of the test set, ``NAME_excess``, by how much it is above
    ``dense_error``, ``NAME_bytes`` and ``NAME_ratio`` to ``dense_bytes``; ``test_seconds`` to evaluate the test set;
    ``seconds`` of the whole. Raises `fresh.FreshProcessError` where logits differ, KeyboardInterrupt after
    Ctrl-C.
    """
    folder, stages, start = Path(folder), {}, time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    examples, test_seconds = dataset.train.images[:plan.calibration] * np.float32(dataset.scale), {}

    def train(model, epochs, lr, best_from=0):
        optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=plan.weight_decay)
        history = nn.fit(model, dataset, epochs=epochs, optimizer=optimizer, batch_size=plan.batch_size,
                         schedule=optim.CosineAnnealingLR(optimizer, epochs), best_from=best_from,
                         augment=data.Jitter(plan.jitter) if plan.jitter else None, progress=progress, rng=rng)
        if history.interrupted:
            raise KeyboardInterrupt

    def write(name, model, begin):
        path = folder / f"{name}.mcz"
        size = container.save(model, path, entropy=False).size
        before = time.perf_counter()
        error = nn.evaluate(model, dataset).error
        test_seconds[name] = time.perf_counter() - before
        if name != "dense":
            fresh.check(model, path, dataset)
        dense = stages["dense"].bytes if stages else size
        stages[name] = Stage(name, error, size, dense / size, time.perf_counter() - begin, path)
        if say:
            say(stages[name])

    train(model, plan.train_epochs, plan.train_lr)
    write("dense", model, start)
    for name, bits in (("int8", 8), ("int4", 4)):
        begin = time.perf_counter()
        prepared = quantization.calibrate(quantization.prepare(model, weights=bits), examples)
        write(name, quantization.convert(prepared), begin)
    begin = time.perf_counter()
    aware = quantization.prepare_qat(model, examples, weights=4)
    train(aware, plan.qat_epochs, plan.qat_lr)
    write("int4_qat", quantization.convert(aware), begin)

    report = {f"{name}_{what}": getattr(stage, what) for name, stage in stages.items()
              for what in ("error", "bytes", "ratio")}
    excess = {f"{name}_excess": round(stage.error - stages["dense"].error, 9) for name, stage in stages.items()}
    return report | excess | {"test_seconds": test_seconds, "plan": asdict(plan),
                              "seconds": time.perf_counter() - start}
