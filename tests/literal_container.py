"""Reads a .mcz file in plain loops, written from nothing but the page minicompress/FORMAT.md."""

import json
import math
import struct
import zlib

DEFAULTS = {"Linear": [None, None, True], "Conv2d": [None, None, None, 1, 0, 1, True]}


def read(data):
    """``(description, {name: (shape, values)})``: the values in C order, as floats."""
    assert data[:4] == b"MCZ\x01"
    assert zlib.crc32(data[:4] + data[8:]) == struct.unpack("<I", data[4:8])[0]
    file = File(data)
    file.at = 8
    length = file.varint()
    assert file.at + length == len(data)
    description = json.loads(file.bytes(file.varint()))
    arrays = {name: file.array() for name in names(description)}
    assert file.at == len(data)
    return description, arrays


def names(description):
    if isinstance(description, dict):
        return description["parameters"] + description["buffers"]
    parameters, buffers = [], []

    def walk(path, layer):
        kind, arguments = layer[0], layer[1:]
        if kind in ("Sequential", "Add", "Concatenate"):
            for child, inner in arguments:
                walk([*path, child], inner)
        if kind in DEFAULTS:
            bias = (arguments + DEFAULTS[kind][len(arguments):])[-1]
            parameters.extend(".".join([*path, name]) for name in ["weight"] + ["bias"] * bias)
        if kind in ("QuantizedLinear", "QuantizedConv2d", "BinaryLinear", "BinaryConv2d"):
            parameters.append(".".join([*path, "weight"]))
        if kind in ("QuantizedLinear", "QuantizedConv2d"):
            buffers.append(".".join([*path, "bias"]))
        if kind == "CSRLinear":
            buffers.extend(".".join([*path, name]) for name in ["data", "indices", "indptr", "bias"])
        if kind == "Threshold":
            parameters.append(".".join([*path, "direction"]))
            buffers.append(".".join([*path, "threshold"]))
        if kind in ("BatchNorm1d", "BatchNorm2d"):
            parameters.extend(".".join([*path, name]) for name in ["weight", "bias"])
            buffers.extend(".".join([*path, name]) for name in ["running_mean", "running_var"])

    walk([], description)
    return parameters + buffers


def single(value):
    """The nearest float32."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


class File:
    def __init__(self, data):
        self.data, self.at, self.bit = data, 0, 0

    def bytes(self, count):
        part = self.data[self.at:self.at + count]
        assert len(part) == count
        self.at += count
        return part

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.bytes(1)[0]
            value += (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def digit(self):
        digit = self.data[self.at] >> (7 - self.bit) & 1
        self.bit += 1
        if self.bit == 8:
            self.bit, self.at = 0, self.at + 1
        return digit

    def number(self, width):
        value = 0
        for _ in range(width):
            value = 2 * value + self.digit()
        return value

    def fill(self):
        while self.bit:
            assert self.digit() == 0

    def numbers(self, count, width):
        values = [self.number(width) for _ in range(count)]
        self.fill()
        return values

    def numbers_of(self, kind, count):
        return list(struct.unpack(f"<{count}{kind}", self.bytes(count * struct.calcsize(f"<{kind}"))))

    def array(self):
        shape = [self.varint() for _ in range(self.varint())]
        values = [0.0] * math.prod(shape)
        matrix = (shape[0], math.prod(shape[1:])) if len(shape) > 1 else (1, math.prod(shape))
        self.form(values, list(range(len(values))), matrix, shape)
        return shape, values

    def form(self, values, entries, matrix, shape):
        head = self.bytes(1)[0]
        kind, flags = head % 8, head // 8
        if kind == 0:
            for entry, value in zip(entries, self.numbers_of("fdi"[flags], len(entries)), strict=True):
                values[entry] = value
        elif kind == 1:
            picked = [entries[place] for place in self.mask(*matrix)]
            self.form(values, picked, (1, len(picked)), shape)
        elif kind == 2:
            count = self.varint()
            assert 1 <= count <= 2 ** (flags // 2 + 1)
            centroids = self.numbers_of("fd"[flags % 2], count)
            for entry, symbol in zip(entries, self.symbols(len(entries), count), strict=True):
                values[entry] = centroids[symbol]
        elif kind == 3:
            bits = self.bytes(1)[0]
            scales = self.numbers_of("f", shape[0] if flags & 1 else 1)
            zero_points = self.numbers_of("i", len(scales)) if flags & 2 else [0] * len(scales)
            for entry, symbol in zip(entries, self.symbols(len(entries), 2**bits), strict=True):
                channel = entry // math.prod(shape[1:]) if flags & 1 else 0
                values[entry] = single(scales[channel] * (symbol - 2 ** (bits - 1) - zero_points[channel]))
        elif kind == 4:
            alphas = self.numbers_of("f", shape[0] if flags & 1 else 1) if flags & 2 else [1.0] * max([1, *shape])
            for entry, bit in zip(entries, self.numbers(len(entries), 1), strict=True):
                alpha = alphas[entry // math.prod(shape[1:]) if flags & 1 else 0]
                values[entry] = alpha if bit else -alpha
        else:
            raise AssertionError(f"kind {kind}")

    def mask(self, rows, columns):
        head = self.bytes(1)[0]
        k, flags = head % 16 + 1, head // 16
        used_rows, used_columns = range(rows), range(columns)
        if flags & 2:
            used_rows = [i for i, used in enumerate(self.numbers(rows, 1)) if used]
            used_columns = [j for j, used in enumerate(self.numbers(columns, 1)) if used]
        walk = [(i, j) for i in used_rows for j in used_columns]
        if flags & 1:
            walk = [(i, j) for j in used_columns for i in used_rows]
        picked, at = [], 0
        for symbol in self.symbols(self.varint(), 2**k):
            at += symbol if symbol else 2**k - 1
            if symbol:
                i, j = walk[at - 1]
                picked.append(i * columns + j)
        return picked

    def symbols(self, count, alphabet):
        if count == 0:
            return []
        longest = self.bytes(1)[0]
        if longest == 0:
            return self.numbers(count, math.ceil(math.log2(alphabet)))
        codes = self.codes(longest)
        lanes = math.ceil(count / 2 ** min(12, max(9, 19 - len(f"{count:b}") // 2)))
        bits = [self.varint()] * lanes
        if lanes > 1:
            width = self.bytes(1)[0]
            bits = [least + more for least, more in zip(bits, self.numbers(lanes, width), strict=True)]
        symbols = [None] * count
        for lane in range(lanes):
            for place in range(lane, count, lanes):
                code = ""
                while code not in codes:
                    code += str(self.digit())
                symbols[place] = codes[code]
                bits[lane] -= len(code)
            assert bits[lane] == 0
        self.fill()
        return symbols

    def codes(self, longest):
        lengths, last = [], longest
        for _ in range(self.varint()):
            if self.digit() == 0:
                lengths.append(last)
            elif self.digit() == 0:
                lengths.append(0)
            else:
                sign = -1 if self.digit() else 1
                last += sign
                while self.digit():
                    last += sign
                lengths.append(last)
        self.fill()
        codes, code, before = {}, -1, 0
        for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths) if length):
            code = (code + 1) << (length - before) if before else 0
            codes[f"{code:0{length}b}"] = symbol
            before = length
        assert max(lengths) == longest
        return codes
