"""A page: what it reads of its docstring, what it refuses, the inputs that it makes, and the papers that it cites."""

import json
import re

import numpy as np
import pytest

from minicompress import checker
from minicompress.checker import Convention, Paper, ledger, page
from minicompress.checker.call import Subject

DECLARED = {"cite": Convention("halves"), "latex": "h = x / 2", "implementation": "minicompress.pruning.sparsity"}


def numbers(rng, size):
    """Arrays of floats of one axis and two, integers, a list of arrays, a number and a text."""
    return (rng.random(size + 1), rng.random((size, 3)), rng.integers(0, 9, size + 1),
            [rng.random(size), rng.integers(0, 9, size)], 0.1, "text")


def made(docstring, inputs=numbers, **declared):
    """A page of a function x, n -> h with this docstring."""
    def half(x, n):
        return [v / 2 for v in x]
    half.__doc__ = docstring
    return page("PR-0", inputs=inputs, **DECLARED | declared)(half)


PLAIN = """half of it

    h = x / 2

    x : numbers, (n,)
    n : how many : an integer
    h : a number each, (n,),
        half as large
      as x
    """


def test_a_docstring_is_read_in_blocks():
    found = made(PLAIN)
    assert (found.title, found.formula) == ("half of it", "h = x / 2")
    assert found.arguments == {"x": "numbers, (n,)", "n": "how many : an integer"}
    assert found.results == {"h": "a number each, (n,), half as large as x"}
    assert found.symbols == {} and found.signature == "f(x, n) -> h"


def test_symbols_come_before_doctests_which_are_none():
    doctest = ">>> half([2], 1)\n    [1.0]\n"
    assert made(f"{PLAIN}\n    {doctest}").symbols == {}
    both = made(f"{PLAIN}\n    p, q : two\n        numbers\n    1[…] : 1 if it is true\n\n    {doctest}")
    assert both.symbols == {"p, q": "two numbers", "1[…]": "1 if it is true"}


def test_a_formula_may_have_lines_and_arguments_are_in_the_function_s_order():
    found = made("title\n\n    h = x\n      / 2\n\n    h : half\n    n : count\n    x : number\n")
    assert found.formula == "h = x\n  / 2"
    assert list(found.arguments) == ["x", "n"] and list(found.results) == ["h"]


@pytest.mark.parametrize("docstring", ["title", "title\n\nh = x / 2", "title\n\nh = x / 2\n\nx : number\nh : number"])
def test_a_docstring_that_lacks_something_is_refused(docstring):
    with pytest.raises((ValueError, KeyError)):
        made(docstring)


def test_a_property_is_entered_once():
    found = made(PLAIN)

    @found.must("is half")
    def is_half(f, x, n):
        pass
    assert is_half is found.properties["is half"], "the function is left as it is"
    with pytest.raises(ValueError, match="PR-0 has two properties 'is half'"):
        found.must("is half", is_half)
    with pytest.raises(ValueError, match="PR-0 has two properties 'is half'"):
        found.must_agree(name="is half")
    found.must_agree()
    assert list(found.properties) == ["is half", "is what the formula gives"]


def test_traps_stand_in_their_order():
    found = made(PLAIN)
    found.trap("one", "this is one.", abs)
    found.trap("two", "this is two.", abs, seen=True)
    assert [(trap.name, trap.says, trap.seen) for trap in found.traps] == [
        ("one", "this is one.", False), ("two", "this is two.", True)]


def test_a_page_is_called_as_its_literal_function():
    found = made(PLAIN)
    assert found([1, 2], 2) == found([1, 2], n=2) == [0.5, 1.0]
    assert found.reference(np.array([1.0, 2.0]), 2) == [0.5, 1.0]
    assert found.row == "PR-0" and found.source == "this project's convention: halves"


def test_references_compute_in_decimals_where_it_says_so():
    def third(x, n):
        """title

        h = x / n

        x : number
        n : number
        h : number
        """
        assert type(x) is not float and type(n) is int
        return (x / n) * n
    assert page("PR-0", inputs=numbers, digits=True, **DECLARED)(third).reference(1e300, 3) == 1e300


# ---------------------------------------------------------------------------------------------------------------------
# Inputs


def test_of_six_generated_inputs_two_have_gaps_and_one_is_of_single_precision():
    cases = ((np.ones(2), np.ones((1, 3)), np.ones(2, int), [np.ones(1)], 0.1, "case"),) * 2
    examples = made(PLAIN, cases=cases).examples(26)
    assert [inputs[-1] for inputs in examples] == ["case"] * 2 + ["text"] * 24
    assert all(inputs is case for inputs, case in zip(examples, cases, strict=False)), "cases are never changed"
    for i, (flat, rows, counts, several, number, _) in enumerate(examples[2:]):
        arrays = [flat, rows, counts, *several]
        assert [array.dtype.kind for array in arrays] == ["f", "f", "i", "f", "i"] and number == 0.1
        single = {array.dtype for array in arrays if array.dtype.kind == "f"} == {np.dtype(np.float32)}
        assert single == (i % 6 == 3), i
        gaps = [not array.flags.forc for array in arrays if array.size > 1]
        assert gaps == [i % 6 in (1, 5)] * len(gaps), i
        assert counts.dtype == np.int64


def test_gaps_and_precision_change_no_number():
    for i, inputs in enumerate(made(PLAIN).examples(24, seed=7)):
        plain = numbers(np.random.default_rng([7, i]), 1 + i // 6)
        for found, expected in ((inputs[0], plain[0]), (inputs[1], plain[1]), (inputs[2], plain[2]),
                                *zip(inputs[3], plain[3], strict=True)):
            assert np.array_equal(found, expected.astype(found.dtype))


def test_a_function_is_given_gaps_and_single_precision_too():
    """Its own copies of the inputs have them as well, and its answers are held to the precision of its inputs."""
    found, given = made(PLAIN), []
    subject = Subject(lambda *inputs: given.append(inputs) or 0.5, ("h",))
    for inputs in found.examples(6):
        subject.suit(inputs)
        subject(*inputs)
        flat, single = given[-1][0], given[-1][0].dtype == np.float32
        assert flat is not inputs[0] and (flat.dtype, flat.flags.forc) == (inputs[0].dtype, inputs[0].flags.forc)
        assert (subject.eps == np.finfo(np.float32).eps) == single
    assert {inputs[0].flags.forc for inputs in given} == {inputs[0].dtype == np.float32 for inputs in given} == {
        False, True}


@pytest.mark.parametrize("entry", checker.equations(), ids=lambda entry: entry.id)
def test_every_page_of_arrays_has_inputs_with_gaps_and_of_single_precision(entry):
    def arrays(inputs):
        parts = [part for value in inputs for part in (value if isinstance(value, list) else [value])]
        return [part for part in parts if isinstance(part, np.ndarray)]
    generated = entry.examples(len(entry.cases) + 36)[len(entry.cases):]
    if any(array.size > 1 and array.ndim for inputs in generated for array in arrays(inputs)):
        assert any(not array.flags.forc for inputs in generated for array in arrays(inputs))
    if any(array.dtype.kind == "f" for inputs in generated for array in arrays(inputs)):
        assert any(array.dtype == np.float32 for inputs in generated for array in arrays(inputs))


# ---------------------------------------------------------------------------------------------------------------------
# Papers


def test_each_paper_is_there_once():
    papers = checker.papers()
    for what in ("key", "title"):
        names = [re.sub(r"\W+", "", getattr(paper, what)).lower() for paper in papers]
        assert len(set(names)) == len(names) > 15, what
    for number in ("arxiv", "doi"):
        numbers = [getattr(paper, number) for paper in papers if getattr(paper, number)]
        assert len(set(numbers)) == len(numbers), number
    assert papers == sorted(papers, key=lambda paper: (paper.year, paper.key))
    cited = {citation.paper for entry in checker.equations() for citation in entry.cite if hasattr(citation, "paper")}
    assert set(papers) == cited


def test_no_two_modules_write_down_the_same_paper():
    """The others import it."""
    objects = {}
    for entry in ledger.pages():
        for citation in entry.cite:
            if hasattr(citation, "paper"):
                objects.setdefault(citation.paper.key, set()).add(id(citation.paper))
    assert {key: len(found) for key, found in objects.items() if len(found) > 1} == {}


@pytest.mark.parametrize("paper", checker.papers(), ids=lambda paper: paper.key)
def test_a_paper_is_complete_and_its_bibtex_is_balanced(paper):
    text, depth = paper.bibtex(), 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0
    assert depth == 0 and text.startswith(f"@misc{{{paper.key},\n") and text.endswith("\n}")
    assert "None" not in text and paper.title in text and all(author in text for author in paper.authors)
    assert re.fullmatch(r"[a-z]+\d{4}[a-z]*", paper.key)
    assert str(paper.year) in paper.key and 1900 < paper.year < 2030
    assert paper.authors and isinstance(paper.authors, tuple) and paper.venue
    assert paper.arxiv is None or re.fullmatch(r"\d{4}\.\d{4,5}", paper.arxiv)
    assert paper.doi is None or re.fullmatch(r"10\.\d{4,}/\S+", paper.doi)


def test_bibtex_leaves_out_what_is_not_known():
    bare = Paper("a2000b", ("Family, Given",), "A title", 2000, "a journal").bibtex()
    assert "eprint" not in bare and "doi" not in bare and "archiveprefix" not in bare
    both = Paper("a2000b", ("Family, Given", "Other, One"), "A title", 2000, "a journal", arxiv="0001.00001").bibtex()
    assert "eprint = {0001.00001}" in both and "archiveprefix = {arXiv}" in both
    assert "author = {Family, Given and Other, One}" in both


@pytest.mark.parametrize(("authors", "words"), [
    (("A, X",), "A 2000, eq. 1"), (("A, X", "B, Y"), "A & B 2000, eq. 1"),
    (("A, X", "B, Y", "C, Z"), "A et al. 2000, eq. 1")])
def test_a_citation_names_up_to_two_authors(authors, words):
    assert str(Paper("a2000b", authors, "A title", 2000, "a journal")("eq. 1")) == words


def test_a_source_joins_its_citations():
    paper = Paper("a2000b", ("A, X",), "A title", 2000, "a journal")
    assert made(PLAIN, cite=(paper("eq. 1"), Convention("halves"))).source == \
        "A 2000, eq. 1; this project's convention: halves"


def test_a_report_is_ready_for_json():
    for entry in checker.equations():
        report = json.loads(json.dumps(entry.report(), allow_nan=False))
        assert report["id"] == entry.id and report["properties"] == list(entry.properties)
        assert report["reference"] == f"{entry.literal.__module__}.{entry.literal.__name__}"
