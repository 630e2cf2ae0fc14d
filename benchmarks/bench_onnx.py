"""What the network costs without PyTorch, and in 8 bits: file size, time, start, and color error.

    python benchmarks/bench_onnx.py PHOTOS CALIBRATION [--checkpoint default] [--count 75] [--json FILE]

PHOTOS are scored. CALIBRATION are others, on which ranges of activations are measured for int8 (static).
Times are of one core's processor; the network's is the median over photos, a start's that of a process of its
own, the least of three. Needs the extra `onnx`.

docs/onnx.md has what is printed, docs/results/onnx.json its figures; tests/test_numbers.py compares them.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from PIL import Image
from record import ROOT, Origin, told
from torch import Tensor, nn

from cyclecolor.evaluation import evaluate
from cyclecolor.evaluation.inputs import to_tensor
from cyclecolor.files import write_json
from cyclecolor.inference import ChromaColorizer, load
from cyclecolor.inference.guided import resized
from cyclecolor.inference.onnx_export import export_onnx
from cyclecolor.photos import find_photos, read_rgb8

CALIBRATED = 60  # photos
SIDES = (768, 512)  # width and height of the photo that a start colors
STARTS = {  # what a new Python is asked to do; photo.png and network.onnx lie where it is started
    "`import torch`": ["-c", "import torch"],
    "`cyclecolor translate`": ["-m", "cyclecolor", "translate", "photo.png", "--overwrite", "--quiet"],
    "the example above": [str(ROOT / "examples/color_with_onnx.py"), "network.onnx", "photo.png", "made.png"],
}
SCORES = ("ciede2000", "hue_error")


class Session(nn.Module):
    """A file in the place of a generator; `times` are those of its calls, in seconds of the processor."""

    def __init__(self, path: Path, stride: int):
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.stride, self.times = stride, []

    def forward(self, image: Tensor) -> Tensor:
        """Scaled lightness (N, 1, h, w) to scaled chroma."""
        begun = time.process_time()
        (made,) = self.session.run(["output"], {"image": image.numpy()})
        self.times.append(time.process_time() - begun)
        return torch.from_numpy(made)


class Timed(nn.Module):
    """PyTorch's own network, timed in the same way."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network, self.stride, self.times = network, network.stride, []

    def forward(self, image: Tensor) -> Tensor:
        """As the network."""
        begun = time.process_time()
        made = self.network(image)
        self.times.append(time.process_time() - begun)
        return made


class Calibration(CalibrationDataReader):
    """What the network sees of photos, one after another."""

    def __init__(self, colorizer: ChromaColorizer, paths: list[Path]):
        self.copies = (network_copy(colorizer, read_rgb8(path)) for path in paths)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next input, or None at the end."""
        copy = next(self.copies, None)
        return None if copy is None else {"image": copy.numpy()}


def main() -> None:
    """Print tables; write their figures, where they are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("--checkpoint", default="default")
    parser.add_argument("--count", type=int, default=75, help="photos, evenly from the folder")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    options = parser.parse_args()
    origin = Origin()
    torch.set_num_threads(1)
    photos = [read_rgb8(path) for path in evenly(find_photos(options.photos), options.count)]
    calibration = evenly(find_photos(options.calibration), CALIBRATED)
    with tempfile.TemporaryDirectory() as folder:
        colorizer = load(options.checkpoint, device=torch.device("cpu"))
        files = written(colorizer, calibration, Path(folder))
        networks = measured(colorizer, files, photos)
        Image.fromarray(photos[0]).resize(SIDES).save(Path(folder) / "photo.png")
        starts = {name: min(started(words, folder) for _ in range(3)) for name, words in STARTS.items()}
    record = {"checkpoint": Path(options.checkpoint).stem, "folder": options.photos.name}
    record |= {"photos": len(photos), "calibrated on": len(calibration)}
    record |= {"networks": networks, "starts": starts} | origin()
    if options.json:
        write_json(record, options.json)
    print(table(record))


def table(record: dict[str, Any]) -> str:
    """Where the figures come from, a row a network, and a row a start."""
    lines = [
        f"{told(record)}. Checkpoint `{record['checkpoint']}`, {record['photos']} photos of "
        f"`{record['folder']}`, {record['calibrated on']} others for the ranges of int8, static.\n",
        "| | network, ms | file, MB | CIEDE2000 | hue error |\n|---|--:|--:|--:|--:|",
    ]
    for name, of in record["networks"].items():
        size = f"{of['MB']:.2f}" if of["MB"] else ""
        lines.append(f"| {name} | {of['ms']:.1f} | {size} | {of['ciede2000']:.2f} | {of['hue_error']:.1f} |")
    lines.append("\n| one photo of {} x {}, from the start of Python | s |\n|---|--:|".format(*SIDES))
    lines += [f"| {name} | {seconds:.2f} |" for name, seconds in record["starts"].items()]
    return "\n".join(lines)


def measured(
    colorizer: ChromaColorizer, files: dict[str, Path], photos: list[np.ndarray]
) -> dict[str, dict[str, Any]]:
    """Of PyTorch's network and of each file: milliseconds, megabytes, scores."""
    stride = colorizer.generators["G_color"].stride
    networks = {"PyTorch": Timed(colorizer.generators["G_color"])}
    networks |= {name: Session(path, stride) for name, path in files.items()}
    found = {}
    for name, network in networks.items():
        colorizer.generators["G_color"] = network
        scores = evaluate(colorizer, photos, only=SCORES)
        found[name] = {
            "ms": 1000 * one_by_one(colorizer, network, photos),
            "MB": files[name].stat().st_size / 1e6 if name in files else None,
            **{metric: scores[metric]["ours"].value for metric in SCORES},
        }
    return found


def written(colorizer: ChromaColorizer, calibration: list[Path], folder: Path) -> dict[str, Path]:
    """The network as float32 and as int8, both ways of ONNX Runtime."""
    whole, dynamic, static = (folder / f"{name}.onnx" for name in ("network", "dynamic", "static"))
    export_onnx(colorizer, "G_color", whole)
    prepared = folder / "prepared.onnx"
    quant_pre_process(whole, prepared, skip_symbolic_shape=True)
    quantize_dynamic(prepared, dynamic, weight_type=QuantType.QUInt8)
    reader = Calibration(colorizer, calibration)
    kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    quantize_static(prepared, static, reader, quant_format=QuantFormat.QDQ, per_channel=True, **kinds)
    return {"ONNX Runtime, float32": whole, "int8, dynamic": dynamic, "int8, static": static}


def network_copy(colorizer: ChromaColorizer, rgb: np.ndarray) -> Tensor:
    """Scaled lightness (1, 1, h, w) at the size that the network sees."""
    lightness = colorizer.space.lightness(to_tensor([rgb]))
    scale = min(1.0, colorizer.size / min(rgb.shape[:2]))
    return resized(lightness, tuple(max(4, round(side * scale / 4) * 4) for side in rgb.shape[:2]))


def one_by_one(colorizer: ChromaColorizer, network: nn.Module, photos: list[np.ndarray]) -> float:
    """Median seconds of a network for a photo."""
    network.times.clear()
    with torch.inference_mode():
        for photo in photos:
            network(network_copy(colorizer, photo))
    return float(np.median(network.times))


def started(words: list[str], folder: str) -> float:
    """Seconds of the processor that a new Python takes, started in a folder."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def evenly(paths: list[Path], count: int) -> list[Path]:
    """At most `count` of them."""
    return paths[:: max(1, len(paths) // count)][:count]


if __name__ == "__main__":
    main()
