"""Files that appear whole: whoever looks, at whatever moment, finds the old one or the new one."""

import os
import secrets
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path):
    """A temporary path beside ``path``, for a file that takes its place where the block ends without an exception.

    The temporary name has the same suffix, since some libraries choose a format by it, and begins with a dot. What the
    block wrote is on the disk before it is renamed; after an exception it is deleted, and ``path`` is as it was.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder, "note.txt")) as temporary:
    ...         _ = temporary.write_text("whole")
    ...     Path(folder, "note.txt").read_text(), len(os.listdir(folder))
    ('whole', 1)
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.tmp{path.suffix}")
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
