"""Colour against scikit-image and colour-science, and by round trips."""

import numpy as np
import pytest
import skimage.color
import torch

from cyclecolor import color
from cyclecolor.color import RGB, SPACES, linear_to_srgb
from cyclecolor.color.xyz import RGB_TO_XYZ, WHITE

SKIMAGE = {"lab": skimage.color.rgb2lab, "luv": skimage.color.rgb2luv}


def lattice(step: int) -> torch.Tensor:
    values = torch.arange(0, 256, step) / 255
    return torch.stack(torch.meshgrid(values, values, values, indexing="ij")).flatten(2)[None]


@pytest.mark.parametrize("name", SPACES)
def test_agrees_with_scikit_image(name):
    rgb = lattice(15)
    expected = SKIMAGE[name](rgb[0].movedim(0, -1).double().numpy())
    ours = SPACES[name].from_rgb(rgb)[0].movedim(0, -1).numpy()
    np.testing.assert_allclose(ours, expected, atol=1e-3)


@pytest.mark.filterwarnings("ignore")  # of the import of colour-science: optional parts are missing
def test_agrees_with_colour_science():
    import colour

    rgb = lattice(15)
    points = rgb[0].movedim(0, -1).double().numpy()
    xyz = np.asarray(colour.models.eotf_sRGB(points)) @ np.array(RGB_TO_XYZ).T
    illuminant = colour.XYZ_to_xy(np.array(WHITE))
    for ours, theirs in (
        (color.rgb_to_lab, colour.XYZ_to_Lab),
        (color.rgb_to_luv, colour.XYZ_to_Luv),
    ):
        inside = xyz[1:, 1:]  # pure black is 0/0 in Luv
        expected = theirs(inside, illuminant)
        np.testing.assert_allclose(ours(rgb)[0].movedim(0, -1).numpy()[1:, 1:], expected, atol=1e-3)


@pytest.mark.parametrize("name", SPACES)
def test_every_8_bit_color_comes_back(name):
    values = torch.arange(256) / 255
    wrong = 0
    for red in range(0, 256, 8):
        block = torch.meshgrid(values[red : red + 8], values, values, indexing="ij")
        rgb = torch.stack(block).flatten(2)[None]
        again = linear_to_srgb(SPACES[name].to_linear(SPACES[name].from_rgb(rgb)))
        wrong += ((again * 255).round() != (rgb * 255).round()).sum().item()
    assert wrong == 0


@pytest.mark.parametrize("name", SPACES)
def test_gradients_are_finite_even_at_black(name):
    space = SPACES[name]
    for convert in (space.from_rgb, space.to_linear, getattr(color, f"{name}_to_rgb")):
        image = torch.zeros(1, 3, 2, 2)
        image[..., 1] = 0.5
        image.requires_grad_()
        convert(image).sum().backward()
        assert image.grad.isfinite().all()


@pytest.mark.parametrize("name", SPACES)
def test_scales_cover_the_gamut(name):
    lightness, chroma = SPACES[name].split(lattice(5))
    assert lightness.abs().max() <= 1 + 1e-6
    assert 0.9 < chroma.abs().max() <= 1


@pytest.mark.parametrize("name", SPACES)
def test_gamut_mapping_keeps_lightness_and_hue(name):
    torch.manual_seed(0)
    space = SPACES[name]
    lightness = torch.rand(1, 1, 64, 64) * 1.8 - 0.9
    chroma = torch.rand(1, 2, 64, 64) * 2 - 1
    rgb = space.merge(lightness, chroma)
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    again, kept = space.split(rgb)
    assert (again - lightness).abs().max() * 50 < 0.02
    wanted, got = space.units(chroma), space.units(kept)
    cross = wanted[:, :1] * got[:, 1:] - wanted[:, 1:] * got[:, :1]
    assert (cross / wanted.norm(dim=1, keepdim=True)).abs().max() < 0.1
    assert ((wanted * got).sum(dim=1) > 0).all()


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("levels", [255, 65535])
def test_lightness_survives_rounding_within_half_a_level(name, levels):
    torch.manual_seed(0)
    gray = torch.arange(256).view(1, 1, 256, 1).expand(1, 3, 256, 256) / 255
    space = SPACES[name]
    lightness = space.lightness(gray)
    rgb = space.merge(lightness, torch.rand(1, 2, 256, 256) * 2 - 1)
    rounded = color.quantize_rgb(rgb, (lightness + 1) * 50, levels) / levels
    back = space.merge(space.lightness(rounded), torch.zeros(1, 2, 256, 256))[:, 1]
    assert (back - gray[:, 1]).abs().max() * levels <= (0.5 if levels == 255 else 2)


def test_what_no_green_makes_up_for_stays_within_the_levels():
    """Red and blue that are lighter, or darker, than their color is to be: green does what it can."""
    rgb = torch.tensor([[1.0, 0.5, 1.0], [0.0, 0.5, 0.0]]).view(2, 3, 1, 1)
    lightness = torch.tensor([1.0, 99.0]).view(2, 1, 1, 1)
    rounded = color.quantize_rgb(rgb, lightness, 255)
    assert rounded.flatten(1).tolist() == [[255, 0, 255], [0, 255, 0]]


@pytest.mark.parametrize("name", SPACES)
def test_colors_that_are_none_are_clipped_on_the_way_to_film(name):
    image = torch.tensor([0.0, 1.0, -1.0]).view(1, 3, 1, 1)
    units = torch.cat([(image[:, :1] + 1) * 50, SPACES[name].units(image[:, 1:])], dim=1)
    wild = SPACES[name].to_linear(units)
    assert wild.min() < 0
    assert wild.max() > 1
    assert torch.equal(SPACES[name].linear(image), wild.clamp(0, 1))


def test_whole_images_are_between_black_and_white_and_lightness_is_that_of_lab():
    made = torch.tensor([-1.5, -1.0, 0.0, 1.0, 1.5]).view(1, 1, 1, 5).expand(1, 3, 1, 5)
    rgb = RGB.rgb(made)
    assert rgb[0, 0, 0].tolist() == [0, 0, 0.5, 1, 1]
    torch.testing.assert_close(RGB.color(rgb), made.clamp(-1, 1))
    assert RGB.quantize(rgb, rgb[:, :1], 255)[0, 0, 0].tolist() == [0, 0, 128, 255, 255]
    torch.testing.assert_close(RGB.gray(rgb), made.clamp(-1, 1), atol=1e-5, rtol=0)
    saved = RGB.saved(torch.tensor([-1.0, -0.9969, 0.5]))  # levels 0, 0.4 and 191.25
    torch.testing.assert_close(saved, torch.tensor([-1.0, -1.0, 191 / 127.5 - 1]))
    lab = skimage.color.rgb2lab([[[0.8, 0.3, 0.1]]])[0, 0]
    units = RGB.units(torch.tensor([0.6, -0.4, -0.8]).view(1, 3, 1, 1)).flatten()
    np.testing.assert_allclose(units, lab[1:], atol=1e-3)


@pytest.mark.parametrize("name", SPACES)
def test_gray_comes_back_from_a_photo_of_8_bits(name):
    """Each of the 256 levels as it was, and what lies between two as the nearer one."""
    levels = torch.arange(256.0)
    grays = SPACES[name].lightness((levels / 255).view(1, 1, 1, -1).expand(-1, 3, -1, -1))
    between = SPACES[name].lightness(((levels[:-1] + 0.4) / 255).view(1, 1, 1, -1).expand(-1, 3, -1, -1))
    torch.testing.assert_close(SPACES[name].saved(grays), grays, atol=1e-5, rtol=0)
    torch.testing.assert_close(SPACES[name].saved(between), grays[..., :-1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("convert", [color.xyz_to_lab, color.xyz_to_luv])
def test_white_is_white_to_the_last_digits(convert):
    """In float64, to which the constants are not to be an obstacle."""
    white = torch.tensor(WHITE, dtype=torch.float64).view(1, 3, 1, 1)
    units = convert(white).flatten()
    torch.testing.assert_close(units, torch.tensor([100, 0, 0], dtype=torch.float64), atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", SPACES)
def test_pieces_make_the_whole(name, monkeypatch):
    torch.manual_seed(0)
    rgb = torch.rand(2, 3, 50, 40)
    whole = SPACES[name].from_rgb(rgb)
    monkeypatch.setattr(color.blocks, "BLOCK_PIXELS", 7 * 40)
    assert torch.allclose(SPACES[name].from_rgb(rgb), whole, atol=1e-4)
    assert torch.allclose(getattr(color, f"{name}_to_rgb")(whole), rgb, atol=1e-4)
    assert torch.allclose(linear_to_srgb(SPACES[name].to_linear(whole)), rgb, atol=1e-4)
    assert color.rgb_to_lightness(rgb).shape == (2, 1, 50, 40)
