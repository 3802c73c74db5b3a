import matplotlib.figure
import pytest

from minicompress import atomic
from tests.mutants import mutate

OLD, NEW = b"the old one", b"the new one, which is longer"


class StopError(Exception):
    pass


def replaced(module, path):
    with module.replacing(path) as temporary:
        assert temporary.parent == path.parent, "another disk's file can't be renamed to it"
        assert temporary.suffix == path.suffix, "some libraries choose a format by the suffix"
        for written in (NEW[:5], NEW):
            temporary.write_bytes(written)
            assert not path.exists() or path.read_bytes() == OLD
    assert path.read_bytes() == NEW


def interrupted(module, path):
    with pytest.raises(StopError), module.replacing(path) as temporary:
        temporary.write_bytes(NEW[:5])
        raise StopError
    assert not path.exists() or path.read_bytes() == OLD


def two_at_once(module, path):
    with module.replacing(path) as first:
        with module.replacing(path) as second:
            first.write_bytes(NEW)
            second.write_bytes(OLD)
        assert path.read_bytes() == OLD
    assert path.read_bytes() == NEW


CASES = [replaced, interrupted, two_at_once]


def hold(case, module, folder, before):
    path = folder / "report.json"
    if before:
        path.write_bytes(OLD)
    case(module, path)
    assert list(folder.iterdir()) == [path] * path.exists(), "nothing else is left"


@pytest.mark.parametrize("before", [False, True], ids=["new", "old"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_old_file_or_the_new_one(case, before, tmp_path):
    hold(case, atomic, tmp_path, before)


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic.replacing(tmp_path / "report.json"):
        pass


def test_a_library_that_goes_by_the_suffix_writes_its_format(tmp_path):
    with atomic.replacing(str(tmp_path / "figure.svg")) as temporary:
        matplotlib.figure.Figure().savefig(temporary)
    assert b"<svg" in (tmp_path / "figure.svg").read_bytes()


@pytest.mark.parametrize(("old", "new"), [
    ("yield temporary", "yield path"), ("os.replace(temporary, path)", "pass"), (".tmp{path.suffix}", ".tmp"),
    ("{secrets.token_hex(4)}", "0"), ("temporary.unlink(missing_ok=True)", "pass"),
    ("path.with_name(", "Path('..').joinpath("),
])
def test_a_planted_bug_is_caught(old, new, tmp_path):
    mutant = mutate(atomic, old, new)
    with pytest.raises((AssertionError, OSError)):
        for i, (case, before) in enumerate((case, before) for case in CASES for before in (True, False)):
            (tmp_path / str(i)).mkdir()
            hold(case, mutant, tmp_path / str(i), before)
