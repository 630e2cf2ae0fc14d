"""Color a photo with a network that `cyclecolor export` wrote: with onnxruntime, numpy and Pillow alone.

    cyclecolor export default network.onnx
    python examples/color_with_onnx.py network.onnx old.jpg colored.png

Colors are the network's own, in Lab. `cyclecolor translate` also draws them along edges, keeps every level
of lightness, and carries over what else is in a file.
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

WHITE = np.array([0.95047, 1.0, 1.08883])  # D65
XYZ_TO_RGB = [
    [3.2404813, -1.5371515, -0.4985363],
    [-0.9692550, 1.8759900, 0.0415559],
    [0.0556466, -0.2040413, 1.0573111],
]

network, source, target = sys.argv[1:]
session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
facts = {name: json.loads(text) for name, text in session.get_modelmeta().custom_metadata_map.items()}
if (facts["generator"], facts["space"]) != ("G_color", "lab"):
    sys.exit(f"{network}: no G_color in Lab")

# The lightness L* of the photo; f is Lab's cube root with a straight line near black.
photo = ImageOps.exif_transpose(Image.open(source))
level = np.asarray(photo.convert("L")) / 255
light = np.where(level > 0.04045, ((level + 0.055) / 1.055) ** 2.4, level / 12.92)
f = np.where(light > (6 / 29) ** 3, np.cbrt(light), light / (3 * (6 / 29) ** 2) + 4 / 29)

# What the network sees: a small copy of it, black -1 and white 1, its sides multiples of the stride.
scale, stride = min(1, facts["size"] / min(photo.size)), facts["stride"]
sides = [max(1, round(side * scale / stride)) * stride for side in photo.size]
copy = Image.fromarray((2.32 * f - 1.32).astype(np.float32)).resize(sides, Image.Resampling.BOX)
(chroma,) = session.run(["output"], {"image": np.asarray(copy)[None, None]})

# Its chroma, a* and b*, at the photo's size, without a share of its mean; strong colors become stronger.
ab = chroma[0] * np.reshape(facts["chroma_scale"], (2, 1, 1))
ab -= facts["balance"] * ab.mean(axis=(1, 2), keepdims=True)
ab *= facts["saturation"] * (np.hypot(*ab) / 25).clip(1, 2) ** facts["emphasis"]
a, b = (np.asarray(Image.fromarray(c.astype(np.float32)).resize(photo.size)) for c in ab)

# Lab to XYZ, to linear light, to sRGB.
roots = np.stack([f + a / 500, f, f - b / 200], axis=-1)
xyz = WHITE * np.where(roots > 6 / 29, roots**3, 3 * (6 / 29) ** 2 * (roots - 4 / 29))
light = (xyz @ np.transpose(XYZ_TO_RGB)).clip(0, 1)
rgb = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
Image.fromarray((255 * rgb).round().astype(np.uint8)).save(target)
