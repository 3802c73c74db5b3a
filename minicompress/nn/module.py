"""Modules: layers and networks of layers, with PyTorch's names."""

import difflib

import numpy as np

from minicompress import expect
from minicompress.engine import Tensor

from .parameter import Parameter


class Sealed(type):
    """Once built, a module or optimizer takes no attribute that its ``__init__`` did not name: no misspelled one."""

    def __call__(cls, *args, **kwargs):
        module = super().__call__(*args, **kwargs)
        vars(module)["_sealed"] = True
        return module


def unknown(thing, name):
    """The message for an attribute that a thing has not."""
    names = [] if name.startswith("__") else [*vars(thing), *dir(type(thing))]  # see Tensor
    close = difflib.get_close_matches(name, names, 1)
    return f"{type(thing).__name__} has no attribute {name!r}" + (f"; did you mean {close[0]!r}?" if close else "")


class Module(metaclass=Sealed):
    """A layer, or a network of layers: attributes that are modules or parameters are found by name.

    A subclass writes ``forward``; what ``buffers`` names is stored, but not trained. One through which no gradient
    passes says so by a class attribute, ``trains = False``: then `fit` refuses the network.

    >>> class Scale(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.weight = Parameter([2.0])
    ...     def forward(self, x):
    ...         return x * self.weight.effective()
    >>> Scale()(Tensor([1.5])).item()
    3.0
    """

    buffers = ()
    _observers: list = []  # noqa: RUF012 - shared on purpose: see `observe`

    def __init__(self):
        self.training = True

    def forward(self, x):
        """What the module computes of the Tensor x; a subclass writes it, and one calls the module itself."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it computes: write forward(self, x)")

    def __call__(self, x):
        expect.that(isinstance(x, Tensor), lambda: f"{type(self).__name__} takes a Tensor, got {type(x).__name__}",
                    TypeError)
        y = self.forward(x)
        for observer in Module._observers:
            observer(self, x, y)
        return y

    def __setattr__(self, name, value):
        expect.that("_sealed" not in vars(self) or name in vars(self), lambda: unknown(self, name), AttributeError)
        held = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        expect.that(not any(isinstance(v, Module | Parameter) for v in held), lambda: f"{name}: what a "
                    f"{type(value).__name__} holds is not found; put modules in nn.Sequential, and give each parameter "
                    "a name of its own", TypeError)
        super().__setattr__(name, value)

    def __getattr__(self, name):
        raise AttributeError(unknown(self, name))

    def children(self):
        """The (name, module) pairs one level down."""
        return [(name, value) for name, value in vars(self).items() if isinstance(value, Module)]

    def named_modules(self, prefix=""):
        """This module and all below it, as (dotted name, module)."""
        yield prefix, self
        for name, child in self.children():
            yield from child.named_modules(f"{prefix}.{name}" if prefix else name)

    def named_latents(self):
        """(dotted name, Parameter) of all that layers own, without what projections train."""
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                if isinstance(value, Parameter):
                    yield (f"{prefix}.{name}" if prefix else name), value

    def named_parameters(self):
        """(dotted name, Parameter) of all that trains: the latents, and behind each what its projections train."""
        for name, parameter in self.named_latents():
            yield name, parameter
            for i, projection in enumerate(parameter.projections):
                yield from ((f"{name}.{i}.{key}", state) for key, state in projection.state()
                            if isinstance(state, Parameter))

    def parameters(self):
        """Every Parameter once, in the order of `named_parameters`."""
        return list(dict.fromkeys(parameter for _, parameter in self.named_parameters()))

    def named_buffers(self):
        """(dotted name, array) of all that is stored but not trained, such as a batch norm's running mean."""
        for prefix, module in self.named_modules():
            for name in module.buffers:
                yield (f"{prefix}.{name}" if prefix else name), getattr(module, name)

    def set_buffer(self, name, array):
        """Replace one buffer by an array of the same shape; KeyError or ValueError otherwise."""
        known = dict(self.named_buffers())
        expect.that(name in known, lambda: f"no buffer {name!r}, there are {sorted(known)}", KeyError)
        expect.shaped(f"buffer {name!r}", array, known[name].shape, np.shape(array) == known[name].shape)
        path, _, attribute = name.rpartition(".")
        setattr(dict(self.named_modules())[path], attribute, np.array(array, known[name].dtype))

    def generators(self):
        """(dotted name, np.random.Generator) of every module and projection that draws random numbers."""
        for prefix, module in self.named_modules():
            for name, value in vars(module).items():
                name = f"{prefix}.{name}" if prefix else name
                if isinstance(value, np.random.Generator):
                    yield name, value
                for i, projection in enumerate(value.projections if isinstance(value, Parameter) else ()):
                    yield from ((f"{name}.{i}.{key}", state) for key, state in vars(projection).items()
                                if isinstance(state, np.random.Generator))

    def state_dict(self):
        """A copy of everything learned, by dotted name: latent parameters, projections' state, buffers."""
        state = {name: parameter.data.copy() for name, parameter in self.named_latents()}
        state |= {name: np.array(value) for name, _, _, value in self._learned() if value is not None}
        return state | {name: array.copy() for name, array in self.named_buffers()}

    def _learned(self):
        """(dotted name, projection, name in it, array) of the projections' state; None for what is not learned yet."""
        for name, parameter in self.named_latents():
            for i, projection in enumerate(parameter.projections):
                for key, value in projection.state():
                    yield f"{name}.{i}.{key}", projection, key, value.data if isinstance(value, Parameter) else value

    def load_state_dict(self, state):
        """Take everything from a `state_dict` of a model of this structure.

        Raises KeyError for names that are missing or unknown, ValueError for a wrong shape, TypeError for a dtype of
        another kind; then nothing has changed.
        """
        parameters, buffers = dict(self.named_latents()), dict(self.named_buffers())
        learned, present = {}, {name: parameter.data for name, parameter in parameters.items()} | buffers
        for name, projection, key, value in self._learned():
            learned[name] = projection, key
            present |= {} if value is None else {name: np.asarray(value)}
        missing = sorted(present.keys() - state.keys())
        unknown = sorted(state.keys() - present.keys() - learned.keys())
        expect.that(not missing and not unknown, f"state does not fit: missing {missing}, unknown {unknown}", KeyError)
        state = {name: np.asarray(array) for name, array in state.items()}
        for name, array in present.items():
            theirs = state[name]
            expect.that(theirs.shape == array.shape, f"{name} has shape {array.shape}, the state's {theirs.shape}")
            fits = np.can_cast(theirs.dtype, array.dtype, "same_kind")
            expect.that(fits, f"{name} holds {array.dtype}, the state's {theirs.dtype}", TypeError)
        for name, parameter in parameters.items():
            parameter.set(state[name])
        for name in buffers:
            self.set_buffer(name, state[name])
        for name in learned.keys() & state.keys():
            projection, key = learned[name]
            projection.load(key, state[name])

    def train(self, mode=True):
        """Switch to training (dropout drops, batch norm uses the batch's statistics); returns self."""
        for _, module in self.named_modules():
            module.training = mode
        return self

    def eval(self):
        """Switch to evaluation; returns self."""
        return self.train(False)

    def config(self):
        """The positional arguments, numbers and booleans, that build this layer again."""
        raise TypeError(f"{type(self).__name__} does not describe itself: it has no config()")

    def __repr__(self):
        inner = "".join(f"\n  ({name}): " + repr(child).replace("\n", "\n  ") for name, child in self.children())
        try:
            arguments = ", ".join(map(repr, self.config()))
        except TypeError:
            arguments = ""
        return f"{type(self).__name__}({arguments}{inner + chr(10) if inner else ''})"
