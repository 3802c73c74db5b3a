"""What a file is worth: its error on a data set, and where its bytes go; as dicts ready for JSON."""

import tempfile
import time
from pathlib import Path

from minicompress import container, data, models, training

KEYS = """\
The JSON report has the keys: data, model, seed; seconds (wall clock);
dense_bytes, compressed_bytes and ratio (sizes of two real files, dense by
compressed); dense_error and error (fractions of the test set).
"""
EVALUATION_KEYS = KEYS + """\
dense_bytes: of the file's own network, without what was cut or folded.
Null where the file doesn't tell: seed, dense_error. Also accuracy, precision,
recall, f1 per class and macro_…, confusion, images, sizes, arrays and file.
"""
CONTENTS_KEYS = KEYS + """\
dense_bytes: of the file's own network, without what was cut or folded.
Null where the file doesn't tell: data, seed, seconds, errors. Also sizes (bytes
per part, which sum to the file's) and arrays (the columns of the table).
"""


def evaluation(path, data_name):
    """``(report, Measures)`` of a file's network on the test split of a data set.

    Raises `ContainerError` for a damaged file, ValueError for data that the network doesn't fit, and for a network
    that loads but can't be computed: layers that don't fit each other, or more memory than there is.
    """
    begin, dataset = time.perf_counter(), data.load(data_name)
    model = container.load(path)
    try:
        measured = training.evaluate(model, dataset)
    except (ValueError, TypeError, MemoryError) as error:
        height, width = dataset.image_shape
        raise ValueError(f"{path} doesn't fit {data_name}, {height}×{width} pixels in {dataset.num_classes} classes: "
                         f"{error}") from None
    seconds = time.perf_counter() - begin
    report, _ = contents(path)
    return report | {
        "data": data_name, "seconds": seconds, "error": measured.error, "images": len(dataset.test.images),
        "accuracy": measured.accuracy, "macro_precision": measured.macro_precision,
        "macro_recall": measured.macro_recall, "macro_f1": measured.macro_f1, "precision": measured.precision.tolist(),
        "recall": measured.recall.tolist(), "f1": measured.f1.tolist(), "confusion": measured.confusion.tolist(),
    }, measured


def contents(path):
    """``(report, Inspection)`` of a file; what it doesn't hold, such as the seed, is None in the report.

    Raises `ContainerError` for a damaged file.
    """
    inspection = container.inspect(path)
    dense = dense_size(path) if isinstance(inspection.description, list) else None
    return {
        "file": str(path), "data": None, "model": models.name_of(inspection.description), "seed": None, "seconds": None,
        "dense_bytes": dense, "compressed_bytes": inspection.size, "ratio": dense and dense / inspection.size,
        "dense_error": None, "error": None, "sizes": inspection.sizes, "arrays": inspection.arrays,
    }, inspection


def dense_size(path):
    """Bytes of the file that the same network takes with every weight a float: what ME-2 divides by.

    Of a network that lost channels or batch norms before it was stored, the original is larger: recipes know its file.
    """
    model = container.load(path)
    for _, parameter in model.named_latents():
        parameter.settle()
    with tempfile.TemporaryDirectory() as folder:
        return container.save(model, Path(folder) / "dense.mcz").size
