"""All that changes during a run of `fit`, and the file that holds it."""

import dis
import functools
import gc
import inspect
import json
import types
import zipfile
import zlib
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path

import numpy as np

from minicompress import atomic, expect
from minicompress.nn import Module

UNNAMED = ("the {} holds a {} that it does not name, so a checkpoint could not restore it: give it as "
           "training.named(function, name=…), or write a method holds() that returns {{name: …}}")


@dataclass
class History:
    """What a run saw, one element an epoch: losses in nats, errors as fractions, None where nothing was measured.

    ``loss`` and ``error`` are means over the epoch's own training batches, augmented and while they changed the
    weights; ``best_epoch`` is the one whose weights the model holds at the end.

    >>> history = History()
    >>> history.append(loss=0.5, error=0.25)
    >>> history.loss, history.error, history.best_epoch
    ([0.5], [0.25], None)
    """

    loss: list = field(default_factory=list)
    error: list = field(default_factory=list)
    validation_loss: list = field(default_factory=list)
    validation_error: list = field(default_factory=list)
    seconds: list = field(default_factory=list)
    best_epoch: int | None = None
    interrupted: bool = False

    def append(self, **measured):
        """Add one epoch's numbers, by name."""
        for name, value in measured.items():
            getattr(self, name).append(value)


class Run:
    """A model in training: its optimizer, generators, history and best weights, as `save` and `restore` see them.

    ``settings`` are what a run to be resumed must agree on; ``callables``, by their names, must agree as far
    as `described` tells, and what they hold is restored as far as they name it (`held`); the rest is refused.
    """

    def __init__(self, model, optimizer, rng, settings=None, callables=()):
        callables = dict(callables)
        self.model, self.optimizer, self.rng = model, optimizer, rng
        self.generators = {"fit": rng} | dict(model.generators())
        known = {*map(id, self.generators.values()), *(id(module) for _, module in model.named_modules())}
        generators, modules = ([part for part in parts if id(part) not in known] for parts in held(callables.values()))
        inner = {id(part) for module in modules for _, part in module.named_modules()} - set(map(id, modules))
        self.modules = [module for module in modules if id(module) not in inner]
        below = [part for module in self.modules for _, part in module.named_modules()]
        known = [*self.generators.values(), *generators, *below, *(module for _, module in model.named_modules())]
        for name, function in callables.items():
            for part in unnamed(function, known):
                raise TypeError(UNNAMED.format(name, type(part).__name__))
        self.generators |= {f"held {i}": generator for i, generator in enumerate(generators)}
        own = {p for module in (model, *self.modules) for p in module.parameters()}
        self.others = {str(i): p for i, p in enumerate(optimizer.parameters) if p not in own}  # of no module
        options = {name: value for name, value in vars(optimizer).items()
                   if name not in {"lr", "steps", "_sealed"} and isinstance(value, bool | int | float | str | tuple)}
        self.history, self.best, self.good = History(), None, self.state()
        beginning = {"rng": digest(json.dumps(_json(_state(rng))).encode())} | {
            part: _fingerprint(arrays) for part, arrays in self.good.items()}
        self.settings = _json((settings or {}) | {"optimizer": type(optimizer).__name__} | options | {
            "parameters": len(optimizer.parameters), "modules of the objective": len(self.modules),
            "generators": sorted(self.generators)} | {
            name: described(value) for name, value in callables.items()} | {
            f"beginning of {part}": value for part, value in beginning.items()})
        self.drawn = _state(rng)  # what an epoch that does not end has drawn shall not count

    def state(self):
        """A copy of everything learned, in parts."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(),
                "others": {i: np.array(p.data) for i, p in self.others.items()},
                "modules": {f"{i}/{name}": array for i, module in enumerate(self.modules)
                            for name, array in module.state_dict().items()}}

    def load(self, state):
        """Take back what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for i, p in self.others.items():
            p.data = np.array(state["others"][i])  # in its memory order, on which the last bits depend
        for i, module in enumerate(self.modules):
            module.load_state_dict({name.partition("/")[2]: array for name, array in state["modules"].items()
                                    if name.partition("/")[0] == str(i)})

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
                 "generators": {name: _state(g) for name, g in self.generators.items()}}
        arrays["notes"] = np.frombuffer(json.dumps(_json(notes)).encode(), np.uint8)
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, **arrays)
        self.drawn = _state(self.rng)

    def restore(self, path):
        """Take everything from a file; ValueError for one of another run, or none of `save`."""
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            notes = json.loads(arrays.pop("notes").tobytes())
            settings, generators, history = notes["settings"], notes["generators"], History(**notes["history"])
        except (zipfile.BadZipFile, EOFError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise ValueError(f"{path} is no checkpoint of fit: {error}") from None
        if generators.get("fit") == _json(_state(self.rng)):  # the same objects, at the end of what is in the file
            self.settings |= {name: settings.get(name) for name in self.settings if name.startswith("beginning of ")}
        for name in self.settings | settings:
            theirs, ours = settings.get(name), self.settings.get(name)
            expect.that(theirs == ours,
                        f"{path} is the checkpoint of another run: its {name} is {theirs!r}, not {ours!r}")
        parts = {"model": {}, "optimizer": {}, "others": {}, "modules": {}, "best": {}}
        for name, array in arrays.items():
            part, _, key = name.partition("/")
            parts[part][key] = array
        try:
            self.load(parts)
        except (KeyError, ValueError, TypeError) as error:
            raise ValueError(f"{path} is the checkpoint of another model: {error}") from None
        self.best, self.history, self.good = parts["best"] or None, history, self.state()
        for name, generator in self.generators.items():
            generator.bit_generator.state = generators[name]
        self.drawn = _state(self.rng)


class Named:
    """A function that names what it holds beside numbers and strings; `named` makes it."""

    def __init__(self, function, held):
        self.function, self._held = expect.function("function", function), held

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)

    def holds(self):
        """{name: what is held under it}"""
        return self._held


def named(function, **held):
    """The function, as an objective, schedule or augmentation that names the modules and generators that it uses.

    So a checkpoint knows what to restore: a teacher that learns, noise that is drawn. What it names may be in lists and
    dicts, and functions that hold things themselves. A class of one's own has a method ``holds()`` instead, which gives
    such a dict.

    >>> noise = np.random.default_rng(0)
    >>> list(named(lambda images, rng: images + noise.random(images.shape), noise=noise).holds())
    ['noise']
    """
    return Named(function, held)


def holds(value):
    """{name: value} of what a callable names: by its method `holds`, as arguments of a partial, as fields, as a method.

    >>> holds(functools.partial(max, 2, key=abs))
    {'function': <built-in function max>, '0': 2, 'key': <built-in function abs>}
    """
    if hasattr(value, "holds"):
        return value.holds()
    if isinstance(value, functools.partial):
        return {"function": value.func} | {str(i): part for i, part in enumerate(value.args)} | value.keywords
    if isinstance(value, types.MethodType):
        return {"function": value.__func__, "self": value.__self__}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return {}


def held(callables):
    """The generators and the modules, two lists, that callables name, however deep, in order and each once."""
    found, queue, seen = {np.random.Generator: [], Module: []}, list(callables), set()
    for value in queue:  # a list that grows while it is walked
        value = inspect.unwrap(value) if callable(value) else value
        if id(value) in seen or isinstance(value, type):
            continue
        seen.add(id(value))
        kind = next((kind for kind in found if isinstance(value, kind)), None)
        if kind is not None:
            found[kind].append(value)
            queue += [generator for _, generator in value.generators()] if kind is Module else []
        else:
            queue += value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else \
                holds(value).values()
    return found[np.random.Generator], found[Module]


def unnamed(function, known):
    """The generators and modules that a callable holds without naming them, those apart that are known otherwise.

    They are looked for in closures, defaults, attributes, slots and containers, however deep, and among the global
    names that a function itself mentions.
    """
    queue, seen = [function], set(map(id, known))
    for value in queue:
        if id(value) in seen or isinstance(value, type | types.ModuleType | set | frozenset):
            continue
        seen.add(id(value))
        if isinstance(value, np.random.Generator | Module):
            yield value
        elif isinstance(value, types.FunctionType):
            names = value.__globals__.keys() & set(_global_names(value.__code__))
            queue += [value.__closure__, value.__defaults__, value.__kwdefaults__, vars(value)]
            queue += [value.__globals__[name] for name in sorted(names)]
        elif gc.is_tracked(value):
            queue += gc.get_referents(value)


def _global_names(code):
    """The global names that code reads, that of functions within it too; attributes of the same name are none."""
    yield from (step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _global_names(inner)


def described(value, above=()):
    """What of a callable can be compared with one of another process, ready for JSON: its name, and its simple parts.

    Those are the numbers, strings, tuples, and dicts by name, among what it `holds`, the defaults and the closure of a
    function, and the attributes without a leading underscore of an object; and the callables there,
    likewise. Everything else may change while it is used, and counts by its type. What `functools.wraps` marks counts
    as what it wraps.

    >>> described(functools.partial(max, 2, key=[]))
    ['functools.partial', {'function': 'builtins.max', '0': 2, 'key': 'builtins.list'}]
    """
    value, simple = inspect.unwrap(value) if callable(value) else value, bool | int | float | str | None
    if isinstance(value, simple | np.generic):
        value = value.item() if isinstance(value, np.generic) else value
        return value if value == value else "nan"  # which equals nothing
    function = value.function if isinstance(value, Named) else value
    kind = function if isinstance(function, type | types.FunctionType | types.BuiltinFunctionType) else type(function)
    name, inner = f"{kind.__module__}.{kind.__qualname__}", (*above, id(value))
    if id(value) in above or isinstance(value, type | Module):
        return name
    if isinstance(value, tuple):
        return [described(v, inner) for v in value]
    if isinstance(value, dict):
        return {key: described(v, inner) for key, v in value.items() if isinstance(key, str)}
    if not callable(value) and not is_dataclass(value):
        return name
    parts = holds(value)
    if isinstance(value, types.FunctionType):
        parts = inspect.getclosurevars(value).nonlocals | (value.__kwdefaults__ or {})
        parts |= {"defaults": value.__defaults__} if value.__defaults__ else {}
    elif isinstance(value, Named):
        parts = {"function": value.function} | parts
    else:
        parts = {key: part for key, part in getattr(value, "__dict__", {}).items() if not key.startswith("_")} | parts
    return [name, described(parts, inner)] if parts else name


def digest(data):
    """The CRC-32 of bytes or of an array's; None for None."""
    return None if data is None else zlib.crc32(data if isinstance(data, bytes) else np.ascontiguousarray(data))


def _fingerprint(arrays):
    """One CRC-32 of named arrays."""
    total = 0
    for name, array in arrays.items():
        total = zlib.crc32(np.ascontiguousarray(array), zlib.crc32(name.encode(), total))
    return total


def _state(generator):
    return generator.bit_generator.state


def _json(value):
    """The value as JSON gives it back: tuples are lists, and so are the arrays inside a bit generator's state."""
    return json.loads(json.dumps(value, default=lambda v: v.tolist() if isinstance(v, np.ndarray | np.generic)
                                 else repr(v)))
