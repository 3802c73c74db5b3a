"""Reports as tables of plain text that fit a terminal of 80 columns."""

from minicompress.claims import percent
from minicompress.columns import table


def stages(report):
    """The table of a report of `recipes.compress`: what each stage leaves on disk; gzip of the dense file beside it.

    >>> dense = {"stage": "dense", "error": 0.02, "bytes": 1000, "ratio": 1.0}
    >>> print(stages({"stages": [dense], "dense_bytes": 1000, "gzip_bytes": 800}))
    stage           test error  bytes on disk  ratio
    dense               2.00 %          1,000   1.0×
    dense, gzipped      2.00 %            800   1.2×
    """
    rows = [[s["stage"], percent(s["error"]), f"{s['bytes']:,}", f"{s['ratio']:.1f}×"] for s in report["stages"]]
    dense = report["dense_bytes"]
    rows.insert(1, ["dense, gzipped", rows[0][1], f"{report['gzip_bytes']:,}", f"{dense / report['gzip_bytes']:.1f}×"])
    return table(["stage", "test error", "bytes on disk", "ratio"], rows)


def comparison(report):
    """The table of a report of `recipes.compare`: a row for each method; times in microseconds an image.

    >>> row = {"method": "dense", "error": 0.02, "bytes": 1000, "ratio": 1.0, "macs": 250, "seconds_per_image": None}
    >>> print(comparison({"rows": [row]}))
    method  error  bytes  ratio  MACs  µs, batch 1  batch 256
    dense   2.00%  1,000   1.0×   250            -          -
    """
    rows = [[r["method"], f"{100 * r['error']:.2f}%", f"{r['bytes']:,}", f"{r['ratio']:.1f}×", f"{r['macs']:,}",
             *(f"{1e6 * r['seconds_per_image'][batch]:.1f}" if r["seconds_per_image"] else "-"
               for batch in ("1", "256"))] for r in report["rows"]]
    return table(["method", "error", "bytes", "ratio", "MACs", "µs, batch 1", "batch 256"], rows)


def arrays(inspection):
    """The columns of Han's tables for each array of a file (Han et al. 2016, tables 2 to 4).

    Bits are per kept weight: of its value ("w bits") and its index ("i bits") in a fixed width, and as Huffman codes
    in the file; the rate is the array's bytes there, with everything, by those of 32-bit floats.
    """
    header = ["array", "weights", "kept", "w bits", "coded", "i bits", "coded", "bytes", "rate"]
    rows = [[a["name"], f"{a['weights']:,}", f"{100 * a['kept']:.1f}%", f"{a['weight_bits']:.0f}",
             f"{a['weight_bits_huffman']:.2f}",
             *(f"{a[key]:.2f}" if a["kept"] < 1 else "-" for key in ("index_bits", "index_bits_huffman")),
             f"{a['bytes']:,}", _rate(a["bytes"], a["weights"])] for a in inspection.arrays]
    count = sum(a["weights"] for a in inspection.arrays)
    kept = sum(a["weights"] * a["kept"] for a in inspection.arrays)
    size = sum(a["bytes"] for a in inspection.arrays)
    rows.append(["all", f"{count:,}", f"{100 * kept / max(count, 1):.1f}%", "", "", "", "", f"{size:,}",
                 _rate(size, count)])
    return table(header, rows) + (
        "\n\nBits per kept weight, of its value (w) and its index (i): in a fixed width, then"
        "\ncoded as in the file. Rate: bytes in the file by those of 32-bit floats.")


def _rate(size, weights):
    return f"{100 * size / max(4 * weights, 1):.2f}%"


def parts(inspection):
    """What the bytes of a file are spent on; they sum to its size.

    >>> from minicompress.container import Inspection
    >>> print(parts(Inspection(40, {"payload": 30, "header": 10}, [], [])))
    part     bytes   share
    payload     30   75.0%
    header      10   25.0%
    file        40  100.0%
    """
    rows = [[kind, f"{count:,}", f"{100 * count / inspection.size:.1f}%"] for kind, count in inspection.sizes.items()]
    return table(["part", "bytes", "share"], [*rows, ["file", f"{inspection.size:,}", "100.0%"]])


def grades(report):
    """Students × exercises: points in a table, a lesson at a time; and below, why an exercise scored nothing.

    >>> failed = {"number": 1, "id": "PR-1", "points": 0, "most": 2, "reason": "the cell is gone"}
    >>> print(grades({"submissions": [{"file": "ada/03_pruning.ipynb", "lesson": "03_pruning", "points": 0, "most": 2,
    ...                                "exercises": [failed], "reason": None}]}))
    03_pruning            1 (of 2)  sum (of 2)
    ada/03_pruning.ipynb         0           0
    <BLANKLINE>
    ada/03_pruning.ipynb, exercise 1 (PR-1): the cell is gone
    """
    parts, reasons = [], []
    for lesson in dict.fromkeys(s["lesson"] for s in report["submissions"]):
        submissions = [s for s in report["submissions"] if s["lesson"] == lesson]
        header = [lesson or "no lesson's name in it",
                  *(f"{e['number']} (of {e['most']})" for e in submissions[0]["exercises"]),
                  *([f"sum (of {submissions[0]['most']})"] if lesson else [])]
        parts.append(table(header, [[s["file"], *(str(e["points"]) for e in s["exercises"]),
                                     *([str(s["points"])] if lesson else [])] for s in submissions]))
        for s in submissions:
            reasons += [f"{s['file']}: {s['reason']}"] if s["reason"] else []
            reasons += [f"{s['file']}, exercise {e['number']} ({e['id']}): {e['reason']}" for e in s["exercises"]
                        if not e["points"] and not s["reason"]]
    return "\n\n".join([*parts, *(["\n".join(reasons)] if reasons else [])])


def measures(measured):
    """Precision, recall and F1 per class, and the confusion matrix (ME-1), from `Measures`.

    >>> from minicompress.training.metrics import measures as count
    >>> print(measures(count([0, 1, 1], [0, 0, 1], 2)).splitlines()[1])
    0         1.0000  0.5000  0.6667
    """
    classes = range(len(measured.confusion))
    numbers = [[str(c), *(f"{column[c]:.4f}" for column in (measured.precision, measured.recall, measured.f1))]
               for c in classes]
    macro = measured.macro_precision, measured.macro_recall, measured.macro_f1
    numbers.append(["mean", *(f"{mean:.4f}" for mean in macro)])
    confusion = [[str(c), *map(str, measured.confusion[c])] for c in classes]
    return "\n\n".join([table(["class", "precision", "recall", "F1"], numbers),
                        table(["true\\said", *map(str, classes)], confusion)])


def reproduction(report, quantities):
    """Medians over the seeds, their spread, and the bars beside them, of some `Quantity`s."""
    rows = []
    for quantity in quantities:
        measured = report["measured"][quantity.name]
        met = quantity.met(measured["median"])
        rows.append([quantity.name, *(quantity.unit(measured[key]) for key in ("median", "least", "most")),
                     quantity.bar(), "" if met is None else "yes" if met else "no"])
    name = f"{report['name']}, seed{'s' * (len(report['seeds']) > 1)} {', '.join(map(str, report['seeds']))}"
    resumed = [str(seed) for seed, run in zip(report["seeds"], report["runs"], strict=True) if run.get("resumed")]
    note = f"\n\nresumed, so that seconds are the last process's: seed {', '.join(resumed)}" if resumed else ""
    return table([name, "median", "least", "most", "bar", "met"], rows) + note + "\n\n" + hardware(report["hardware"])


def hardware(found):
    """What it was measured on, in two lines."""
    return (f"{found['cpu']}, {found['cores']} cores, BLAS threads: {found['blas_threads']}\n"
            f"NumPy {found['numpy']} with {found['blas']}, Python {found['python']}, {found['system']}")
