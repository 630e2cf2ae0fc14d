"""safetensors files as strangers may send them: bounded before memory is taken, sealed to the last bit.

A file is 8 bytes of length, a JSON header (name: type, shape, place; and strings of metadata), and the
tensors without gaps. A sealed one holds, in its metadata, the SHA-256 of the whole file with that digest's
own digits as zeros.
"""

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from io import BufferedReader
from math import prod
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

MAX_HEADER = 4 << 20  # bytes; a thousand tensors take some 150,000
MAX_FILE = 8 << 30  # bytes
MAX_SIDE = 1 << 40  # of a shape; products of a few of them are still quick

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}
ZEROS = "0" * 64
CHUNK = 1 << 20


class TensorFileError(Exception):
    """The file is cut, damaged, too big or no safetensors file; the message says which."""


@dataclass(frozen=True)
class Entry:
    """A tensor of a file: what it is and where it starts, in bytes after the header."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Bytes."""
        return prod(self.shape) * self.dtype.itemsize


class TensorFile:
    """An open safetensors file. Only its header has been read; nothing it claims is believed.

    Attributes
    ----------
    metadata : dict of str to str
    entries : list of Entry
        In the order of the file.

    Raises
    ------
    TensorFileError
        From every method.
    """

    def __init__(self, file: BufferedReader):
        self.file = file
        size = os.fstat(file.fileno()).st_size
        if size > MAX_FILE:
            raise TensorFileError(f"larger than {MAX_FILE >> 30} GiB")
        self.header = self._header(size)
        table = _parse(self.header)
        self.metadata = table.pop("__metadata__", {})
        if not isinstance(self.metadata, dict) or not all(isinstance(v, str) for v in self.metadata.values()):
            raise TensorFileError("its metadata are not strings")
        self.entries = sorted((_entry(*item) for item in table.items()), key=lambda e: (e.start, e.size))
        self._check_places(size)

    def _header(self, size: int) -> bytes:
        length = self.file.read(8)
        if len(length) < 8:
            raise TensorFileError("cut short, or empty")
        count = struct.unpack("<Q", length)[0]
        if count > min(MAX_HEADER, size - 8):
            raise TensorFileError("cut short, or its header is not one")
        return self.file.read(count)

    def _check_places(self, size: int) -> None:
        """Tensors must follow each other without gap or overlap, to the end of the file."""
        place = 0
        for entry in self.entries:
            if entry.start != place:
                raise TensorFileError("its tensors overlap or leave gaps")
            place += entry.size
        if 8 + len(self.header) + place != size:
            raise TensorFileError("cut short, or longer than its tensors")

    def read(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor by name; at the end a sealed file's digest is compared."""
        sealed = self.metadata.get("sha256")
        digest = sha256(struct.pack("<Q", len(self.header)))
        digest.update(self.header.replace(_seal(sealed or ""), _seal(ZEROS)))
        for entry in self.entries:
            content = self._content(entry)
            digest.update(content)
            yield entry.name, _tensor(content, entry)
        if sealed is not None and digest.hexdigest() != sealed:
            raise TensorFileError("damaged: its checksum does not match")

    def _content(self, entry: Entry) -> bytearray:
        content = bytearray(entry.size)
        if self.file.readinto(content) != entry.size:
            raise TensorFileError("cut short while it was read")
        return content


def sealed_bytes(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """A safetensors file of CPU tensors, with the digest that `TensorFile.read` checks."""
    content = bytearray(save(tensors, metadata={**metadata, "sha256": ZEROS}))
    place = content.index(_seal(ZEROS), 8)
    digest = _seal(sha256(content).hexdigest())
    content[place : place + len(digest)] = digest
    return bytes(content)


def _seal(digest: str) -> bytes:
    return f'"sha256":"{digest}"'.encode()


def _parse(header: bytes) -> dict[str, Any]:
    try:
        table = json.loads(header)
    except (ValueError, RecursionError):
        raise TensorFileError("its header is not JSON") from None
    if not isinstance(table, dict):
        raise TensorFileError("its header is not a table")
    return table


def _entry(name: str, value: Any) -> Entry:
    try:
        dtype, shape, (start, end) = DTYPES[value["dtype"]], value["shape"], value["data_offsets"]
        whole = [start, end, *shape]
    except (TypeError, KeyError, ValueError):
        raise TensorFileError("it describes a tensor in a way that is not known") from None
    if not all(type(n) is int and 0 <= n <= MAX_SIDE for n in whole) or len(shape) > 8:
        raise TensorFileError("it describes a tensor of an impossible shape")
    entry = Entry(name, dtype, tuple(shape), start)
    if entry.size != end - start:
        raise TensorFileError("a tensor's shape and size differ")
    return entry


def _tensor(content: bytearray, entry: Entry) -> Tensor:
    if not content:
        return torch.empty(entry.shape, dtype=entry.dtype)
    return torch.frombuffer(content, dtype=entry.dtype).reshape(entry.shape)
