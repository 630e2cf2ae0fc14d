"""safetensors files: what is written is read, whatever the tensors hold, by the format's own makers too."""

import json
import struct

import pytest
import safetensors.torch
import torch

from cyclecolor.checkpoint.safetensors_file import ZEROS, TensorFile, TensorFileError, sealed_bytes


def read(tmp_path, content: bytes) -> dict[str, torch.Tensor]:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with path.open("rb") as file:
        return dict(TensorFile(file).read())


def of_shape(shape: list[int]) -> bytes:
    """A file of one tensor of that many numbers, by the format's own description."""
    size = 4 * torch.Size(shape).numel()
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def test_a_tensor_that_reads_like_a_seal_is_none(tmp_path):
    """The digest goes into the header, where the readers of others leave it alone."""
    text = f'"sha256":"{ZEROS}"'.encode()
    tensors = {"a": torch.frombuffer(bytearray(text.ljust(80)), dtype=torch.int64), "b": torch.ones(2)}
    content = sealed_bytes(tensors, {"format": "any"})
    for found in (read(tmp_path, content), safetensors.torch.load(content)):
        assert found.keys() == tensors.keys()
        assert all(torch.equal(found[name], tensors[name]) for name in tensors)


def test_a_shape_has_eight_sides_at_most(tmp_path):
    assert torch.equal(read(tmp_path, of_shape([1] * 7 + [2]))["a"], torch.zeros([1] * 7 + [2]))
    with pytest.raises(TensorFileError, match="impossible shape"):
        read(tmp_path, of_shape([1] * 8 + [2]))
