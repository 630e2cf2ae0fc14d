"""From Pillow's modes, and the pages of a TIFF, to `Photo`; and back to Pillow's."""

import io
from typing import BinaryIO

import numpy as np
from PIL import Image, TiffImagePlugin
from PIL.PpmImagePlugin import PpmImageFile

from ..files import shown
from . import jp2, metadata, png, profiles
from .deep import read_deep, read_png16, read_ppm16
from .exif import orientation_of, stored_orientation, upright
from .guard import Refused, refusing
from .metadata import Found
from .photo import Metadata, Photo
from .raw import refuse_raw
from .samples import divided, from_decimals, from_integers, narrow, widened
from .tiff import Directory, Tag, directories, read_page

Planes = tuple[np.ndarray, np.ndarray | None]  # (H, W, 1 or 3) in sRGB, (H, W) alpha or None


def decode_image(image: Image.Image) -> Photo:
    """Convert an opened PIL `image` of any mode to a `Photo`; of several frames, the current one.

    What is not loaded yet is read as its file declares it, 16 bits included.

    Raises
    ------
    PhotoError
        The file behind `image` is damaged, or its pixels have no known range ("unsupported").
    """
    name = shown(getattr(image, "filename", "") or "image")
    with refusing(name):
        file = _unread(image)
        if file is None or image.format != "TIFF":
            return decode(image, file)
        pages = list(directories(file))
        refuse_raw(pages)
        return decode_page(pages[image.tell()])


def _unread(image: Image.Image) -> BinaryIO | None:
    """What `image` is going to be loaded from."""
    file = getattr(image, "fp", None)
    if file is None or not getattr(image, "tile", None):
        return None
    position = file.tell()
    file.seek(0)
    content = io.BytesIO(file.read())
    file.seek(position)
    return content


def decode(image: Image.Image, file: BinaryIO | None = None) -> Photo:
    """Decode `image`; `file` serves for what Pillow does not tell, and where it would cut 16 bits to 8."""
    if (
        isinstance(image, PpmImageFile)
        and file is not None
        and (samples := read_ppm16(file, image)) is not None
    ):
        return photo_of(samples, Found(), "PPM")
    raw_mode = _raw_mode(image)
    _refuse_misread(image, file)
    image.load()
    if image.format == "PNG" and file is not None and png.is_cut_short(image, file):
        raise Refused("truncated", "cut short (rows are missing); copy or scan it again")
    found = metadata.of_image(image, file)
    orientation = orientation_of(image)
    if image.format == "PNG" and orientation == 1:  # Pillow does not know all places for EXIF
        orientation = stored_orientation(found.exif)
    (pixels, alpha), warnings = _planes(image, raw_mode, found, file)
    said = metadata.carried(found, image.format or "", orientation)
    return _turned(pixels, alpha, said, orientation, (*found.warnings, *warnings))


def _refuse_misread(image: Image.Image, file: BinaryIO | None) -> None:
    """Refuse what Pillow reads wrong, or calls broken though it is sound."""
    if image.format == "JPEG2000" and file is not None:
        jp2.said_by(file).refuse_unusual()
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    if tags.get(Tag.PLANAR) == 2 and max(tags.get(Tag.BITS, (8,))) > 8:
        text = "planes of more than 8 bits, which Pillow misreads; give the path of the file"
        raise Refused("unsupported", text)


def decode_page(page: Directory) -> Photo:
    """Decode a page of a TIFF."""
    read, found = read_page(page), metadata.of_page(page)
    found.lost += read.lost
    orientation = page.number(Tag.ORIENTATION, 1)
    orientation = orientation if orientation in range(1, 9) else 1
    said = metadata.carried(found, "TIFF", orientation)
    return _turned(read.pixels, read.alpha, said, orientation, read.warnings)


def photo_of(
    samples: np.ndarray, found: Found, source: str, orientation: int = 1, *, multiplied: bool = False
) -> Photo:
    """A photo of decoded samples.

    Parameters
    ----------
    samples : (H, W, 1 to 4) uint8 or uint16
        Of full range, gray or RGB, alpha last.
    found : Found
        With the profile.
    source : str
        Name of the format.
    orientation : int
        How they are stored, 1 to 8.
    multiplied : bool
        Whether colors are multiplied by alpha.
    """
    count = 1 if samples.shape[2] < 3 else 3
    colors, alpha = samples[..., :count], samples[..., count] if samples.shape[2] > count else None
    if alpha is not None and multiplied:
        colors = divided(colors, alpha)
    (pixels, alpha), warnings = _deep_planes(colors, alpha, found.icc)
    said = metadata.carried(found, source, orientation)
    return _turned(pixels, alpha, said, orientation, (*found.warnings, *warnings))


def _turned(
    pixels: np.ndarray, alpha: np.ndarray | None, said: Metadata, orientation: int, warnings: tuple[str, ...]
) -> Photo:
    alpha = None if alpha is None else upright(alpha, orientation)
    return Photo(upright(pixels, orientation), alpha, said, warnings)


def encode_image(photo: Photo) -> Image.Image:
    """Convert `photo` to a PIL image: L, LA, RGB or RGBA; I;16 for 16-bit gray without alpha.

    Other 16-bit photos are rounded to 8 bits, since PIL has no such modes.
    """
    if photo.pixels.dtype == np.uint16 and photo.pixels.shape[2] == 1 and photo.alpha is None:
        return Image.fromarray(photo.pixels[..., 0])
    samples = narrow(interleaved(photo))
    return Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)


def interleaved(photo: Photo) -> np.ndarray:
    """(H, W, 1 to 4) samples of `photo`, alpha last."""
    return photo.pixels if photo.alpha is None else np.dstack([photo.pixels, photo.alpha])


def flattened(photo: Photo) -> np.ndarray:
    """(H, W, 1 or 3) uint8 of `photo` laid on white, as viewers show it where there is no alpha."""
    pixels = narrow(photo.pixels)
    if photo.alpha is None:
        return pixels
    alpha = narrow(photo.alpha)[..., None].astype(np.float32) / 255
    return np.rint(pixels * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _raw_mode(image: Image.Image) -> str:
    """How the file stores its samples ("RGB;16B", "L;4"...); "" once loaded or where hidden."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _planes(
    image: Image.Image, raw_mode: str, found: Found, file: BinaryIO | None
) -> tuple[Planes, tuple[str, ...]]:
    """Planes, and what there is to warn of."""
    if image.format == "JPEG2000" and file is not None:
        return _jpeg2000_planes(image, found, file)
    if image.mode.startswith(("I", "F")):
        return _wide_gray_planes(image, found.icc), ()
    if image.format == "PNG" and ";16" in raw_mode and file is not None:
        deep = read_png16(file, image, raw_mode)
        colors = deep[..., :1] if deep.shape[2] == 2 else deep[..., :3]
        key = image.info.get("transparency")
        alpha = None if key is None else _keyed_alpha(deep, key)
        alpha = deep[..., -1] if deep.shape[2] in (2, 4) else alpha
        return _deep_planes(colors, alpha, found.icc)
    gray = raw_mode.startswith("LA;16")
    return _shallow_planes(image.convert("LA") if gray else image, raw_mode, found.icc), ()


def _jpeg2000_planes(image: Image.Image, found: Found, file: BinaryIO) -> tuple[Planes, tuple[str, ...]]:
    """Planes as the code declares them: Pillow shifts other depths to 8 or 16, so white is gray."""
    said = jp2.said_by(file)
    bits, mode = said.bits[0], image.mode
    if bits == 8 and mode in ("P", "CMYK"):
        return _shallow_planes(image, "", found.icc), ()
    if mode not in ("L", "I;16", "LA", "RGB", "RGBA"):
        raise Refused("unsupported", f"{bits}-bit JPEG 2000 of mode {mode} is not supported; save it as TIFF")
    if bits > 8 and mode != "I;16":
        samples = read_deep(file, image, bits, opencv=mode == "RGB" and said.space == jp2.SRGB)
    else:
        samples = np.asarray(image) >> (16 if mode == "I;16" else 8) - bits
        samples = samples[..., None] if samples.ndim == 2 else samples
    return _colors_and_alpha(widened(samples, bits), mode, said.alpha, found)


def _colors_and_alpha(
    samples: np.ndarray, mode: str, kind: int, found: Found
) -> tuple[Planes, tuple[str, ...]]:
    """Planes of (H, W, C), by what kind of channel is behind the colors."""
    if mode not in ("LA", "RGBA"):
        return _deep_planes(samples, None, found.icc)
    colors, alpha = samples[..., :-1], samples[..., -1]
    if kind not in (jp2.ALPHA, jp2.MULTIPLIED):
        found.lost += ("extra channels (infrared, masks)",)
        return _deep_planes(colors, None, found.icc)
    return _deep_planes(divided(colors, alpha) if kind == jp2.MULTIPLIED else colors, alpha, found.icc)


def _wide_gray_planes(image: Image.Image, icc: bytes | None) -> Planes:
    """Planes of modes I;16, I and F, which Pillow's conversions would clip at 255."""
    samples = np.asarray(image)
    if image.mode.startswith("F"):
        samples = from_decimals(samples)
    elif image.mode == "I":
        samples = from_integers(samples, sixteen=image.format in ("PPM", "PNG"))  # these state their range
    samples = samples.astype(samples.dtype.newbyteorder("="))
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        samples = _as_tagged(samples, image.tag_v2)
    key = image.info.get("transparency")
    alpha = None if key is None else _keyed_alpha(samples, key)
    return profiles.gray_to_srgb(samples[..., None], icc), alpha


def _as_tagged(samples: np.ndarray, tags: TiffImagePlugin.ImageFileDirectory_v2) -> np.ndarray:
    """What Pillow leaves undone of a TIFF that it has loaded: 9 to 15 bits, and white that is zero."""
    bits = max(tags.get(Tag.BITS, (8,)))
    samples = widened(samples, bits) if 8 < bits < 16 else samples
    return ~samples if tags.get(Tag.PHOTOMETRIC) == 0 else samples


def _keyed_alpha(pixels: np.ndarray, key: int | tuple[int, ...]) -> np.ndarray:
    """(H, W) alpha that is 0 where all of a pixel's channels equal `key`, else full."""
    top = np.iinfo(pixels.dtype).max
    matches = pixels == (np.asarray(key) & top).astype(pixels.dtype)
    visible = ~matches if matches.ndim == 2 else ~matches.all(axis=2)
    return visible * pixels.dtype.type(top)


def _scaled_key(key: int | tuple[int, ...], raw_mode: str) -> int | tuple[int, ...]:
    """Bring a PNG's transparent color from the file's depth to 8 bits, as the pixels were."""
    if isinstance(key, tuple):
        return tuple(value >> 8 for value in key) if ";16" in raw_mode else key
    return key * {"L;2": 85, "L;4": 17}.get(raw_mode, 1)


def _deep_planes(
    colors: np.ndarray, alpha: np.ndarray | None, icc: bytes | None
) -> tuple[Planes, tuple[str, ...]]:
    """Planes of (H, W, 1 or 3) colors and (H, W) alpha, and what there is to warn of."""
    colors = np.ascontiguousarray(colors)
    warnings: tuple[str, ...] = ()
    if colors.shape[2] == 1:
        pixels = profiles.gray_to_srgb(colors, icc)
    else:
        pixels, warnings = profiles.rgb_to_srgb(colors, icc)
    if alpha is not None:
        alpha = np.ascontiguousarray(alpha)
        alpha = narrow(alpha) if pixels.dtype == np.uint8 else alpha
    return (pixels, alpha), warnings


def _shallow_planes(image: Image.Image, raw_mode: str, icc: bytes | None) -> Planes:
    """Planes of an 8-bit image. Pillow's own conversions serve where they lose nothing."""
    if image.mode in ("1", "RGBX", "YCbCr", "HSV"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    if image.mode in ("L", "RGB"):
        key, alpha = image.info.get("transparency"), None
        if key is not None:
            alpha = _keyed_alpha(np.asarray(image), _scaled_key(key, raw_mode))
        return profiles.to_srgb(image, icc), alpha
    if image.mode in ("CMYK", "LAB"):
        return profiles.to_srgb(image, icc), None
    if not image.has_transparency_data:
        return profiles.to_srgb(image.convert("RGB"), icc), None
    gray = image.mode in ("LA", "La")
    image = image.convert("LA" if gray else "RGBA")
    alpha = np.array(image.getchannel("A"))
    return profiles.to_srgb(image.convert("L" if gray else "RGB"), icc), alpha
