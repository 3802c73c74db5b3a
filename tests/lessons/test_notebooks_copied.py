"""The project's own notebooks, copied out."""

import pytest

from minicompress.lessons import notebooks


def test_what_goes_with_the_notebooks_is_copied_and_nothing_else(tmp_path, monkeypatch):
    own = tmp_path / "own"
    files = ["01_one.ipynb", "README.md", "picture.png", "solutions/01_one.ipynb"]
    for name in [*files, "notes.txt", ".ipynb_checkpoints/01_one-checkpoint.ipynb",
                 "solutions/.ipynb_checkpoints/01_one-checkpoint.ipynb"]:
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text(name, "utf-8")
    monkeypatch.setattr(notebooks, "_folders", lambda: [own])
    copied = notebooks.copy_lessons(tmp_path / "course")
    assert sorted(copied) == sorted(p for p in (tmp_path / "course").rglob("*") if p.is_file())
    assert sorted(path.relative_to(tmp_path / "course").as_posix() for path in copied) == sorted(files)
    assert all(path.read_text("utf-8") == path.relative_to(tmp_path / "course").as_posix() for path in copied)
    (tmp_path / "course" / "picture.png").rename(tmp_path / "course" / "kept.png")
    with pytest.raises(FileExistsError, match="is there already, and 2 more"):
        notebooks.copy_lessons(tmp_path / "course")
    assert not (tmp_path / "course" / "picture.png").exists()
