"""Color at full size: lightness is kept on every pixel, strips and memory of colors change nothing."""

import numba
import numpy as np
import pytest
import torch
from conftest import tiny_experiment
from PIL import Image

from cyclecolor.color import SPACES, quantize_rgb
from cyclecolor.inference import ChromaColorizer, chroma_colorizer, compiled, load, painting
from cyclecolor.inference.colorizer import one_channel
from cyclecolor.inference.guided import EPSILON, apply_lines, denoised, grain_of, guided_lines
from cyclecolor.photos import Photo, read_photo, write_photo
from cyclecolor.training import train


@pytest.fixture(scope="module", params=["lab", "luv"])
def colorizer(request, tmp_path_factory) -> ChromaColorizer:
    path = tmp_path_factory.mktemp(request.param)
    return load(train(tiny_experiment(num_steps=1, space=request.param), path))


def lightness_in_levels(pixels) -> np.ndarray:
    """The gray that is as light as each pixel, in levels of its type, by the definition of sRGB."""
    top = float(np.iinfo(pixels.dtype).max)
    color = pixels / top
    linear = np.where(color > 0.04045, ((color + 0.055) / 1.055) ** 2.4, color / 12.92)
    y = linear @ [0.212671, 0.715160, 0.072169] if pixels.shape[2] == 3 else linear[..., 0]
    return top * np.where(y > 0.0031308, 1.055 * y ** (1 / 2.4) - 0.055, 12.92 * y)


def wild_lines(rng, size=(9, 7)) -> np.ndarray:
    """Chroma far beyond the gamut, and slopes that make grain of it."""
    return rng.uniform(-1.5, 1.5, (*size, 4)).astype(np.float32)


def every_kind(rng) -> dict[str, np.ndarray]:
    """Pictures with every level of their type."""
    gray = np.resize(rng.permutation(np.arange(256, dtype=np.uint8)), (53, 101, 1))
    deep = rng.permutation(np.arange(65536, dtype=np.uint16)).reshape(256, 256, 1)
    sepia = np.dstack([gray, gray * 0.8, gray * 0.5]).astype(np.uint8)
    return {"gray": gray, "rgb": sepia, "gray16": deep, "rgb16": sepia.astype(np.uint16) * 257}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", ["gray", "rgb", "gray16", "rgb16"])
def test_lightness_is_kept_on_every_pixel(space, kind, rng):
    pixels = every_kind(rng)[kind]
    painted = painting.paint(pixels, wild_lines(rng), SPACES[space], painting.Palette(SPACES[space]))
    assert (painted.shape, painted.dtype) == ((*pixels.shape[:2], 3), pixels.dtype)
    error = np.abs(lightness_in_levels(painted) - lightness_in_levels(pixels)).max()
    assert error <= (0.5 if pixels.dtype == np.uint8 else 2)
    assert np.ptp(painted.astype(int), axis=2).mean() > np.iinfo(pixels.dtype).max / 10


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("kind", ["rgb", "gray16"])
def test_strips_equal_the_whole(space, kind, rng, monkeypatch):
    pixels, lines, outputs = every_kind(rng)[kind][:53], wild_lines(rng), []
    for strip_pixels in (1, 3000, 1 << 30):
        monkeypatch.setattr(painting, "STRIP_PIXELS", strip_pixels)
        outputs.append(painting.paint(pixels, lines, SPACES[space], painting.Palette(SPACES[space])))
    for other in outputs[:2]:
        np.testing.assert_array_equal(other, outputs[2])


@pytest.mark.parametrize("space", SPACES)
def test_palette_is_the_float_way_with_rounded_chroma(space, rng):
    """Chroma is off by half a code, 0.22 units of Lab, and by nothing else.

    In levels no small bound holds: where a channel is near 0, half a code can move it by 20 levels.
    """
    space = SPACES[space]
    gray, lines = every_kind(rng)["gray"], wild_lines(rng) * np.float32(0.3)
    painted = painting.paint(gray, lines, space, painting.Palette(space))
    lightness = painting.scaled_lightness(gray, space).double()
    chroma = apply_lines(torch.from_numpy(lines).movedim(2, 0)[None].double(), lightness)
    codes = (chroma * 255).round().clamp(-256, 255)
    exact = quantize_rgb(space.merge(lightness, codes / 255), (lightness + 1) * 50, 255)
    differs = (painted != exact[0].movedim(0, -1).numpy()).any(axis=2)
    halfway = ((chroma * 255 % 1 - 0.5).abs() < 1e-4).any(dim=1)[0].numpy()  # rounded in float32
    assert not (differs & ~halfway).any()
    assert halfway.mean() < 0.001


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 1e30])
def test_chroma_that_is_no_number_keeps_lightness(number, rng):
    gray = every_kind(rng)["gray"]
    lines = np.full((3, 4, 4), number, np.float32)
    painted = painting.paint(gray, lines, SPACES["lab"], painting.Palette(SPACES["lab"]))
    assert np.abs(lightness_in_levels(painted) - lightness_in_levels(gray)).max() <= 0.5


def test_palette_does_not_depend_on_what_came_before(rng):
    gray, lines = every_kind(rng)["gray"], wild_lines(rng)
    fresh, used = (painting.Palette(SPACES["lab"]) for _ in range(2))
    for _ in range(3):
        painting.paint(np.roll(gray, 31), wild_lines(rng), SPACES["lab"], used)
    results = [painting.paint(gray, lines, SPACES["lab"], palette) for palette in (fresh, used)]
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp"])
@pytest.mark.parametrize("deep", [False, True])
def test_contract_holds_from_file_to_file(colorizer, tmp_path, rng, suffix, deep):
    gray = every_kind(rng)["gray16" if deep and suffix != "bmp" else "gray"]
    write_photo(Photo(gray), tmp_path / f"in.{suffix}")
    write_photo(colorizer.colorize(read_photo(tmp_path / f"in.{suffix}")), tmp_path / f"out.{suffix}")
    back = read_photo(tmp_path / f"out.{suffix}").pixels
    error = np.abs(lightness_in_levels(back) - lightness_in_levels(gray)).max()
    assert error <= (2 if back.dtype == np.uint16 else 0.5)
    assert back.dtype == gray.dtype


@pytest.mark.parametrize("suffix", ["jpg", "webp", "avif"])
def test_lossy_formats_lose_little_more_lightness_than_gray_itself(colorizer, tmp_path, suffix):
    rows, columns = np.mgrid[:128, :160]
    gray = (110 + 60 * np.sin(rows / 9) + 50 * np.cos(columns / 13)).astype(np.uint8)[..., None]
    errors = []
    for photo in (Photo(gray), colorizer.colorize(Photo(gray))):
        write_photo(photo, tmp_path / f"a.{suffix}")
        back = read_photo(tmp_path / f"a.{suffix}").pixels
        errors.append(np.abs(lightness_in_levels(back) - gray[..., 0]).mean())
    assert errors[1] < errors[0] + 0.5


def test_rgb_that_is_gray_is_gray(colorizer, rng):
    gray = every_kind(rng)["gray"]
    once, twice = (colorizer.colorize(Photo(np.repeat(gray, n, axis=2))).pixels for n in (1, 3))
    np.testing.assert_array_equal(once, twice)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (3, 5000), (33, 47), (500, 40)])
def test_any_size_comes_back(colorizer, size, rng):
    for pixels in (rng.integers(0, 256, (*size, 1), np.uint8), rng.integers(0, 256, (*size, 3), np.uint8)):
        assert colorizer.colorize(Photo(pixels)).pixels.shape == (*size, 3)
    height, width = colorizer._sides(size, stride=4)
    assert min(height, width) == 4 or height * width <= 8 * colorizer.size**2 * 1.3


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((900, 1200), (64, 84)),  # to the working size
        ((64, 100), (64, 100)),
        ((50, 60), (64, 76)),  # enlarged to it
        ((32, 40), (48, 60)),  # and by 1.5 at most
        ((40, 4000), (20, 1812)),  # shrunk further: 8 times as long as wide, by area
    ],
)
def test_the_network_sees_photos_at_the_working_size(colorizer, size, seen, monkeypatch):
    monkeypatch.setattr(colorizer, "size", 64)
    assert colorizer._sides(size, stride=4) == seen


def test_loops_run_where_nothing_can_be_kept(monkeypatch):
    def njit(*, nogil, cache=False):
        if cache:
            raise RuntimeError("no locator available")
        return numba.jit(nopython=True, nogil=nogil)

    monkeypatch.setattr(compiled.numba, "njit", njit)
    assert compiled.compiled(lambda number: number + 1)(1) == 2


def test_alpha_and_metadata_go_along(colorizer):
    photo = Photo(np.full((9, 8, 1), 99, np.uint8), np.full((9, 8), 7, np.uint8))
    colored = colorizer.colorize(photo)
    assert colored.alpha is photo.alpha
    assert colored.metadata is photo.metadata


# --- the look -----------------------------------------------------------------------------------


def other(colorizer, **options) -> ChromaColorizer:
    made = ChromaColorizer.__new__(ChromaColorizer)
    made.__dict__ = {**colorizer.__dict__, **options}
    return made


def test_saturation_scales_chroma(colorizer):
    lightness = torch.linspace(-0.5, 0.5, 64 * 64).view(1, 1, 64, 64)
    chroma = colorizer.chroma(lightness)
    torch.testing.assert_close(other(colorizer, saturation=2.0).chroma(lightness), 2 * chroma)
    photo = Photo(np.full((32, 32, 1), 120, np.uint8))
    pale = other(colorizer, saturation=0.0).colorize(photo).pixels
    assert np.ptp(pale.astype(int), axis=2).max() <= 1


def test_emphasis_makes_strong_colors_stronger(tmp_path):
    path = train(tiny_experiment(num_steps=1, emphasis=1.0), tmp_path)
    colorizer = load(path, saturation=1.5)
    said = torch.tensor([60.0, 37.5, 25.0, 1.0]) / colorizer.space.chroma_scale[0]
    said = said.view(1, 1, 1, 4) * torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    factors = (colorizer.shown(said)[0, 0] / said[0, 0]).flatten().tolist()
    assert factors == pytest.approx([3.0, 2.25, 1.5, 1.5])  # the first by the most that there is


def test_balance_takes_a_share_of_each_photos_mean_away(tmp_path):
    colorizer = load(train(tiny_experiment(num_steps=1, balance=0.25), tmp_path))
    said = torch.tensor([[[[0.4, 0.0]], [[0.0, 0.2]]], [[[0.1, 0.1]], [[0.0, 0.0]]]])
    shown = [[[[0.35, -0.05]], [[-0.025, 0.175]]], [[[0.075, 0.075]], [[0.0, 0.0]]]]
    torch.testing.assert_close(colorizer.shown(said), torch.tensor(shown))


def test_saturation_is_the_experiments_unless_asked_for(tmp_path):
    path = train(tiny_experiment(num_steps=1, saturation=1.5), tmp_path)
    assert [load(path, saturation=v).saturation for v in (None, 0.5, 0.0)] == [1.5, 0.5, 0.0]


def test_flip_average_sees_no_left_and_right(colorizer):
    lightness = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.5
    steady = other(colorizer, flip_average=True)
    torch.testing.assert_close(steady.chroma(lightness.flip(-1)).flip(-1), steady.chroma(lightness))


def test_denoise_takes_strong_grain_and_leaves_edges():
    step = torch.zeros(1, 1, 64, 64)
    step[..., 32:] = 0.5
    grain = torch.randn(step.shape, generator=torch.Generator().manual_seed(0))
    grainy = step + 0.16 * grain
    smooth = denoised(grainy)
    assert (smooth - step).std() < 0.5 * (grainy - step).std()
    assert (smooth[..., 40:].mean() - smooth[..., :24].mean()) > 0.48
    fine = step + 0.04 * grain  # less than the detail of many a scene
    assert (denoised(fine) - fine).abs().max() <= 0.5 / 127.5 + 1e-6


def test_grain_is_measured_beside_structure():
    rng = np.random.default_rng(0)
    ramp = np.linspace(60, 180, 128)[None] + 20 * (np.arange(128) // 32 % 2)[:, None]
    for sigma in (5.0, 15.0):
        image = np.rint(ramp + sigma * rng.standard_normal((128, 128))).astype(np.uint8)
        assert grain_of(image) == pytest.approx(sigma, rel=0.05)


def test_doubt_is_zero_where_all_agree(colorizer):
    flat = np.full((60, 80, 1), 120, np.uint8)
    noisy = np.random.default_rng(0).integers(0, 256, (60, 80, 1), np.uint8)
    doubts = [colorizer.doubt(Photo(pixels)) for pixels in (flat, noisy)]
    assert doubts[0].ndim == 2
    assert doubts[0].mean() < doubts[1].mean()
    assert other(colorizer, generators={"G_color": Constant()}).doubt(Photo(noisy)).max() < 1e-5


class Constant(torch.nn.Module):
    stride = 4

    def forward(self, image):
        return torch.full((len(image), 2, image.shape[2] // 4, image.shape[3] // 4), 0.3)


def test_color_stops_at_edges():
    """Left half red, right half blue, chroma known at a sixteenth: no bleeding beyond the blur of it."""
    lightness = torch.full((1, 1, 128, 128), -0.5)
    lightness[..., 64:] = 0.5
    chroma = torch.full((1, 2, 32, 32), 0.4)
    chroma[..., 16:] = -0.4
    full = apply_lines(guided_lines(chroma, lightness), lightness)
    # One in five windows around the first small pixel beyond the edge has none of this side in it, and that
    # pixel's line counts 1/8 here; a window's slope is too flat by EPSILON over its variance, 0.16 or more.
    bound = 0.8 / 5 / 8 + 0.8 * EPSILON / 0.16 / 2
    assert (full[..., :63] - 0.4).abs().max() < bound
    assert (full[..., 65:] + 0.4).abs().max() < bound


def test_python_images(colorizer):
    image = Image.new("RGBA", (30, 20), (90, 80, 70, 40))
    assert colorizer(image).mode == "RGBA"


class Seeing(torch.nn.Module):
    """`G_color` that remembers what it was shown."""

    stride = 1

    def forward(self, lightness):
        self.seen = lightness
        return torch.zeros(len(lightness), 2, *lightness.shape[-2:])


@pytest.mark.parametrize("side", [32, 48, 64, 76, 200])
def test_the_copy_that_a_network_sees_is_averaged(colorizer, monkeypatch, side):
    """Of lines as wide as a pixel it sees their mean, however much smaller it is."""
    network = Seeing()
    monkeypatch.setitem(colorizer.generators, "G_color", network)
    monkeypatch.setattr(colorizer, "size", 16)
    monkeypatch.setattr(chroma_colorizer, "paint", lambda pixels, *_: pixels)
    lines = np.zeros((side, side, 1), np.uint8)
    lines[::2] = 200
    colorizer.colorize(Photo(lines))
    assert network.seen.shape[-2:] == (16, 16)
    even = colorizer.space.gray(torch.full((1, 3, 1, 1), 100 / 255)).item()
    margin = 0.4 if side % 32 else 0.01  # where an area ends within a line
    assert (network.seen - even).abs().max() < margin
    colorizer.chroma(torch.from_numpy(lines[None, None, ..., 0] / 100 - 1).float())
    assert network.seen.abs().max() < margin


@pytest.mark.parametrize("row", [0, 63, 64, 130, 199])
def test_a_colored_pixel_anywhere_makes_three_channels(row):
    gray = np.full((200, 30, 3), 90, np.uint8)
    assert one_channel(gray).shape == (200, 30, 1)
    gray[row, 29, 2] = 91
    assert one_channel(gray) is gray
