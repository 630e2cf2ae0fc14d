"""Hostile checkpoint files, made from a good one: mutants for fuzzing, and payloads that would run code."""

import json
import os
import pickle
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from cyclecolor.errors import CycleColorError
from cyclecolor.inference import load

EMPTY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}  # a tensor


class Canary:
    """Unpickled, it makes a folder."""

    def __init__(self, path: Path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def split(content: bytes) -> tuple[dict, bytes]:
    """The header of a safetensors file and its tensors."""
    count = struct.unpack("<Q", content[:8])[0]
    return json.loads(content[8 : 8 + count]), content[8 + count :]


def join(header: dict | bytes, data: bytes) -> bytes:
    """The file of a header (a table, or bytes as they are) and tensors."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def sealed(header: dict, data: bytes) -> bytes:
    """The file with the digest that it should have: what somebody who knows the format would send."""
    header["__metadata__"]["sha256"] = "0" * 64
    text = json.dumps(header, separators=(",", ":")).encode()
    digest = sha256(join(text, data)).hexdigest()
    return join(text.replace(b"0" * 64, digest.encode()), data)


def mutant(good: bytes, rng: random.Random) -> bytes:
    """One of the ways in which a file goes bad or is made bad, at random; some with a good checksum."""
    content = rng.choice(MUTATIONS)(good, rng)
    if rng.random() < 0.5:
        with suppress(Exception):  # where there is still a header to seal
            return sealed(*split(content))
    return content


def outcome(path: Path, load: Callable[[Path], object] = load) -> str:
    """Load a file as translation does: `loaded`, `refused`, or what is wrong with the refusal."""
    try:
        load(path)
    except CycleColorError as error:
        text = str(error)
        return "refused" if text.isprintable() and len(text) < 500 else f"said {text[:200]!r}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    return "loaded"


def flip(good: bytes, rng: random.Random) -> bytes:
    """One to eight bytes of the file changed."""
    content = bytearray(good)
    for _ in range(rng.randint(1, 8)):
        content[rng.randrange(len(content))] ^= rng.randint(1, 255)
    return bytes(content)


def flip_header(good: bytes, rng: random.Random) -> bytes:
    """One to eight bytes of length and header changed."""
    count = 8 + struct.unpack("<Q", good[:8])[0]
    return flip(good[:count], rng) + good[count:]


def cut(good: bytes, rng: random.Random) -> bytes:
    """The end missing, the beginning missing, or something added."""
    place = rng.randrange(len(good))
    return rng.choice([good[:place], good[place:], good + rng.randbytes(rng.randint(1, 100))])


def rewrite_table(good: bytes, rng: random.Random) -> bytes:
    """A tensor of another name, type, shape or place; one gone, one twice, one more."""
    header, data = split(good)
    name = rng.choice([n for n in header if n != "__metadata__"])
    entry = header[name]
    kind = rng.randrange(8)
    if kind == 0:
        header[rng.choice(["../../x", "a" * 100_000, "\x00", "\x1b[2J", "ema/G_color/module.x", ""])] = entry
    elif kind == 1:
        entry["dtype"] = rng.choice(["F64", "F8_E4M3", "OBJECT", "I64", "F16", "", None, 7, ["F32"]])
    elif kind == 2:
        huge = [[2**62], [2**40] * 8, [2**31, 2**31], [0] * 100_000]
        entry["shape"] = rng.choice([*huge, [-1], [1e30], ["1"], None, [[1]], [True]])
    elif kind == 3:
        places = [[0, 2**63], [-8, 0], [8, 0], [0], "01", None, [0, len(data)], [1e9, 2e9]]
        entry["data_offsets"] = rng.choice(places)
    elif kind == 4:
        del header[name]
    elif kind == 5:
        header[name] = rng.choice([[], None, 1, "x", {}, {"dtype": "F32"}])
    elif kind == 6:
        # Inflated, with all the bytes that it claims.
        entry["shape"] = [*entry["shape"], rng.randint(2, 50)]
        return join(header, data + bytes(rng.randint(0, 1_000_000)))
    else:
        items = list(header.items())
        rng.shuffle(items)
        header = dict(items)
    return join(header, data)


def rewrite_settings(good: bytes, rng: random.Random) -> bytes:
    """Settings of other values: huge networks, wrong types, unknown keys, paths."""
    header, data = split(good)
    key = settings_of(header)
    settings = json.loads(header["__metadata__"][key])
    value = rng.choice(
        [-1, 0, 10**9, 10**18, 1e308, float("nan"), "x" * 10_000, "/dev/zero", None, [], {}, True]
    )
    kind = rng.randrange(6)
    if key != "cyclecolor":  # an imported generator's: four numbers
        settings[rng.choice(list(settings))] = value if kind else rng.randint(1, 1024)
    elif kind < 4:
        _rewrite_experiment(settings["experiment"], value, kind, rng)
    elif kind == 4:
        settings[rng.choice(["step", "data", "experiment", "watch", "score", "sha256"])] = value
    else:
        del settings[rng.choice(list(settings))]
    header["__metadata__"][key] = json.dumps(settings)
    return join(header, data)


def _rewrite_experiment(table: dict, value: object, kind: int, rng: random.Random) -> None:
    section = rng.choice([k for k, v in table.items() if isinstance(v, dict)])
    if kind == 0:
        table[rng.choice(list(table))] = value
    elif kind == 1:
        table[section][rng.choice(list(table[section]))] = value
    elif kind == 2:
        table[section][rng.choice(["x", "__class__", "a" * 60_000])] = value
    else:
        width, blocks = rng.choice([1024, 10**9]), rng.choice([64, 10**9])
        table["G_color"] = {"type": "resnet", "width": width, "blocks": blocks}


def settings_of(header: dict) -> str:
    """Where a file's metadata have its settings: those of a checkpoint or of an imported generator."""
    return next(key for key in ("cyclecolor", "generator") if key in header["__metadata__"])


def bomb(good: bytes, rng: random.Random) -> bytes:
    """JSON that is deep, long or numerous, in the header or in the settings."""
    header, data = split(good)
    text = rng.choice(_bombs())
    if rng.random() < 0.5:
        return join(text.encode(), data)
    header["__metadata__"][settings_of(header)] = text
    return join(header, data)


@cache
def _bombs() -> list[str]:
    return [
        "[" * 1_000_000,
        '{"a":' * 200_000 + "1" + "}" * 200_000,
        "9" * 1_000_000,
        "[" + "0," * 1_000_000 + "0]",
        json.dumps({"experiment": {f"k{i}": 0 for i in range(100_000)}, "step": 0, "data": {}}),
        json.dumps({f"t{i}": EMPTY for i in range(30_000)}),
        '"' + "\\u0000" * 100_000 + '"',
    ]


def noise(good: bytes, rng: random.Random) -> bytes:
    """No checkpoint at all."""
    lengths = [b"\xff" * 8, bytes(8), struct.pack("<Q", 2**62)]
    heads = [b"", b"\x80\x04", b"PK\x03\x04", b"\x93NUMPY", *lengths]
    return rng.choice(heads) + rng.randbytes(rng.randint(0, 1000))


MUTATIONS = (flip, flip_header, cut, rewrite_table, rewrite_settings, bomb, noise)


def payloads(folder: Path, canary: Path) -> list[Path]:
    """Files that create `canary` if a loader believes in pickle, under every name that might lead it to."""
    pickled = pickle.dumps({"ema": Canary(canary)})
    made = []
    for name in ("legacy.pth", "legacy.pkl", "legacy.safetensors", "step_00000001.safetensors"):
        made.append(folder / name)
        made[-1].write_bytes(pickled)
    for name in ("zipped.pth", "zipped.safetensors"):
        made.append(folder / name)
        with zipfile.ZipFile(made[-1], "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", pickled)
            archive.writestr("archive/version", "3")
    made.append(folder / "object.npy")
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}".ljust(117) + b"\n"
    made[-1].write_bytes(b"\x93NUMPY\x01\x00v\x00" + head + pickled)
    made.append(folder / "oldest.pth")
    with tarfile.open(made[-1], "w") as archive:  # as PyTorch wrote in its first years
        for name in ("pickle", "storages", "tensors"):
            member = tarfile.TarInfo(name)
            member.size = len(pickled)
            archive.addfile(member, BytesIO(pickled))
    made.append(folder / "external.onnx")
    # An initializer (graph 7, tensor 5) whose data are external (13): a location (1, 2), that of a pickle.
    place = b"\x0a\x08location\x12\x0alegacy.pkl"
    tensor = b"\x6a" + bytes([len(place)]) + place + b"\x70\x01"
    made[-1].write_bytes(b"\x3a" + bytes([len(tensor) + 2]) + b"\x2a" + bytes([len(tensor)]) + tensor)
    made.append(folder / "linked.safetensors")
    made[-1].symlink_to("legacy.pkl")
    made.append(folder / "dcp")
    made[-1].mkdir()
    (made[-1] / ".metadata").write_bytes(pickled)
    call = {"_target_": "builtins.open", "_args_": [str(canary), "w"], "__reduce__": ["touch", str(canary)]}
    for name, settings in (
        ("hex", pickled.hex()),
        ("class", json.dumps({"experiment": {"method": "os.system"}, "step": 1, "data": {}, **call})),
        ("call", json.dumps({"experiment": call, "step": 1, "data": call})),
    ):
        made.append(folder / f"{name}.safetensors")
        metadata = {"format": "cyclecolor-checkpoint-3", "cyclecolor": settings}
        made[-1].write_bytes(sealed({"__metadata__": metadata}, b""))
    return made
