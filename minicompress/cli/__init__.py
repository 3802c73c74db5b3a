"""The command line: ``minicompress tour | compress | compare | evaluate | inspect | reproduce | bench``, and `learn`'s.

Results go to stdout, everything else to stderr. The exit code is 0 for done, 1 for a result that is wrong (a file that
doesn't compute what the model does, a loss that is not finite, an equation or a solution that fails), 2 for bad input,
130 after Ctrl-C.
"""

import argparse
import json
import os
import shlex
import sys
from pathlib import Path

import minicompress
from minicompress import atomic, recipes
from minicompress.recipes import compare, experiments, files, fresh, jobs, reproduce, tables

from . import learn
from .refusal import Refused, refusing, words

TOUR_FOLDER, COMPARE_FOLDER, REPRODUCE_FOLDER = "minicompress-tour", "minicompress-compare", "minicompress-reproduce"
_DATA = "digits, mnist, or a folder with four IDX files"
_NEXT = {"dense": "pruning …", "pruned": "sharing weights …"}
_FILE_KEYS = """\
The JSON report has the keys: data, model, seed; seconds (wall clock);
dense_bytes, compressed_bytes and ratio (sizes of two real files, dense by
compressed); dense_error and error (fractions of the test set).
"""
_MORE_KEYS = {
    "compress": "Also gzip_bytes (of the dense file, gzipped), stages, sizes (bytes per part),\n"
                "plan, resumed (then seconds are the last process's), logits_sha256 and file.\n",
    "evaluate": "dense_bytes: of the file's own network, without what was cut or folded.\n"
                "Null where the file doesn't tell: seed, dense_error. Also accuracy, precision,\n"
                "recall, f1 per class and macro_…, confusion, images, sizes, arrays and file.\n",
    "inspect": "dense_bytes: of the file's own network, without what was cut or folded.\n"
               "Null where the file doesn't tell: data, seed, seconds, errors. Also sizes (bytes\n"
               "per part, which sum to the file's) and arrays (the columns of the table).\n",
    "compare": "Null where it has no meaning: ratio, error, compressed_bytes. Also rows (method,\n"
               "error, bytes, ratio, macs, seconds_per_image by batch size), hardware, files.\n",
    "reproduce": "Here they are medians over the seeds, and absent for a benchmark. Also name,\n"
                 "seeds, bars (what, side, bar, reached, met), measured (per quantity median,\n"
                 "least, most, values), runs (a report per seed) and hardware.\n",
    "bench": "The JSON report has the keys: benchmark, seed, hardware; for each comparison\n"
             "ours_seconds, peer_seconds and ratio, the peer's time by ours.\n",
}
_MORE_KEYS["tour"] = _MORE_KEYS["compress"].replace("file.", "files.")


def main(argv=None):
    """Run a command; returns the exit code. ``argv`` is by default that of the process."""
    argv = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal that knows no × still gets its table
    args = _parser().parse_args(_spell_out_json(argv))
    try:
        if args.json not in (None, "-"):
            _check_output(args.json)
        report, text, *code = args.run(args)
        _deliver(report, text, args.json)
    except KeyboardInterrupt:
        again = shlex.join(["minicompress", *(word for word in argv if word != "--resume"), "--resume"])
        return _complain("interrupted" + (f"; to go on: {again}" if "resume" in args else ""), 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it closes stdout
        return 1
    except (Refused, jobs.OtherJobError) as error:
        return _complain(f"error: {error}", 2)
    except OSError as error:
        return _complain(f"error: {words(error)}", 2)
    except (fresh.FreshProcessError, FloatingPointError) as error:
        return _complain(f"error: {error}", 1)
    return code[0] if code else 0


def _complain(line, code):
    print(f"minicompress: {' '.join(str(line).split())}", file=sys.stderr)
    return code


def _deliver(report, text, destination):
    """Print the text, or the report as JSON for "-"; any other destination is a file that the report goes to."""
    document = json.dumps(report, indent=2, allow_nan=False)
    print(document if destination == "-" else text)
    sys.stdout.flush()
    if destination not in (None, "-"):
        with atomic.replacing(destination) as temporary:
            temporary.write_text(document + "\n", "utf-8")


def _check_output(path):
    """Refuse a file that can't be written, before minutes are spent on what it shall hold."""
    path = Path(path)
    if path.is_dir():
        raise Refused(f"{path} is a folder, expected the name of a file")
    if not path.parent.is_dir():
        raise Refused(f"there is no folder {path.parent} to write {path.name} into")
    if not os.access(path.parent, os.W_OK):
        raise Refused(f"the folder {path.parent} can't be written to")


def _say(words):
    print(words, file=sys.stderr, flush=True)


def _say_stage(stage, prefix=""):
    _say(f"{prefix}{stage.name}: test error {tables.percent(stage.error)}, {stage.bytes:,} bytes, {stage.ratio:.1f}×, "
         f"{stage.seconds:.0f} s")


def _say_course(stage):
    """A stage of Deep Compression, and what comes next."""
    _say_stage(stage)
    if stage.name in _NEXT:
        _say(_NEXT[stage.name])


def _tour(args):
    from minicompress import plots
    folder = Path(args.out)
    work = folder / "tour.work"
    folder.mkdir(parents=True, exist_ok=True)
    job = recipes.prepare("digits", recipes.DIGITS_MODEL, seed=args.seed)
    _say(f"training {job.model_name} on digits …")
    report = jobs.run(job, work, report=_say_course)
    names = ["dense.mcz", "pruned.mcz", "compressed.mcz"]
    for name in names:
        os.replace(work / name, folder / name)
    jobs.clear(work)
    dense, small = (minicompress.load(folder / name).fc1.weight for name in ("dense.mcz", "compressed.mcz"))
    figure = plots.tour([(stage["stage"], stage["error"], stage["bytes"]) for stage in report["stages"]],
                        dense.data, small.effective().numpy(), small.form().inner.centroids)
    with atomic.replacing(folder / "tour.png") as temporary:
        figure.savefig(temporary, dpi=150)
    report["files"] = [str(folder / name) for name in [*names, "tour.png"]]
    return report, "\n".join([
        _heading(report), "", tables.stages(report), "",
        "compressed.mcz gives the same logits in a fresh process, bit for bit.",
        f"{', '.join(names)} and tour.png are in {folder}."])


def _heading(report):
    return f"{report['model']} on {report['data']}, seed {report['seed']}: {report['seconds']:.0f} s"


def _compress(args):
    file = Path(args.out)
    _check_output(file)
    if file.suffix != ".mcz":
        raise Refused(f"{file}: expected a name that ends in .mcz")
    with refusing(ValueError, TypeError, OSError, MemoryError):
        job = recipes.prepare(args.data, args.model, seed=args.seed, shortened=args.quick)
    work = jobs.work_folder(file)
    if args.resume:
        _say(f"resuming {work}" if (work / "job.json").exists() else f"nothing to resume in {work}: from the beginning")
    elif (work / "job.json").exists():
        _say(f"starting over; --resume would go on with what is in {work}")
    _say(f"training {args.model} on {args.data} …")
    report = recipes.compress(job, file, resume=args.resume, report=_say_course) | {"file": str(file)}
    return report, "\n".join([
        _heading(report), "", tables.stages(report), "",
        f"{file} gives the same logits in a fresh process, bit for bit."])


def _compare(args):
    from minicompress import plots
    folder = Path(args.out)
    with refusing(ValueError, TypeError, OSError, MemoryError):
        report = compare.compare(args.data, folder, seed=args.seed, resume=args.resume, say=_say_row)
    with atomic.replacing(folder / "comparison.png") as temporary:
        plots.comparison(report["rows"]).savefig(temporary, dpi=150)
    report["files"] = [str(folder / name) for name in [*(row["file"] for row in report["rows"] if row["file"]),
                                                       "comparison.png"]]
    return report, "\n".join([
        _heading(report), "", tables.comparison(report), "",
        "Error on the test set; bytes of files that give the same logits in a fresh process,",
        "bit for bit; MACs counted for one image, microseconds an image measured.",
        f"The files and comparison.png are in {folder}.", "", tables.hardware(report["hardware"])])


def _say_row(row):
    _say(f"{row['method']}: test error {tables.percent(row['error'])}, {row['bytes']:,} bytes, {row['ratio']:.1f}×")


def _evaluate(args):
    with refusing(ValueError, OSError):
        report, measured = files.evaluation(args.file, args.data)
    wrong = f"{round(report['error'] * report['images'])} of {report['images']} images"
    return report, "\n".join([
        f"{args.file} on {args.data}: test error {tables.percent(report['error'])} ({wrong})",
        _size(report), "", tables.measures(measured)])


def _inspect(args):
    with refusing(ValueError, OSError):
        report, inspection = files.contents(args.file)
    return report, "\n".join([
        f"{args.file}: {report['model'] or 'a network without a name'}", _size(report), "",
        tables.arrays(inspection), "", tables.parts(inspection)])


def _size(report):
    size, dense = f"{report['compressed_bytes']:,} bytes", report["dense_bytes"]
    return size + (f", the same network dense {dense:,} bytes: {report['ratio']:.1f}×" if dense else "")


def _reproduce(args):
    with refusing(ModuleNotFoundError, ValueError):
        report = reproduce.reproduce(args.name, args.seeds, folder=args.out, resume=args.resume,
                                     say=lambda seed, stage: _say_stage(stage, f"seed {seed}: "))
    return report, tables.reproduction(report)


def _bench(args):
    with refusing(ModuleNotFoundError):
        report = reproduce.bench(args.name, seed=args.seed) | {"hardware": reproduce.hardware()}
    return report, tables.bench(report) + "\n\n" + tables.hardware(report["hardware"])


def _parser():
    parser = _Parser(prog="minicompress", description="Compress neural networks, and see what their files hold.")
    parser.add_argument("--version", action="version", version=f"minicompress {minicompress.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name, run, summary, more="", keys=None):
        if keys is None:
            keys = (_FILE_KEYS if name != "bench" else "") + _MORE_KEYS.get(name, "")
        sub = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.{more}",
                                  epilog=keys, formatter_class=argparse.RawDescriptionHelpFormatter)
        sub.add_argument("--json", nargs="?", const="-", metavar="REPORT",
                         help="write the report as JSON into a file, or to stdout in place of the text (for no file, "
                              "or -)")
        sub.set_defaults(run=run)
        return sub

    tour = command("tour", _tour, "train and compress a network on 8×8 digits, stage by stage")
    tour.add_argument("--out", metavar="DIR", default=TOUR_FOLDER, help="folder for the files (default: %(default)s)")

    compress = command("compress", _compress, "train a network and compress it into one file")
    compress.add_argument("--data", required=True, metavar="NAME|FOLDER", help=_DATA)
    compress.add_argument("--model", required=True, help="lenet-300-100, lenet-5, or an MLP's sizes: mlp:784,300,10")
    compress.add_argument("--out", required=True, metavar="FILE", help="the compressed file, its name ending in .mcz")
    compress.add_argument("--quick", action="store_true", help="a tenth of the epochs, for trying things out")
    compare = command("compare", _compare, "compress one network by every method, and print them side by side")
    compare.add_argument("--data", required=True, metavar="NAME|FOLDER", help=_DATA)
    compare.add_argument("--out", metavar="DIR", default=COMPARE_FOLDER, help="folder for the files (%(default)s)")
    for sub in (tour, compress, compare):
        sub.add_argument("--seed", type=_seed, default=0, help="a whole number (default: 0)")

    evaluate = command("evaluate", _evaluate, "measure a file's network on test images")
    evaluate.add_argument("--data", required=True, metavar="NAME|FOLDER", help=_DATA)
    inspect = command("inspect", _inspect, "show what the bytes of a file are spent on")
    for sub in (evaluate, inspect):
        sub.add_argument("file", metavar="FILE", help="a .mcz file")

    measure = command("reproduce", _reproduce, "measure what this project claims, and print the bars beside it")
    measure.add_argument("name", metavar="NAME", choices=list(experiments.BARS), help=", ".join(experiments.BARS))
    measure.add_argument("--seeds", type=_seeds, default=[0, 1, 2], help="comma-separated (default: 0,1,2)")
    measure.add_argument("--out", metavar="DIR", default=REPRODUCE_FOLDER, help="folder for the files (%(default)s)")
    for sub, where in ((compress, "FILE.work"), (compare, "DIR"), (measure, "DIR")):
        sub.add_argument("--resume", action="store_true",
                         help=f"go on with what an interrupted run left in {where}; the files get the same bytes")
    bench = command("bench", _bench, "time this package beside another one (needs the extra `bench`)")
    bench.add_argument("name", metavar="NAME", choices=experiments.BENCHES, help=", ".join(experiments.BENCHES))
    bench.add_argument("--seed", type=_seed, default=0, help="a whole number (default: 0)")
    learn.add_commands(command)
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _seed(text):
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def _seeds(text):
    return [_seed(seed) for seed in text.split(",")]


def _spell_out_json(argv):
    """``--json FILE.mcz`` and ``--json train`` mean ``--json -`` and an argument: no report is called so."""
    spelt = []
    for word in argv:
        if spelt and spelt[-1] == "--json" and (word.endswith(".mcz") or word in experiments.BARS
                                                or learn.is_argument(word)):
            spelt.append("-")
        spelt.append(word)
    return spelt
