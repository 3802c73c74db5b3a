"""The time limit of the checker: what is stopped, what has longer, and what is left alone."""

import sys
import threading
import time

import pytest

from minicompress.checker import check, time_limit
from tests.checker.learners import endless, endless_and_deaf, in_lists_alone, softened

pytestmark = pytest.mark.slow  # they wait for clocks


def test_a_loop_is_stopped_and_leaves_no_thread():
    before = threading.active_count()
    check("KD-1", endless, seconds=0.2)
    check("KD-1", endless_and_deaf, seconds=0.2)
    assert threading.active_count() == before


def test_what_can_only_wait_is_left_behind():
    event = threading.Event()
    result = check("KD-1", lambda z, T: event.wait(), seconds=0.1)
    assert "could not even be stopped" in str(result)
    event.set()


def test_slow_calls_add_up_to_the_limit():
    result = check("KD-1", lambda z, T: time.sleep(0.05) or softened(z, T), seconds=0.1)
    assert result.report["verdict"] == "endless"


def test_a_watch_passes_results_and_errors_on():
    on = time_limit.Watch(each=10, together=60)
    assert on.run(lambda: on.call(lambda: 3) + on.call(lambda: 4)) == 7
    with pytest.raises(KeyError):
        on.run(lambda: on.call(lambda: {}["x"]))
    with pytest.raises(time_limit.Ended, match="SystemExit"):
        on.run(lambda: on.call(sys.exit))


def test_only_calls_are_against_the_clock():
    on = time_limit.Watch(each=0.05, together=60)
    assert on.run(lambda: time.sleep(0.2) or 3) == 3
    with pytest.raises(time_limit.TimeLimit) as error:
        on.run(lambda: on.call(lambda: time.sleep(0.6)))
    assert error.value.stopped


def test_a_call_that_waits_for_the_machine_has_longer():
    """Waiting stands in for other work on the same cores."""
    if not hasattr(time, "pthread_getcpuclockid"):
        pytest.skip("threads are not timed here")
    on = time_limit.Watch(each=0.5, together=60)
    assert on.run(lambda: on.call(lambda: time.sleep(0.8) or 3)) == 3


def test_the_limit_that_was_hit_is_named():
    slow = check("KD-1", lambda z, T: time.sleep(0.2) or softened(z, T), seconds=0.1)
    assert slow.report["verdict"] == "endless"
    assert slow.report["message"] == "its calls took more than 0.6 seconds together: far too slow"
    assert "no answer within 0.1 seconds: a loop that never ends" in str(check("KD-1", endless, seconds=0.1))


def test_each_way_of_asking_has_its_own_time():
    """Wrong in the first way, after more than half of the time; the second way is right, and takes as long."""
    pause, asked = 0.0, []

    def in_lists(z, T):
        time.sleep(pause)
        asked.append(type(z))
        return in_lists_alone(z, T) if isinstance(z, list) else softened(z, 1.0)
    assert check("KD-1", in_lists, examples=2)
    pause, counted = 0.1, time_limit.LOAD if hasattr(time, "pthread_getcpuclockid") else 1
    assert check("KD-1", in_lists, examples=2, seconds=1.7 * asked.count(list) * pause / counted / 6)


SLOW_MODULE = """\
import pathlib, time
for _ in range(100):
    time.sleep(0.01)
    if pathlib.Path(__file__).with_suffix(".end").exists():
        break
done = True
"""


@pytest.fixture
def slow_module(tmp_path, monkeypatch):
    (tmp_path / "imported_slowly.py").write_text(SLOW_MODULE, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "imported_slowly.py"
    sys.modules.pop("imported_slowly", None)


def importing(z, T):
    import imported_slowly
    assert imported_slowly.done
    return softened(z, T)


def test_an_import_is_not_broken_off(slow_module):
    """A compiled module that is half imported takes Python down when it is used."""
    result = check("KD-1", importing, seconds=0.05)
    assert result, str(result)
    assert sys.modules["imported_slowly"].done


def test_an_import_that_never_ends_is_left_alone(slow_module, monkeypatch):
    slow_module.write_text(SLOW_MODULE.replace("range(100)", "iter(int, 1)"), "utf-8")
    monkeypatch.setattr(time_limit, "IMPORTING", 0.3)
    result, before = check("KD-1", importing, seconds=0.05), threading.active_count()
    assert result.report["verdict"] == "endless" and "could not even be stopped" in str(result)
    slow_module.with_suffix(".end").touch()  # nothing was thrown into it
    while threading.active_count() >= before:
        time.sleep(0.01)
    assert sys.modules["imported_slowly"].done


def test_what_is_thrown_late_hits_nothing(monkeypatch):
    """A loop is stopped by throwing again and again; here its thread takes long to end, and none of it reaches that."""
    missed = []

    def slow(frame, event, _):
        if event == "return" and frame.f_code.co_name == "run":
            time.sleep(0.03)
    monkeypatch.setattr(threading, "excepthook", missed.append)
    threading.setprofile(slow)
    try:
        with pytest.raises(time_limit.TimeLimit):
            on = time_limit.Watch(each=0.05, together=60)
            on.run(lambda: on.call(lambda: endless(0, 0)))
    finally:
        threading.setprofile(None)
    assert missed == []


def test_an_interrupt_while_waiting_stops_the_work(monkeypatch):
    """Ctrl-C reaches the thread that waits."""
    def interrupted(self, timeout=None):
        monkeypatch.undo()
        raise KeyboardInterrupt
    on, before = time_limit.Watch(each=60, together=60), threading.active_count()
    monkeypatch.setattr(threading.Thread, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        on.run(lambda: on.call(lambda: endless(0, 0)))
    assert threading.active_count() == before
