"""Film: closed forms of its physics, what each emulsion sees, and that a film can be learned."""

from typing import get_args

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from cyclecolor.color import SPACES, rgb_to_lightness, srgb_to_linear
from cyclecolor.config import Data, FilmName, parse_experiment
from cyclecolor.data import open_dataset, open_piles, render_scene
from cyclecolor.errors import CycleColorError
from cyclecolor.evaluation import contact_sheet
from cyclecolor.film import BOXES, FILMS, blur, damaged, film_of, grain, render, slow_field, tone, transmitted
from cyclecolor.film.films import Film, _expose, _scan
from cyclecolor.inference import load
from cyclecolor.networks import FilmGenerator
from cyclecolor.networks.film_generator import GAIN, LUMINANCE, STARTS

LAB = SPACES["lab"]


def value(number: float) -> torch.Tensor:
    return torch.tensor(number).view(1, 1, 1, 1)


def scenes(count: int, size: int = 48) -> torch.Tensor:
    photos = np.array([render_scene(5, i, size=size) for i in range(count)])
    return torch.from_numpy(photos).permute(0, 3, 1, 2) / 255


def test_an_emulsion_that_sees_as_we_do_records_lightness():
    rgb = torch.rand(2, 3, 9, 7)
    weights = torch.tensor(LUMINANCE).view(1, 3, 1, 1)
    gray = transmitted(srgb_to_linear(rgb), weights, value(0.0))
    assert (100 * gray - rgb_to_lightness(rgb)).abs().max() < 0.05


def test_a_stop_doubles_the_light():
    linear = torch.rand(1, 3, 8, 8) / 2
    weights = torch.tensor([0.2, 0.5, 0.3]).view(1, 3, 1, 1)
    torch.testing.assert_close(
        transmitted(linear, weights, value(1.0)), transmitted(2 * linear, weights, value(0.0))
    )


def test_tone_is_a_line_in_log_odds():
    gray = torch.linspace(0.01, 0.99, 50).view(1, 1, 1, -1)
    torch.testing.assert_close(tone(gray, value(1.0), value(0.0)), gray)
    curved = torch.logit(tone(gray, value(1.7), value(-0.4)))
    torch.testing.assert_close(curved, 1.7 * torch.logit(gray) - 0.4, atol=1e-4, rtol=1e-4)


def test_blur_is_gaussian():
    point = torch.zeros(1, 1, 41, 41)
    point[..., 20, 20] = 1
    spread = blur(point, 2.0)[0, 0]
    places = torch.arange(41) - 20.0
    assert spread.sum().item() == pytest.approx(1, abs=1e-5)
    assert (spread.sum(dim=0) * places**2).sum().sqrt().item() == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (30, 20)])
def test_blur_is_that_of_scipy_with_edges_repeated(rng, size):
    image = rng.random((2, 3, *size), np.float32)
    wanted = gaussian_filter(image, (0, 0, 1.3, 1.3), mode="nearest", radius=(0, 0, 4, 4))
    np.testing.assert_allclose(blur(torch.from_numpy(image), 1.3), wanted, atol=1e-6)


@pytest.mark.parametrize("coarseness", [0.0, 0.5, 1.0])
def test_grain_has_unit_variance_and_clumps(coarseness):
    torch.manual_seed(0)
    field = grain(torch.randn(2, 1, 128, 128), value(coarseness))
    assert field.std().item() == pytest.approx(1, rel=0.02)
    neighbors = (field[..., 1:] * field[..., :-1]).mean().item()
    # Of unit variance both, noise n and its Gaussian g of 1 pixel: neighbors of g correlate by exp(-1/4),
    # n and g by 1 / sqrt(pi) in one place, and by exp(-1/2) of that beside it. Half of either:
    of_both = (np.exp(-0.25) + 2 * np.exp(-0.5) / np.pi**0.5) / (2 + 2 / np.pi**0.5)
    assert neighbors == pytest.approx({0.0: 0, 0.5: of_both, 1.0: np.exp(-0.25)}[coarseness], abs=0.02)


def test_no_noise_is_no_grain():
    assert not grain(torch.zeros(1, 1, 8, 8), value(0.5)).any()


def test_a_scan_has_the_grain_of_its_film_in_the_mid_tones_and_none_in_black_and_white():
    film = Film((0.3, 0.4, 0.3), grain=(0.03, 0.03), black=(0.1, 0.1), white=(0.9, 0.9), unevenness=(0, 0))
    for tones, spread in ((0.5, 0.8 * 0.03), (0.1, 0.8 * 0.03 * 0.36), (0.0, 0), (1.0, 0)):
        generator = torch.Generator().manual_seed(0)
        gray = _scan(torch.full((1, 1, 64, 64), tones), film, generator)
        assert gray.mean().item() == pytest.approx(0.1 + 0.8 * tones, abs=2e-3)
        assert gray.std().item() == pytest.approx(spread, rel=1e-3, abs=1e-6)


def test_a_scan_stays_between_black_and_white():
    film = Film((0.3, 0.4, 0.3), grain=(1.0, 1.0), black=(0, 0), white=(1, 1))
    gray = _scan(torch.full((1, 1, 32, 32), 0.5), film, torch.Generator().manual_seed(0))
    assert (gray.min(), gray.max()) == (0, 1)


@pytest.mark.parametrize(("stops", "gamma"), [(0.0, 1.0), (1.0, 1.0), (-1.0, 0.8)])
def test_an_exposed_film_follows_its_curve(stops, gamma):
    """Of middle gray it makes a half; per two decades of light, the log odds grow by 4 gamma / 0.8."""
    film = Film((0.2, 0.5, 0.3), jitter=0.0, gamma=(gamma, gamma), stops=(stops, stops))
    for light in (0.18, 0.05, 0.4):
        linear = torch.tensor([light / 2, light, light * 4 / 3]).view(1, 3, 1, 1).expand(1, 3, 8, 8)
        tones = _expose(linear, film, torch.Generator().manual_seed(0))
        exposed = light * (0.1 + 0.5 + 0.4) * 2**stops
        odds = 4 * gamma * np.log10(exposed / 0.18) / 1.6
        assert torch.logit(tones).mean().item() == pytest.approx(odds, abs=1e-4)


def test_slow_field_passes_through_its_knots():
    knots = torch.randn(1, 1, 4, 4)
    field = slow_field(knots, (31, 31))
    torch.testing.assert_close(field[..., ::30, ::30], knots[..., ::3, ::3], atol=1e-5, rtol=0)


def test_damage_is_as_frequent_as_stated_and_hides_what_is_under_it():
    torch.manual_seed(0)
    gray = torch.full((2000, 1, 80, 50), 0.5, requires_grad=True)
    marked = damaged(gray, lambda shape, device: torch.randn(shape, device=device), amount=2.0)
    marked.sum().backward()
    assert torch.equal(gray.grad, (marked == 0.5).float())
    lines = [(marked == shade).float().mean(dim=side) for shade in (0.0, 1.0) for side in (2, 3)]
    scratches = torch.stack([(line > 0.9).sum(dim=(1, 2)) for line in lines]).sum(dim=0)
    # By the median 2 on 1,000 columns and rows, each of either tone: on 130 lines, 0.52.
    assert scratches.float().mean().item() == pytest.approx(0.52 * np.exp(0.5), rel=0.1)
    clean = marked[scratches == 0]
    for shade in (0.0, 1.0):  # by the median 2 specks on 2,000 pixels of 4,000, each of 4 pixels
        marks = (clean == shade).sum(dim=(1, 2, 3)).float() / 4
        assert marks.median().item() == pytest.approx(4, rel=0.2)


def test_damage_without_measure_leaves_something():
    gray = torch.full((1, 1, 64, 64), 0.5)
    torch.manual_seed(0)
    marked = damaged(gray, lambda shape, device: torch.randn(shape, device=device), amount=1e6)
    # Of each tone, a tenth of all places have a speck of 4 pixels, and a tenth of the lines a scratch.
    left = (1 - 0.1) ** (2 * 4) * (1 - 0.1) ** (2 * 2)
    assert (marked == 0.5).float().mean().item() == pytest.approx(left, abs=0.06)


def test_a_film_that_there_is_not_is_answered_by_those_that_there_are():
    with pytest.raises(CycleColorError, match=", ".join([*FILMS, *BOXES])) as refused:
        film_of("agfa", 0)
    assert refused.value.exit_code == 2


def test_config_names_the_films():
    assert set(get_args(FilmName)) == {*FILMS, *BOXES}


@pytest.mark.parametrize("film", FILMS)
def test_a_scan_is_gray_and_a_pure_function_of_photo_and_seed(film):
    photo = render_scene(3, 0, size=40)
    scan = render(photo, film, 7)
    assert scan.shape == photo.shape
    assert scan.dtype == np.uint8
    assert (scan == scan[..., :1]).all()
    assert (scan == render(photo, film, 7)).all()
    assert (scan != render(photo, film, 8)).any()


def test_photos_of_a_box_are_each_on_one_of_its_films():
    names, photo = BOXES["mixed_box"], render_scene(3, 0, size=40)
    counts = dict.fromkeys(names, 0)
    for seed in range(300):
        name = next(name for name in names if FILMS[name] is film_of("mixed_box", seed))
        counts[name] += 1
        if seed < 6:
            assert (render(photo, "mixed_box", seed) == render(photo, name, seed)).all()
    assert min(counts.values()) > 70  # of 100 each: 3.7 standard deviations


@pytest.mark.parametrize(
    ("film", "blind"), [("blue_plate", ("red", "green")), ("orthochromatic", ("red",)), ("panchromatic", ())]
)
def test_what_each_emulsion_does_not_see_is_dark(film, blind):
    primaries = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
    for name, color in primaries.items():
        photo = np.full((24, 24, 3), color, np.uint8)
        level = np.mean([render(photo, film, seed).mean() for seed in range(8)])
        assert (level < 75) == (name in blind), (name, level)


def test_a_faded_print_has_no_black_and_no_white():
    ramp = np.repeat(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    scans = np.array([render(ramp, "faded_print", seed) for seed in range(8)])
    assert scans.min() > 25
    assert scans.max() < 245


def test_a_film_of_the_data_makes_pairs():
    with pytest.raises(CycleColorError, match=r"x: .*panchromatic.*prepare"):
        parse_experiment({"data": {"film": "panchromatic"}}, source="x")


def test_pairs_by_film_are_the_same_crop(photo_folder):
    data = Data(color=str(photo_folder), size=32, film="panchromatic")
    dataset = open_dataset(open_piles(data, paired=True), data, paired=True, seed=0)
    for position in range(6):
        gray, color = (dataset[position][name].float() for name in ("gray", "color"))
        both = torch.stack([gray[0].flatten(), color.mean(dim=0).flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.7


def test_film_generator_starts_as_lightness():
    generator = FilmGenerator(LAB.linear).eval()
    photo = torch.cat(LAB.split(scenes(4)), dim=1)
    with torch.no_grad():
        gray = generator(photo)
    assert gray.shape == photo[:, :1].shape
    assert (gray - photo[:, :1]).abs().mean() < 0.05


def test_film_generator_is_random_in_training_only():
    generator = FilmGenerator(LAB.linear)
    photo = torch.cat(LAB.split(scenes(2)), dim=1)
    with torch.no_grad():
        assert not torch.equal(generator(photo), generator(photo))
        generator.eval()
        assert torch.equal(generator(photo), generator(photo))


def test_film_generator_finds_a_film_by_gradient():
    """Shown pairs (only here), it moves to the sensitivities of a faded blue plate."""
    torch.manual_seed(0)
    patches = torch.rand(16, 3, 4, 4).repeat_interleave(4, dim=2).repeat_interleave(4, dim=3)
    photo = torch.cat(LAB.split(patches), dim=1)
    target = FilmGenerator(LAB.linear).eval()
    with torch.no_grad():
        for name, raw in {"red": -2.0, "green": -1.0, "blue": 2.0, "black": 0.0}.items():
            target.mean[list(STARTS).index(name)] = raw / GAIN
        gray = target(photo)
    generator = FilmGenerator(LAB.linear).eval()
    optimizer = torch.optim.Adam([generator.mean], lr=7.5e-3)
    distances = []
    for _ in range(150):
        optimizer.zero_grad()
        distances.append((generator(photo) - gray).abs().mean())
        distances[-1].backward()
        optimizer.step()
    found, wanted = generator.describe(), target.describe()
    assert distances[-1] < 0.1 * distances[0]
    for name in ("red", "green", "blue"):
        assert found[name] == pytest.approx(wanted[name], abs=0.05), found


def test_full_size_gray_keeps_the_size():
    generator = FilmGenerator(LAB.linear).eval()
    with torch.no_grad():
        assert generator.full_size(torch.rand(1, 3, 70, 50), torch.rand(1, 3, 32, 24)).shape == (1, 1, 70, 50)


def test_a_sheet_shows_photos_as_the_film_found_does():
    colorizer = load("default")
    colorizer.generators["G_gray"] = film = FilmGenerator(LAB.linear).eval()
    photo = render_scene(3, 0, size=40)
    rows = np.split(np.array(contact_sheet(colorizer, [photo], film=True, height=40)).astype(int), 5)
    with torch.no_grad():
        for name, raw in {"red": -2.0, "green": -1.0, "blue": 2.0, "black": -2.5}.items():
            film.mean[list(STARTS).index(name)] = raw / GAIN
        gray = film(LAB.color(torch.from_numpy(photo)[None].permute(0, 3, 1, 2) / 255))
    other = np.split(np.array(contact_sheet(colorizer, [photo], film=True, height=40)).astype(int), 5)
    for before, after in zip(rows[:3], other[:3], strict=True):
        assert (before == after).all()
    assert np.ptp(other[3], axis=2).max() <= 1
    seen = rgb_to_lightness(torch.from_numpy(other[3])[None].permute(0, 3, 1, 2) / 255)
    torch.testing.assert_close(seen, 50 * (gray + 1), atol=0.5, rtol=0)
    assert np.abs(other[3] - rows[3]).mean() > 10


def test_no_film_has_no_row_of_a_sheet():
    colorizer = load("default")
    del colorizer.generators["G_gray"]
    assert contact_sheet(colorizer, [render_scene(3, 0, size=40)], film=True, height=40).size == (40, 120)
