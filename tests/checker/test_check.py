"""The checker: what passes, what doesn't and why, in the learner's terms."""

import gc
import inspect
import json
import sys
import threading

import numpy as np
import pytest

import minicompress
from minicompress import checker
from minicompress.checker import check
from minicompress.checker.call import Misfit
from tests.checker.learners import endless, endless_and_deaf, forever, in_lists_alone, in_plain_python, softened


def in_float32(z, T):
    return softened(z.astype(np.float32), np.float32(T))


def as_a_tuple_of_scalars(z, T):
    return tuple(np.float64(p) for p in softened(z, T))


@pytest.mark.parametrize("function", [softened, in_plain_python, in_lists_alone, in_float32, as_a_tuple_of_scalars,
                                      lambda z, T: softened(z, T).tolist()])
def test_a_right_function_passes_however_it_is_written(function):
    result = check("KD-1", function)
    assert result and result.report["verdict"] == "passed" and result.report["inputs_tried"] == 60
    assert all(result.report["properties"].values())
    assert str(result).startswith("KD-1 softened softmax: passed\n60 inputs tried")


def test_a_function_of_tensors_passes():
    torch = pytest.importorskip("torch")
    assert check("KD-1", lambda z, T: torch.softmax(z / T, dim=-1))
    assert check("KD-1", lambda z, T: torch.softmax(torch.tensor(z.tolist(), dtype=torch.float32) / T, dim=-1))
    tensor = check("KD-1", lambda z, T: torch.nn.functional.softmax(z / T, dim=-1, dtype=z.dtype).requires_grad_())
    assert tensor and "It wants tensors" in str(tensor)


def test_a_tensor_of_this_package_is_an_answer_too():
    from minicompress.distillation import softened
    assert check("KD-1", lambda z, T: softened(
        minicompress.Tensor(z.reshape(-1, z.shape[-1])), T).reshape(z.shape))


def nothing(z, T):
    pass


def raises(z, T):
    return z / undefined  # noqa: F821


def in_place(z, T):
    z -= z.max()
    z /= T
    return softened(z, 1.0)


@pytest.mark.parametrize(("verdict", "function", "words"), [
    ("nothing", nothing, "it returns nothing (None)"),
    ("exception", raises, "it raises NameError: name 'undefined' is not defined (line"),
    ("exception", lambda z: z, "takes 1 positional argument"),
    ("exception", lambda z, T: sys.exit(), "it raises SystemExit"),
    ("exception", lambda z, T: 1 / 0, "ZeroDivisionError"),
    ("constant", lambda z, T: 0.5, "the same number, whatever the input is"),
    ("constant", lambda z, T: np.zeros(len(z)), "the same number, whatever the input is"),
    ("shape", lambda z, T: softened(z, T)[None], "p has shape (1, 2), expected (2,)"),
    ("shape", lambda z, T: softened(z, T).sum() * z[0], "p has shape (), expected (2,)"),
    ("type", lambda z, T: "probabilities", "p is text, expected numbers"),
    ("type", lambda z, T: {"p": 1}, "expected numbers"),
    ("type", lambda z, T: [[1], [2, 3]], "expected numbers"),
    ("type", lambda z, T: [None, None], "expected numbers"),
    ("in place", in_place, "it changes its input in place"),
    ("endless", endless, "no answer within 0.3 seconds"),
    ("endless", endless_and_deaf, "no answer within 0.3 seconds"),
    ("wrong", lambda z, T: softened(z, 1.0), "does not hold"),
])
def test_misfits_are_told_apart_and_never_pass(verdict, function, words):
    result = check("KD-1", function, seconds=0.3 if verdict == "endless" else 30)
    assert not result and result.report["verdict"] == verdict
    assert words in str(result)
    json.dumps(result.report, allow_nan=False)


@pytest.mark.parametrize("entry", checker.equations(), ids=lambda entry: entry.id)
def test_no_equation_lets_an_empty_function_or_a_constant_pass(entry):
    several = len(entry.results)
    for constant in (1, float("nan")):
        function = (lambda *inputs, c=constant: c) if several == 1 else lambda *inputs, c=constant: (c,) * several
        assert not check(entry.id, function, examples=12), constant
    assert check(entry.id, lambda *inputs: None, examples=12).report["verdict"] == "nothing"
    assert not check(entry.id, lambda *inputs: inputs[0], examples=12)


@pytest.mark.slow
@pytest.mark.parametrize("entry", checker.equations(), ids=lambda entry: entry.id)
def test_the_reference_passes_and_each_trap_is_named(entry):
    assert check(entry.id, entry.reference, examples=24)
    for trap in entry.traps:
        result = check(entry.id, trap.function, examples=36)
        assert not result and result.report["trap"] == trap.says, trap.name
        assert trap.says in str(result)


def raise_(error):
    raise error


def answer(**methods):
    """A function whose answer is an object with these methods, and the attributes z, T, and p, the right answer."""
    def function(z, T):
        return type("Lazy", (), methods | {"z": z, "T": T, "p": softened(z, T)})()
    return function


def arrays(make):
    return answer(__array__=lambda self, dtype=None, copy=None: make(self))


class Unspeakable(Exception):
    """Whose text is a loop, or raises."""

    def __str__(self):
        return self.args[0]()


def deep():
    nested = 0.5
    for _ in range(2000):
        nested = [nested]
    return nested


def wide():
    """2¹⁰⁰ numbers in a hundred lists."""
    nested = 0.5
    for _ in range(100):
        nested = [nested, nested]
    return nested


class UnspeakableMisfit(Misfit):
    """The same of a subclass of what the checker raises."""

    def __str__(self):
        raise OSError


class EndedInName(Exception):
    """Looks like what a watch raises."""

    ended_by = 42


UNREADABLE = {
    "an error that claims to have ended": ("exception", lambda z, T: raise_(EndedInName("x")), "EndedInName: x"),
    "reading claims to have ended": ("type", arrays(lambda self: raise_(EndedInName("x"))), "EndedInName: x"),
    "a verdict of its own": ("exception", lambda z, T: raise_(Misfit("passed", "hm")), "it raises Misfit: hm"),
    "a verdict in reading": ("type", arrays(lambda self: raise_(Misfit("passed", "hm"))), "reading it raises Misfit"),
    "just too many": ("shape", lambda z, T: np.zeros(100_001), "has 100,001 numbers, in shape (100001,): no answer"),
    "too many in a list": ("shape", lambda z, T: [0.0] * 100_001, "no answer is so large"),
    "endless array": ("endless", arrays(lambda self: forever()), "no answer within 0.3 seconds"),
    "raising array": ("type", arrays(lambda self: raise_(OSError("no net"))), "reading it raises OSError: no net"),
    "array that exits": ("exception", arrays(lambda self: sys.exit(3)), "it raises SystemExit"),
    "array of nothing": ("type", arrays(lambda self: None), "p is a Lazy, expected numbers"),
    "array of text": ("type", arrays(lambda self: np.array(["a"])), "p is text, expected numbers"),
    "complex array": ("type", arrays(lambda self: 1j * self.p), "expected real numbers"),
    "array of another shape": ("shape", arrays(lambda self: np.zeros((3, 0))), "p has shape (3, 0)"),
    "more than fits": ("shape", arrays(lambda self: np.broadcast_to(0.5, (1 << 40,))), "no answer is so large"),
    "no array at all": ("type", answer(), "p is a Lazy, expected numbers"),
    "endless attributes": ("endless", answer(__getattr__=lambda self, name: forever()), "no answer within"),
    "raising attributes": ("type", answer(__getattr__=lambda self, name: raise_(OSError("no net"))), "OSError: no net"),
    "endless class": ("endless", answer(__class__=property(lambda self: forever())), "no answer within"),
    "raising class": ("type", answer(__class__=property(lambda self: raise_(OSError("no net")))), "OSError: no net"),
    "endless float": ("endless", answer(__float__=lambda self: forever()), "no answer within"),
    "endless sequence": ("endless", answer(__len__=lambda self: 2, __getitem__=lambda self, i: i), "no answer within"),
    "generator": ("type", lambda z, T: (p for p in softened(z, T)), "p is a generator, expected numbers"),
    "deep list": ("type", lambda z, T: deep(), "RecursionError"),
    "wide list": ("endless", lambda z, T: wide(), "no answer within"),
    "ragged list": ("type", lambda z, T: [0.5, [0.5, [0.5]]], "p is a list of 2, expected numbers"),
    "huge integer": ("type", lambda z, T: [10**400, 1], "OverflowError"),
    "endless text of an error": ("endless", lambda z, T: raise_(Unspeakable(forever)), "no answer within"),
    "raising text of an error": ("exception", lambda z, T: raise_(Unspeakable(lambda: 1 / 0)), "it raises Unspeakable"),
    "raising text of reading": ("type", arrays(lambda self: raise_(Unspeakable(lambda: 1 / 0))), "raises Unspeakable"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", UNREADABLE)
# Where the stop hits a weak reference's callback Python only says that it ignored it; the next one ends the work.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_answers_that_are_no_numbers_are_told_as_other_wrong_ones(name):
    """Reading an answer runs code of its own, which may loop or raise as the function itself may."""
    verdict, function, words = UNREADABLE[name]
    seconds = 0.3 if verdict == "endless" else 30
    result, before = check("KD-1", function, seconds=seconds), threading.active_count()
    assert not result and result.report["verdict"] == verdict
    assert words in str(result) and words in result._repr_html_()
    json.dumps(result.report, allow_nan=False)
    assert threading.active_count() == before


def test_each_of_several_answers_is_read_so():
    """Of one result in a tuple, and of a tuple that is one in name only."""
    looping, raising = (arrays(make)(np.zeros(2), 1.0) for make in (lambda self: forever(), lambda self: 1 / 0))
    assert check("PR-16", lambda m: (m, looping, m), seconds=0.3).report["verdict"] == "endless"
    assert "indices is a Lazy" in str(check("PR-16", lambda m: (m, raising, m)))
    for misfit in (Misfit, UnspeakableMisfit):
        lying = type("Lying", (), {"__class__": property(lambda self, misfit=misfit: raise_(misfit("passed", "hm")))})()
        report = check("PR-16", lambda m, lying=lying: lying).report
        assert not report["passed"] and report["verdict"] in ("exception", "type")
    odd = type("Odd", (tuple,), {"__len__": lambda self: raise_(OSError("no net"))})
    report = check("PR-16", lambda m: odd((m, m, m))).report
    assert report["verdict"] == "type" and report["message"] == "it returns a Odd, which can't be read: OSError: no net"


def test_an_object_that_becomes_an_array_passes():
    assert check("KD-1", arrays(lambda self: self.p))


def test_an_input_that_became_something_else_is_looked_at_under_the_limit():
    looping = type("Looping", (), {"__repr__": lambda self: forever()})()

    def spoils(z, T):
        p = in_lists_alone(z, T)
        z[0] = looping
        return p
    assert check("KD-1", spoils, seconds=0.3).report["verdict"] == "endless"


def test_two_answers_do_not_make_a_constant():
    assert check("PR-1", lambda x: 0.5, examples=2).report["verdict"] == "wrong"
    assert check("PR-1", lambda x: 0.5, examples=3).report["verdict"] == "constant"


def test_a_call_may_take_five_seconds_unless_told():
    assert {inspect.signature(f).parameters["seconds"].default for f in (check, checker.check_file)} == {5.0}


def test_two_learners_see_the_same_counterexample():
    one, two = (check("KD-2", lambda z, v, y, T, alpha: float(T)) for _ in range(2))
    assert one.report == two.report
    assert check("KD-2", lambda z, v, y, T, alpha: float(T), seed=1).report["inputs"] != one.report["inputs"]


def test_the_smallest_input_is_shown_with_both_answers():
    report = check("PR-2", lambda w, s: np.abs(w) > np.quantile(np.abs(w), s)).report
    assert report["property"] == "exactly round(s·n) are pruned"
    assert len(report["inputs"]["w"]) < 20 and report["found"] != report["expected"]


def test_kl_the_other_way_round_is_named():
    def loss(z, v, y, T, alpha):
        p, q = (np.array([softened(row, T) for row in logits]) for logits in (v, z))
        hard = -np.mean([np.log(softened(row, 1.0)[label]) for row, label in zip(z, y, strict=True)])
        with np.errstate(all="ignore"):
            return alpha * hard + (1 - alpha) * T * T * np.mean(np.sum(q * np.log(q / p), axis=1))
    assert "KL(student‖teacher)" in check("KD-2", loss, examples=8).report["trap"]


def sensitivity(error, weights, sparsities, put_back):
    errors = np.empty((len(weights), len(sparsities)))
    for i, w in enumerate(weights):
        for j, s in enumerate(sparsities):
            dense = w.copy()
            w[np.argsort(np.abs(w), kind="stable")[:round(s * len(w))]] = 0
            errors[i, j] = error(weights)
            w[:] = put_back(dense)
    return errors


def test_a_network_must_be_left_bit_for_bit_as_it_was():
    """Its weights are a list of arrays: pruning them in place is fine if they are put back, all digits of them."""
    assert check("PR-13", lambda *inputs: sensitivity(*inputs, put_back=lambda w: w))
    for put_back in (lambda w: w + 1e-12, lambda w: -(-w + 0.0), np.sort):
        assert check("PR-13", lambda *inputs, p=put_back: sensitivity(*inputs, p)).report["verdict"] == "in place"


def test_lists_of_arrays_are_offered_in_every_kind():
    def in_lists(error, weights, sparsities):
        rank = [sorted(range(len(w)), key=lambda i, w=w: abs(w[i])) for w in weights if isinstance(w, list) or 1 / 0]
        return [[error([*weights[:i], [0 if k in rank[i][:round(s * len(w))] else v for k, v in enumerate(w)],
                        *weights[i + 1:]]) for s in sparsities] for i, w in enumerate(weights)]
    result = check("PR-13", in_lists)
    assert result and "It wants lists" in str(result)
    report = check("PR-13", lambda error, weights, sparsities: error).report
    assert report["inputs"]["weights"].startswith("[[") and "share of 16 examples" in report["inputs"]["error"]


def test_a_function_that_remembers_does_not_pass():
    """Right the first time only."""
    calls = []

    def forgetful(z, T):
        calls.append(z)
        return softened(z, T) if len(calls) < 5 else softened(z, 1.0)
    assert not check("KD-1", forgetful)


def test_one_buffer_for_all_answers_is_no_harm():
    buffer = np.zeros(100)

    def frugal(z, T):
        part = buffer[:z.size].reshape(z.shape)
        part[...] = softened(z, T)
        return part
    assert check("KD-1", frugal)
    assert check("KD-1", arrays(lambda self: frugal(self.z, self.T)))


def test_html_is_escaped_and_coloured():
    wrong = check("KD-1", lambda z, T: {"<b>": 1}["<i>"])
    assert "<i>" not in wrong._repr_html_() and "&lt;i&gt;" in wrong._repr_html_()
    assert wrong._repr_html_().split("color")[0] != check("KD-1", softened)._repr_html_().split("color")[0]


@pytest.mark.parametrize(("arguments", "error"), [
    (("KD-99", softened), ValueError), (("KD-1", 0.5), TypeError), ((None, softened), ValueError)])
def test_bad_input_is_refused(arguments, error):
    with pytest.raises(error, match="expected"):
        check(*arguments)


def test_nothing_is_kept_alive():
    """A learner's function is not held by the checker once it is checked."""
    import weakref

    def mine(z, T):
        return softened(z, T)
    reference = weakref.ref(mine)
    check("KD-1", mine)
    del mine
    gc.collect()
    assert reference() is None


@pytest.mark.parametrize("options", [
    {"examples": 0}, {"examples": 2.5}, {"examples": True}, {"seed": -1}, {"seed": "x"}, {"seconds": 0},
    {"seconds": -1.0}, {"seconds": None}, {"seconds": float("nan")}], ids=str)
def test_numbers_that_make_no_sense_are_refused(options):
    (name, value), = options.items()
    with pytest.raises(ValueError, match=f"{name} is {value!r}, expected"):
        check("PR-1", lambda x: 0.5, **options)
