"""The command line: from ``minicompress tour`` to ``bench``, and what `learn` has for learners and teachers.

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
from minicompress import atomic, expect, recipes
from minicompress.experiments import compare, hardware, reproduce, results
from minicompress.recipes import Lab, files, fresh, jobs

from . import learn, tables
from .refusal import Refused, refusing, words

TOUR_FOLDER, COMPARE_FOLDER, REPRODUCE_FOLDER = "minicompress-tour", "minicompress-compare", "minicompress-reproduce"
_DATA = "digits, mnist, or a folder with four IDX files"
_NEXT = {"dense": "pruning …", "pruned": "sharing weights …"}
_KEYS = {"tour": jobs.KEYS, "compress": jobs.KEYS, "evaluate": files.EVALUATION_KEYS, "inspect": files.CONTENTS_KEYS,
         "compare": compare.KEYS, "reproduce": reproduce.KEYS, "results": results.KEYS, "bench": reproduce.BENCH_KEYS}


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
    expect.that(not path.is_dir(), f"{path} is a folder, expected the name of a file", Refused)
    expect.that(path.parent.is_dir(), f"there is no folder {path.parent} to write {path.name} into", Refused)
    expect.that(os.access(path.parent, os.W_OK), f"the folder {path.parent} can't be written to", Refused)


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
    report = jobs.run(job, work, say=_say_course)
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
    expect.that(file.suffix == ".mcz", f"{file}: expected a name that ends in .mcz", Refused)
    with refusing(ValueError, TypeError, OSError, MemoryError):
        job = recipes.prepare(args.data, args.model, seed=args.seed, shortened=args.quick)
    work = jobs.work_folder(file)
    if args.resume:
        _say(f"resuming {work}" if (work / "job.json").exists() else f"nothing to resume in {work}: from the beginning")
    elif (work / "job.json").exists():
        _say(f"starting over; --resume would go on with what is in {work}")
    _say(f"training {args.model} on {args.data} …")
    report = recipes.compress(job, file, resume=args.resume, say=_say_course) | {"file": str(file)}
    return report, "\n".join([
        _heading(report), "", tables.stages(report), "",
        f"{file} gives the same logits in a fresh process, bit for bit."])


def _compare(args):
    from minicompress import plots
    folder = Path(args.out)
    with refusing(ValueError, TypeError, OSError, MemoryError):
        report = compare.run(Lab(args.seed, folder, resume=args.resume, say=_say_stage), args.data)
    with atomic.replacing(folder / "comparison.png") as temporary:
        plots.comparison(report["rows"]).savefig(temporary, dpi=150)
    report["files"] = [str(folder / name) for name in [*(row["file"] for row in report["rows"] if row["file"]),
                                                       "comparison.png"]]
    return report, "\n".join([
        _heading(report), "", tables.comparison(report), "",
        "Error on the test set; bytes of files that give the same logits in a fresh process,",
        "bit for bit; MACs counted for one image, microseconds an image measured.",
        f"The files and comparison.png are in {folder}.", "", tables.hardware(report["hardware"])])


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
    if args.record:
        _say(f"recorded in {results.record(report)}")
    return report, tables.reproduction(report, reproduce.claims()[args.name].quantities)


def _results(args):
    if args.readme:
        with refusing(OSError, ValueError):
            return {"readme": args.readme}, f"{results.write_readme(args.readme)} tables written into {args.readme}"
    if args.stale:
        stale = results.stale(args.name)
        return {"stale": stale}, "\n".join(stale) or "every row computes the bits that its report holds"
    reports = results.reports(args.name)
    return {"results": reports}, "\n\n".join(map(results.shown, reports))


def _bench(args):
    with refusing(ModuleNotFoundError):
        report = reproduce.bench(args.name, seed=args.seed) | {"hardware": hardware.hardware()}
    return report, reproduce.claims()[args.name].table(report) + "\n\n" + tables.hardware(report["hardware"])


def _parser():
    parser = _Parser(prog="minicompress", description="Compress neural networks, and see what their files hold.")
    parser.add_argument("--version", action="version", version=f"minicompress {minicompress.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name, run, summary, more="", keys=None):
        sub = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.{more}",
                                  epilog=keys or _KEYS[name], formatter_class=argparse.RawDescriptionHelpFormatter)
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
    measure.add_argument("name", metavar="NAME", choices=list(reproduce.claims()), help=", ".join(reproduce.claims()))
    measure.add_argument("--seeds", type=_seeds, default=[0, 1, 2], help="comma-separated (default: 0,1,2)")
    measure.add_argument("--out", metavar="DIR", default=REPRODUCE_FOLDER, help="folder for the files (%(default)s)")
    measure.add_argument("--record", action="store_true",
                         help="keep the report in the package, for `results`; expects a checkout")
    kept = command("results", _results, "show what was measured for this project's claims, without running anything")
    kept.add_argument("name", metavar="NAME", nargs="*", type=_claim, help="(default: all)")
    kept.add_argument("--readme", metavar="FILE", nargs="?", const="README.md",
                      help="write the tables between the marks in a README (default: %(const)s)")
    kept.add_argument("--stale", action="store_true",
                      help="train each row for a moment, and name those that no longer compute the same bits "
                           "(with OPENBLAS_NUM_THREADS=1, as they were measured)")
    for sub, where in ((compress, "FILE.work"), (compare, "DIR"), (measure, "DIR")):
        sub.add_argument("--resume", action="store_true",
                         help=f"go on with what an interrupted run left in {where}; the files get the same bytes")
    bench = command("bench", _bench, "time this package beside another one (needs the extra `bench`)")
    bench.add_argument("name", metavar="NAME", choices=list(reproduce.benches()), help=", ".join(reproduce.benches()))
    bench.add_argument("--seed", type=_seed, default=0, help="a whole number (default: 0)")
    learn.add_commands(command)
    return parser


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def _seed(text):
    whole = text.isascii() and text.isdigit()
    expect.that(whole, f"{text!r} is no whole number from 0 on", argparse.ArgumentTypeError)
    return int(text)


def _claim(name):
    if name not in reproduce.claims():
        raise argparse.ArgumentTypeError(f"no claim is called {name!r}, expected some of "
                                         f"{', '.join(reproduce.claims())}")
    return name


def _seeds(text):
    return [_seed(seed) for seed in text.split(",")]


def _spell_out_json(argv):
    """``--json FILE.mcz`` and ``--json train`` mean ``--json -`` and an argument: no report is called so."""
    spelt = []
    for word in argv:
        if spelt and spelt[-1] == "--json" and (word.endswith(".mcz") or word in reproduce.claims()
                                                or learn.is_argument(word)):
            spelt.append("-")
        spelt.append(word)
    return spelt
