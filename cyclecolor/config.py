"""Experiments: TOML files, each a short diff against the typed defaults below."""

import difflib
import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from .errors import CycleColorError

FilmName = Literal["panchromatic", "orthochromatic", "blue_plate", "faded_print", "worn_print", "generic"]


class Section(BaseModel):
    """A table of an experiment file: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Data(Section):
    """What is trained on. With neither `root` nor `gray` and `color`: generated scenes."""

    root: str | None = None  # folder with gray_train/ and color_train/, or trainA/ and trainB/
    gray: str | None = None  # folder of gray photos
    color: str | None = None  # folder of colour photos
    size: int = Field(64, ge=16, le=4096)  # pixels: side of the square crops that networks see
    load_size: int = Field(160, ge=16)  # pixels: short side at which photos are kept in memory
    min_scale: float = Field(0.5, gt=0, le=1)  # smallest crop, as a share of the photo's area
    cache_gb: float = Field(4.0, ge=0)  # memory for decoded photos; the rest is read when needed
    workers: int | None = Field(None, ge=0)  # loader processes [0 on CPU, up to 8 on a GPU]; speed alone
    film: FilmName | None = None  # the grays of pairs are made by this built-in film, not lightness


class Generator(Section):
    """`resnet` (width, blocks), `fusion` (all but blocks) or, for G_gray, `film` (none)."""

    type: Literal["resnet", "fusion", "film"] = "fusion"
    width: int = Field(64, ge=1, le=1024)
    blocks: int = Field(9, ge=1, le=64)
    encoder: Literal["resnet10", "resnet18", "resnet34", "resnet50", "efficientnet_lite0"] = "resnet10"
    stages: int = Field(3, ge=1, le=4)
    stride: Literal[1, 2, 4] = 4
    pretrained: bool = False  # start from ImageNet's weights; there are some for all encoders but resnet10
    encoder_rate: float = Field(0.2, gt=0, le=1)  # share of the rate at which a pretrained one learns

    @model_validator(mode="after")
    def _weights_exist(self) -> Self:
        if self.pretrained and self.encoder == "resnet10":
            others = "'resnet18', 'resnet34', 'resnet50' or 'efficientnet_lite0'"
            raise ValueError(f"pretrained = true is for encoder = {others}")
        return self


class Discriminator(Section):
    """Both discriminators."""

    layers: int = Field(2, ge=1, le=5)
    width: int = Field(32, ge=1, le=1024)
    scales: int = Field(1, ge=1, le=4)
    spectral_norm: bool = True
    objective: Literal["least_squares", "hinge", "vanilla"] = "hinge"
    learning_rate: float = Field(1e-3, gt=0)
    pool_size: int = Field(50, ge=0)  # images of the past that the discriminators are shown


class Weights(Section):
    """Loss weights; chroma losses are absolute differences of scaled chroma, weighted towards vivid targets.

    What has weight 0 is not computed. A film's fading and grain cannot be taken back, so `cycle_gray` and the
    identity are for a `G_gray` that is no film.
    """

    lambda_gan: float = Field(0.01, ge=0)
    lambda_cycle_color: float = Field(10.0, ge=0)
    lambda_cycle_gray: float = Field(0.0, ge=0)
    lambda_identity: float = Field(0.0, ge=0)
    lambda_regression: float = Field(10.0, ge=0)  # pix2pix and regression
    vivid: float = Field(10.0, ge=0)  # extra weight of a pixel's difference, per unit of its scaled chroma


class Guard(Section):
    """What stands between the generators, so that gray cannot smuggle colour."""

    quantize: bool = True  # 8 bits, with a straight-through gradient
    noise: float = Field(0.01, ge=0)  # standard deviation, where black is 0 and white 1
    gradient: bool = False  # whether cycle_color teaches G_gray too; if so, it learns to hide colour


class Experiment(Section):
    """Everything that defines a training run."""

    name: str = "experiment"
    seed: int = Field(0, ge=0, lt=1 << 31)
    init: str | None = None  # checkpoint, or run folder, whose G_color to start from
    method: Literal["cyclegan", "pix2pix", "regression"] = "cyclegan"
    space: Literal["lab", "luv", "rgb"] = "lab"  # rgb: whole images, as the textbook's CycleGAN makes them
    num_steps: int = Field(10_000, ge=1, lt=1 << 32)
    batch_size: int = Field(16, ge=1)
    accumulate: int = Field(1, ge=1)  # batches of a step: the gradients of so many are averaged
    learning_rate: float = Field(5e-4, gt=0)  # of the generators
    match_steps: int = Field(100, ge=0)  # before training, by which a film is matched to the gray pile
    film_rate: float = Field(0.05, ge=0)  # share of learning_rate at which a matched film then learns
    damage: bool = False  # specks and scratches over all grays that D_gray judges and G_color learns from
    decay_from: float = Field(0.5, ge=0, le=1)  # share of the steps after which the rate falls to 0
    ema: float = Field(0.999, ge=0, lt=1)  # decay of the averaged generators
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    deterministic: bool = False  # on a GPU: sums in one order, more slowly; on CPU they are anyway
    vividness: float = Field(1.0, ge=0, le=4)  # factor of all chroma when colors are made; training has none
    restraint: float = Field(0.0, ge=0, le=2)  # likewise, how much paler pale colors become
    checkpointing: bool = False  # less memory: generators keep no maps for the backward pass, but pass again
    save_every: int = Field(500, ge=1)
    save_every_minutes: float = Field(10.0, gt=0)  # besides, for machines that may be taken away
    log_every: int = Field(10, ge=1)
    keep: int = Field(3, ge=1)  # newest checkpoints that are kept, and the best
    # A step that is not finite or explodes is left out. And then, or if a discriminator wins outright or
    # the generator collapses: go on, go on at half the learning rate, or save and stop.
    on_trouble: Literal["skip", "halve", "stop"] = "skip"
    data: Data = Data()
    G_color: Generator = Generator()
    G_gray: Generator = Generator(type="film")
    discriminator: Discriminator = Discriminator()
    weights: Weights = Weights()
    guard: Guard = Guard()

    @field_validator("G_color")
    @classmethod
    def _colors(cls, options: Generator) -> Generator:
        if options.type == "film":
            raise ValueError("a film makes gray: choose resnet or fusion")
        return options

    @model_validator(mode="after")
    def _films(self) -> Self:
        if self.data.film and self.method == "cyclegan":
            raise ValueError(
                f"data.film = {self.data.film!r} makes pairs, for pix2pix and regression; for a gray pile "
                "of that film: cyclecolor prepare PHOTOS --output DIR --film NAME"
            )
        return self

    @model_validator(mode="after")
    def _whole_images(self) -> Self:
        if self.space == "rgb" and self.method != "cyclegan":
            raise ValueError(f"space = 'rgb' is for method = 'cyclegan' alone, not for {self.method!r}")
        if self.space == "rgb" and not self.G_color.type == self.G_gray.type == "resnet":
            raise ValueError("space = 'rgb' is for G_color.type = 'resnet' and G_gray.type = 'resnet' alone")
        return self


def load_experiment(path: Path, overrides: tuple[str, ...] = ()) -> Experiment:
    """Read an experiment file and apply `key=value` overrides (`data.size=96`).

    Raises
    ------
    CycleColorError
        Naming the file, the key and the nearest valid key.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CycleColorError(
            f"{path}: cannot read the experiment ({error.strerror}); see experiments/ for examples",
            exit_code=2,
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CycleColorError(f"{path}: not valid TOML: {error}", exit_code=2) from None
    for override in overrides:
        _apply(table, override)
    return parse_experiment({"name": path.stem, **table}, source=str(path))


def parse_experiment(table: dict, *, source: str) -> Experiment:
    """Check a table of settings against the defaults; errors name `source` and the key."""
    try:
        return Experiment.model_validate(table)
    except ValidationError as error:
        raise CycleColorError(f"{source}: {_explain(error)}", exit_code=2) from None


def _apply(table: dict, override: str) -> None:
    key, equals, value = override.partition("=")
    *parents, last = key.strip().split(".")
    if not equals or not last:
        raise CycleColorError(f"--set {override}: write key=value", exit_code=2)
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise CycleColorError(f"--set {override}: {parent} is not a table", exit_code=2)
    table[last] = _parse_value(value)


def _parse_value(text: str) -> object:
    """A TOML value; what is none (`lab`, a path) is a string as it stands."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if not key:
        return first["msg"].removeprefix("Value error, ")
    if first["type"] != "extra_forbidden":
        return f"{key} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}"
    near = difflib.get_close_matches(key, valid_keys(), n=1, cutoff=0.4)
    return f"unknown key {key!r}" + (f"; did you mean {near[0]!r}?" if near else "")


def valid_keys(section: type[BaseModel] = Experiment, prefix: str = "") -> list[str]:
    """Every key of an experiment file, dotted."""
    keys = []
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += valid_keys(field.annotation, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys
