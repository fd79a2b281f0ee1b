"""Vectors that NumPy and danskin wrote, read without NumPy."""

import ast
import math
from array import array
from pathlib import Path

MAGIC = b"\x93NUMPY"


def read(file: Path) -> array:
    """The numbers of a `.npy` file of one dimension and type float64."""
    content = file.read_bytes()
    # The magic, the version (1.0) in two bytes and the length of the header in two.
    start = 10 + int.from_bytes(content[8:10], "little")
    header = ast.literal_eval(content[10:start].decode())
    if content[:7] != MAGIC + b"\x01" or header["descr"] != "<f8" or len(header["shape"]) != 1:
        raise ValueError(f"{file} is not a vector of float64: {header}")
    return array("d", content[start:])


def distance(file: Path, reference: Path) -> float:
    """|a - b| / |b|, infinite where a has a NaN or the wrong length."""
    a, b = read(file), read(reference)
    if len(a) != len(b):
        return math.inf
    relative = math.dist(a, b) / math.hypot(*b)
    return math.inf if math.isnan(relative) else relative
