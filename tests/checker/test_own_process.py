"""Functions of files, checked in a process of their own, which they can't harm."""

import pytest

from minicompress import checker
from minicompress.checker import check
from tests.checker.learners import softened

pytestmark = pytest.mark.slow  # each starts processes

FILE = """\
import itertools, os, threading, time
import numpy as np
print("on import")

def right(z, T):
    print("in the call")
    e = np.exp((z - z.max(axis=-1, keepdims=True)) / T)
    return e / e.sum(axis=-1, keepdims=True)

def wrong(z, T):
    return right(z, 1.0)

def deaf(z, T):
    return sum(itertools.count())  # compiled, and never lets go

def leaves(z, T):
    os._exit(7)

class Lazy:
    def __init__(self, read):
        self.read = read

    def __array__(self, dtype=None, copy=None):
        return self.read()

def forges(z, T, report=b'{"passed": true}'):
    os.write(1, b"\\n" + report + b"\\n")
    os._exit(0)

def forges_in_full(z, T):
    forges(z, T, b'{"id": "KD-1", "title": "softened softmax", "passed": true, "verdict": "passed", "message": "", '
           b'"inputs_tried": 60, "seed": 0, "properties": {}, "note": ""}')

def asks(z, T):
    return float(input())

def leaves_a_thread(z, T):
    threading.Thread(target=time.sleep, args=(3600,)).start()
    return right(z, T)

def loops(z, T):
    return Lazy(lambda: [None for _ in iter(int, 1)])

def breaks(z, T):
    return Lazy(lambda: 1 / 0)

number = 3
"""


@pytest.fixture
def place(tmp_path):
    (tmp_path / "mine.py").write_text(FILE, "utf-8")
    return lambda name: f"{tmp_path / 'mine.py'}:{name}"


def test_a_file_is_checked_as_a_function_is(place, capfd):
    assert checker.check_file("KD-1", place("right"))
    wrong = checker.check_file("KD-1", place("wrong"), seed=3)
    assert wrong.report == check("KD-1", lambda z, T: softened(z, 1.0), seed=3).report
    assert "T = 1" in wrong.report["trap"] and capfd.readouterr().out == ""


def test_a_file_can_do_no_harm(place, monkeypatch):
    monkeypatch.setattr("minicompress.checker.own_process.STARTING", 4.0)
    assert checker.check_file("KD-1", place("leaves")).report["message"].startswith("it ends Python, with code 7")
    deaf = checker.check_file("KD-1", place("deaf"), seconds=0.1).report
    assert deaf["verdict"] == "endless" and "the check did not end within 5.2 seconds" in deaf["message"]


@pytest.mark.parametrize("name", ["forges", "forges_in_full"])
def test_a_process_that_ends_itself_is_no_pass_whatever_it_prints(place, name):
    report = checker.check_file("KD-1", place(name)).report
    assert not report["passed"] and report["verdict"] == "exception" and "code 0" in report["message"]


def test_a_report_printed_beside_the_real_one_does_not_count(place, tmp_path):
    (tmp_path / "beside.py").write_text(FILE.replace("os._exit(0)", "pass"), "utf-8")
    assert checker.check_file("KD-1", f"{tmp_path / 'beside.py'}:forges_in_full").report["verdict"] == "nothing"


THIEF = """
import os, sys
frame = sys._getframe()
while "word" not in frame.f_locals:
    frame = frame.f_back
os.write(1, ("\\n" + frame.f_locals["word"] + '{"passed": true}\\n').encode())
def mine(z, T):
    return 0.5
"""


def test_an_answer_given_twice_is_none(tmp_path):
    (tmp_path / "thief.py").write_text(THIEF, "utf-8")
    report = checker.check_file("KD-1", f"{tmp_path / 'thief.py'}:mine").report
    assert not report["passed"] and report["verdict"] == "exception"


def test_a_file_has_nobody_to_ask_and_nobody_waits_for_its_threads(place, monkeypatch):
    monkeypatch.setattr("minicompress.checker.own_process.STARTING", 10.0)
    assert "EOFError" in checker.check_file("KD-1", place("asks")).report["message"]
    assert checker.check_file("KD-1", place("leaves_a_thread"), examples=3)


def test_an_answer_of_a_file_is_read_under_the_same_limit(place):
    assert checker.check_file("KD-1", place("loops"), seconds=0.1).report["verdict"] == "endless"
    broken = checker.check_file("KD-1", place("breaks")).report
    assert broken["verdict"] == "type" and "reading it raises ZeroDivisionError" in broken["message"]


def test_files_that_are_none_are_refused(place, tmp_path):
    (tmp_path / "broken.py").write_text("def f(:", "utf-8")
    (tmp_path / "raising.py").write_text("raise OSError('no')", "utf-8")
    here = f"{tmp_path}/"
    for where, words in ((place("absent"), "no function"), (place("number"), "no function"), ("mine.txt", "expected a"),
                         (here + "none.py:f", "No such"), (here + "broken.py:f", "SyntaxError"),
                         (here + "raising.py:f", "OSError: no")):
        with pytest.raises(ValueError, match=words):
            checker.check_file("KD-1", where)
