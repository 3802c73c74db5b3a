"""All that changes during a run of `fit`, and the file that holds it."""

import json
import os
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class History:
    """What a run saw, one element an epoch: losses in nats, errors as fractions, None where nothing was measured.

    ``loss`` and ``error`` are means over the epoch's own training batches, augmented and while they changed the
    weights; ``best_epoch`` is the one whose weights the model holds at the end.
    """

    loss: list = field(default_factory=list)
    error: list = field(default_factory=list)
    validation_loss: list = field(default_factory=list)
    validation_error: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    best_epoch: int | None = None
    interrupted: bool = False

    def append(self, **measured):
        for name, value in measured.items():
            getattr(self, name).append(value)


class Run:
    """A model in training: its optimizer, generators, history and best weights, as `save` and `restore` see them."""

    def __init__(self, model, optimizer, generators, settings):
        self.model, self.optimizer, self.generators = model, optimizer, generators | dict(model.generators())
        self.settings = settings | {"optimizer": type(optimizer).__name__, "parameters": len(optimizer.parameters)}
        own = set(model.parameters())
        self.others = {str(i): p for i, p in enumerate(optimizer.parameters) if p not in own}  # an objective's own
        self.history, self.best, self.good = History(), None, self.state()

    def state(self):
        """A copy of everything learned, in parts."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                "others": {i: np.array(p.data) for i, p in self.others.items()}}

    def load(self, state):
        """Take back what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for i, p in self.others.items():
            p.data = np.array(state["others"][i])  # in its memory order, on which the last bits depend

    def consider(self, best_from):
        """Keep the present weights if the last epoch was the best so far."""
        h = self.history
        if h.validation_error[-1] is not None and len(h.loss) > best_from:
            rank = [(h.validation_error[i], h.validation_loss[i]) for i in (h.best_epoch, -1) if i is not None]
            if rank[-1] <= rank[0]:
                h.best_epoch, self.best = len(h.loss) - 1, self.model.state_dict()

    def save(self, path):
        """Write everything to a file, which is the old one or the new one at any moment."""
        arrays = {f"{part}/{name}": value for part, state in (self.state() | {"best": self.best or {}}).items()
                  for name, value in state.items()}
        notes = {"settings": self.settings, "history": asdict(self.history),
                 "generators": {name: g.bit_generator.state for name, g in self.generators.items()}}
        arrays["notes"] = np.frombuffer(json.dumps(notes, default=_plain).encode(), np.uint8)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(path.name + ".tmp")
        with open(temporary, "wb") as file:
            np.savez(file, **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    def restore(self, path):
        """Take everything from a file; ValueError for one of another run, or none of `save`."""
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            notes = json.loads(arrays.pop("notes").tobytes())
        except (zipfile.BadZipFile, EOFError, KeyError, ValueError) as error:
            raise ValueError(f"{path} is no checkpoint of fit: {error}") from None
        if notes["settings"] != self.settings or notes["generators"].keys() != self.generators.keys():
            raise ValueError(f"{path} is the checkpoint of a run with {notes['settings']}, not {self.settings}")
        parts = {"model": {}, "optimizer": {}, "others": {}, "best": {}}
        for name, array in arrays.items():
            part, _, key = name.partition("/")
            parts[part][key] = array
        try:
            self.load(parts)
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"{path} is the checkpoint of another model: {error}") from None
        self.best, self.history, self.good = parts["best"] or None, History(**notes["history"]), self.state()
        for name, generator in self.generators.items():
            generator.bit_generator.state = notes["generators"][name]


def _plain(value):
    """Arrays inside a bit generator's state, for JSON."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
