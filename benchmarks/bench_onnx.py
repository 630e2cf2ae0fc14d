"""What the network costs without PyTorch, and in 8 bits: file size, time, start, and color error.

    python benchmarks/bench_onnx.py PHOTOS CALIBRATION [--checkpoint default] [--count 75]

PHOTOS are scored. CALIBRATION are others, on which ranges of activations are measured for int8 (static).
Times are of one core's processor; the network's is the median over photos, a start's that of a process of its
own, the least of three. Needs the extra `onnx`.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
from torch import Tensor, nn

from cyclecolor.evaluation import evaluate
from cyclecolor.evaluation.inputs import to_tensor
from cyclecolor.inference import ChromaColorizer, load
from cyclecolor.inference.guided import resized
from cyclecolor.inference.onnx_export import export_onnx
from cyclecolor.photos import find_photos, read_rgb8

CALIBRATED = 60  # photos
STARTS = {
    "start: import onnxruntime": "import numpy, PIL.Image, onnxruntime",
    "start: import torch": "import torch",
    "start: import cyclecolor, load": "import cyclecolor; cyclecolor.load()",
}


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
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("calibration", type=Path)
    parser.add_argument("--checkpoint", default="default")
    parser.add_argument("--count", type=int, default=75, help="photos, evenly from the folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    photos = [read_rgb8(path) for path in evenly(find_photos(options.photos), options.count)]
    calibration = evenly(find_photos(options.calibration), CALIBRATED)
    with tempfile.TemporaryDirectory() as folder:
        colorizer = load(options.checkpoint, device=torch.device("cpu"))
        files = written(colorizer, calibration, Path(folder))
        stride = colorizer.generators["G_color"].stride
        networks = {"PyTorch": Timed(colorizer.generators["G_color"])}
        networks |= {name: Session(path, stride) for name, path in files.items()}
        for name, network in networks.items():
            colorizer.generators["G_color"] = network
            scores = evaluate(colorizer, photos, only=["ciede2000", "hue_error"])
            row = [f"{scores[metric]['ours'].value:6.2f}" for metric in ("ciede2000", "hue_error")]
            size = f"{files[name].stat().st_size / 1e6:5.2f} MB" if name in files else ""
            print(
                f"{name:<32} {1000 * one_by_one(colorizer, network, photos):6.1f} ms", *row, size, flush=True
            )
    for name, code in STARTS.items():
        print(f"{name:<32} {min(started(code) for _ in range(3)):6.2f} s")


def written(colorizer: ChromaColorizer, calibration: list[Path], folder: Path) -> dict[str, Path]:
    """The network as float32 and as int8, both ways of ONNX Runtime."""
    names = ("ONNX Runtime, float32", "int8, dynamic", "int8, static")
    files = {name: folder / f"{i}.onnx" for i, name in enumerate(names)}
    export_onnx(colorizer, "G_color", files[names[0]])
    prepared = folder / "prepared.onnx"
    quant_pre_process(files[names[0]], prepared, skip_symbolic_shape=True)
    quantize_dynamic(prepared, files[names[1]], weight_type=QuantType.QUInt8)
    reader = Calibration(colorizer, calibration)
    kinds = {"activation_type": QuantType.QUInt8, "weight_type": QuantType.QInt8}
    quantize_static(
        prepared, files[names[2]], reader, quant_format=QuantFormat.QDQ, per_channel=True, **kinds
    )
    return files


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


def started(code: str) -> float:
    """Seconds of the processor that a new Python takes for some code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def evenly(paths: list[Path], count: int) -> list[Path]:
    """At most `count` of them."""
    return paths[:: max(1, len(paths) // count)][:count]


if __name__ == "__main__":
    main()
