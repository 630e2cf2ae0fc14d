"""Every setting: its type, its bounds, its default, and which settings go together."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from .sizes import of_batch_norms, of_discriminators

FilmName = Literal[
    "panchromatic",
    "orthochromatic",
    "blue_plate",
    "faded_print",
    "worn_print",
    "generic",
    "mixed_box",
    "all_films",
]


class Section(BaseModel):
    """A table of an experiment file: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Data(Section):
    """What is trained on. With neither `root` nor `gray` and `color`: generated scenes."""

    root: str | None = None  # folder with gray_train/ and color_train/, or trainA/ and trainB/
    # folder of gray photos, in place of that in `root`; as the others, it may be an address (s3://bucket/gray)
    gray: str | None = None
    color: str | None = None  # folder of color photos, in place of that in `root`
    copy_gb: float = Field(100.0, ge=0)  # GB of disk that the copy of what lies at an address may take
    size: int = Field(64, ge=16, le=4096)  # pixels: side of the square crops that networks see
    load_size: int = Field(160, ge=16)  # pixels: short side at which photos are kept in memory
    min_scale: float = Field(0.5, gt=0, le=1)  # smallest crop, as a share of the photo's area
    cache_gb: float = Field(4.0, ge=0)  # GB of memory for decoded photos; others are read when needed
    # Loader processes; only speed depends on it. If left out: none on a CPU, up to 8 on a GPU.
    workers: int | None = Field(None, ge=0)
    film: FilmName | None = None  # paired methods: grays as this built-in film shows them, not lightness
    film_share: float = Field(1.0, ge=0, le=1)  # share of photos shown on `film`; the others stay lightness
    tones: float = Field(0.0, ge=0, le=1)  # paired methods: how strongly tones of grays are varied


class Generator(Section):
    """`resnet` (width, blocks), `fusion` (all but blocks). G_gray: also `film_resnet` (default), `film`."""

    type: Literal["resnet", "fusion", "film", "film_resnet"] = "fusion"
    width: int = Field(64, ge=1, le=1024)  # resnet: channels after its first layer; fusion: of its decoder
    blocks: int = Field(9, ge=1, le=64)  # resnet: residual blocks
    # fusion: the network that looks at the photo
    encoder: Literal[
        "resnet10", "resnet18", "resnet34", "resnet50", "efficientnet_lite0", "efficientnet_lite2"
    ] = "resnet10"
    stages: int = Field(3, ge=1, le=4)  # fusion: stages of the encoder that are used
    stride: Literal[1, 2, 4] = 4  # fusion: how many times smaller its output is than its input
    pretrained: bool = False  # fusion: start from ImageNet's weights; there are none for resnet10
    encoder_rate: float = Field(0.2, gt=0, le=1)  # share of learning_rate for a pretrained encoder

    @property
    def is_film(self) -> bool:
        """Whether it draws with the physics of film alone."""
        return self.type in ("film", "film_resnet")

    @model_validator(mode="after")
    def _weights_exist(self) -> Self:
        if self.pretrained and self.type == "resnet":
            raise ValueError("pretrained = true is for type = 'fusion'")
        if self.pretrained and self.encoder == "resnet10":
            others = "'resnet18', 'resnet34', 'resnet50', 'efficientnet_lite0' or 'efficientnet_lite2'"
            raise ValueError(f"pretrained = true is for encoder = {others}")
        return self


class Discriminator(Section):
    """Both discriminators."""

    layers: int = Field(2, ge=1, le=5)  # strided layers: more of them look at larger patches
    width: int = Field(32, ge=1, le=1024)  # channels after the first layer
    scales: int = Field(1, ge=1, le=4)  # image sizes that are looked at, each half of the one before
    spectral_norm: bool = True  # bounds how strongly a discriminator may react; steadier training
    objective: Literal["least_squares", "hinge", "vanilla"] = "hinge"  # form of the adversarial loss
    learning_rate: float = Field(1e-3, gt=0)  # of the discriminators
    pool_size: int = Field(50, ge=0)  # generated images of earlier steps that are shown again


class Weights(Section):
    """Loss weights; chroma losses are absolute differences of scaled chroma.

    A film's fading and grain cannot be taken back, so `cycle_gray` and the identity are for a `G_gray` that
    is no film. `cyclegan` does not compute them where their weight is 0.
    """

    lambda_gan: float = Field(0.01, ge=0)  # of gan_color and gan_gray
    lambda_cycle_color: float = Field(10.0, ge=0)  # color to gray to color
    lambda_cycle_gray: float = Field(0.0, ge=0)  # gray to color to gray
    lambda_identity: float = Field(0.0, ge=0)  # of identity_gray and identity_color
    # Paired methods: difference from the true chroma; distillation: from the teachers'.
    lambda_regression: float = Field(10.0, ge=0)
    lambda_distillation: float = Field(10.0, ge=0)
    chroma_emphasis: float = Field(10.0, ge=0)  # how much more strong colors count than weak ones


class Bottleneck(Section):
    """What stands between the generators, so that color cannot be hidden in gray."""

    quantize: bool = True  # round the generated gray to 8 bits
    noise: float = Field(0.01, ge=0)  # added to it: standard deviation, where black is 0 and white 1
    gradient: bool = False  # let cycle_color teach G_gray too; it then learns to hide color


class Experiment(Section):
    """Everything that defines a training run."""

    name: str = "experiment"  # of the run folder, runs/NAME; if left out, that of the file
    seed: int = Field(0, ge=0, lt=1 << 31)  # another seed gives another training
    init: str | None = None  # start from the G_color of this checkpoint file, run folder or released name
    # with init: batch norms of G_color keep the statistics that they start from; for short trainings
    keep_statistics: bool = False
    # How to train. paper_cyclegan: whole RGB images both ways, as in the paper of 2017; `space` is not used.
    method: Literal["cyclegan", "paper_cyclegan", "pix2pix", "regression", "distillation"] = "cyclegan"
    # distillation: checkpoint files, run folders or released names whose mean colors G_color learns too
    teachers: tuple[str, ...] = Field((), strict=False)
    space: Literal["lab", "luv"] = "lab"  # color space in which networks work
    num_steps: int = Field(10_000, ge=1, lt=1 << 32)  # length of the training
    batch_size: int = Field(16, ge=1)  # photos of each pile in a batch
    accumulate: int = Field(1, ge=1)  # batches in a step, whose gradients are averaged
    learning_rate: float = Field(5e-4, gt=0)  # of the generators
    match_steps: int = Field(100, ge=0)  # steps of matching a film to the gray pile, before training
    film_rate: float = Field(0.05, ge=0)  # share of learning_rate at which a matched film goes on learning
    # cyclegan with a film: share of the color photos that are shown on films of any kind, not the one found
    any_film: float = Field(0.0, ge=0, lt=1)
    damage: bool = False  # draw dust and scratches over all grays that D_gray sees and G_color learns from
    decay_from: float = Field(0.5, ge=0, le=1)  # share of steps after which the rates fall, to 0 at the end
    ema: float = Field(0.999, ge=0, lt=1)  # how slowly the averaged generators follow; these make the colors
    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the hardware has it
    deterministic: bool = False  # on a GPU: the same bits every time, more slowly; on a CPU it is always so
    # short side of the copy that the network sees when colors are made; data.size if not given
    working_size: int | None = Field(None, ge=16)
    saturation: float = Field(1.0, ge=0, le=4)  # factor of all chroma when colors are made, not in training
    emphasis: float = Field(0.0, ge=0, le=2)  # how much stronger strong colors become when colors are made
    balance: float = Field(0.0, ge=0, le=1)  # share of a photo's mean color taken away when colors are made
    checkpointing: bool = False  # use less memory: compute parts of the generators twice
    save_every: int = Field(500, ge=1)  # steps between checkpoints
    save_every_minutes: float = Field(10.0, gt=0)  # minutes after which one is saved in any case
    log_every: int = Field(10, ge=1)  # steps between lines of the log
    keep: int = Field(3, ge=1)  # newest checkpoints that are kept; the best one is kept besides
    tensorboard: bool = False  # event files in the run's folder too; needs the extra of that name
    # A step that is not finite or explodes is left out. And then, or if a discriminator wins outright or
    # the generator collapses: go on, go on at half the learning rate, or save and stop.
    on_trouble: Literal["skip", "halve", "stop"] = "skip"
    data: Data = Data()
    G_color: Generator = Generator()
    G_gray: Generator = Generator(type="film_resnet")
    discriminator: Discriminator = Discriminator()
    weights: Weights = Weights()
    bottleneck: Bottleneck = Bottleneck()

    @field_validator("G_color")
    @classmethod
    def _colors(cls, options: Generator) -> Generator:
        if options.is_film:
            raise ValueError("a film makes gray: choose resnet or fusion")
        return options

    @model_validator(mode="after")
    def _films(self) -> Self:
        unpaired = self.method in ("cyclegan", "paper_cyclegan")
        if self.data.tones and unpaired:
            raise ValueError("data.tones is for paired methods: pix2pix, regression, distillation")
        if self.data.film and unpaired:
            raise ValueError(
                f"data.film = {self.data.film!r} makes pairs, for pix2pix and regression; for a gray pile "
                "of that film: cyclecolor prepare PHOTOS --output DIR --film NAME"
            )
        return self

    @model_validator(mode="after")
    def _kept(self) -> Self:
        if self.keep_statistics and not self.init:
            raise ValueError("keep_statistics is for a training that starts from another: set init too")
        return self

    @model_validator(mode="after")
    def _taught(self) -> Self:
        if bool(self.teachers) != (self.method == "distillation"):
            raise ValueError("method = 'distillation' and teachers, a list of checkpoints, go together")
        return self

    @model_validator(mode="after")
    def _any_film(self) -> Self:
        if self.any_film and self.method == "cyclegan" and not self.G_gray.is_film:
            raise ValueError("any_film is for G_gray.type = 'film' or 'film_resnet'")
        return self

    @model_validator(mode="after")
    def _whole_images(self) -> Self:
        if self.method == "paper_cyclegan" and not self.G_color.type == self.G_gray.type == "resnet":
            raise ValueError(
                "method = 'paper_cyclegan' is for G_color.type = 'resnet' and G_gray.type = 'resnet' alone"
            )
        return self

    @model_validator(mode="after")
    def _maps_are_large_enough(self) -> Self:
        least, cause, remedy = max([(0, "", ""), *of_discriminators(self), *of_batch_norms(self)])
        if self.data.size < least:
            raise ValueError(
                f"data.size = {self.data.size} is too small for {cause}: use {least} or more, or {remedy}"
            )
        return self
