"""The page itself, in Gradio: photos in, colors under a slider, hints by clicks, files out."""

import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from ..errors import CycleColorError
from ..inference import Hint, load
from .work import Look, previews, translate_all, translate_photo

WAITING = 20  # people in the queue; more are asked to come again
SIZES, SATURATIONS = (32, 512), (0, 4)  # what can be chosen
CACHE = (600, 3600)  # seconds: how often, and of what age, files are deleted
HOW = """# cyclecolor
Drop photos in. Then click on a place of the photo to say its color; what is near and alike follows."""


def build_page(checkpoints: dict[str, Path], example: Path) -> gr.Blocks:
    """The page.

    Parameters
    ----------
    checkpoints
        What can be chosen, by name; the first is the default.
    example
        A photo to try.
    """
    first = load(next(iter(checkpoints.values())))
    with gr.Blocks(title="cyclecolor", analytics_enabled=False, delete_cache=CACHE) as page:
        gr.Markdown(HOW)
        shown_size = gr.State()  # width and height of the upright photo
        given = gr.State({})  # hints by photo, as it was colored last
        with gr.Row():
            with gr.Column(scale=1, min_width=280):
                files = gr.File(label="Photos", file_count="multiple", type="filepath", elem_id="photos")
                number = gr.Dropdown(label="Photo", elem_id="photo", visible=False)
                example_button = gr.Button("Try an example", elem_id="example")
                color = gr.ColorPicker("#a03020", label="Color of the next click", elem_id="color")
                hints = gr.Textbox(
                    label="Hints, one a line: X,Y=COLOR",
                    lines=3,
                    max_lines=8,
                    elem_id="hints",
                    max_length=20_000,
                )
                with gr.Accordion("Settings", open=False):
                    checkpoint = gr.Dropdown(
                        list(checkpoints),
                        value=next(iter(checkpoints)),
                        label="Checkpoint",
                        elem_id="checkpoint",
                    )
                    direction = gr.Radio(
                        ["to-color", "to-gray"], value="to-color", label="Direction", elem_id="direction"
                    )
                    size = gr.Slider(
                        *SIZES,
                        value=first.size,
                        step=16,
                        label="Short side that the network sees, pixels",
                        elem_id="size",
                    )
                    saturation = gr.Slider(
                        *SATURATIONS,
                        value=first.saturation,
                        step=0.05,
                        label="Factor of chroma",
                        elem_id="saturation",
                    )
                    denoise = gr.Checkbox(label="Take strong grain away from what the network sees")
                    reference = gr.File(
                        label="Follow the colors of this photo", type="filepath", elem_id="reference"
                    )
                go = gr.Button("Color it", variant="primary", elem_id="go")
            with gr.Column(scale=2, min_width=280):
                # Above the pictures, which are as high as a photo: a portrait would push them out of sight.
                with gr.Row():
                    one = gr.DownloadButton("Download this one", interactive=False, elem_id="one")
                    everything = gr.Button("Color all, into one archive", elem_id="everything")
                archive = gr.File(label="Archive", interactive=False, visible=False, elem_id="archive")
                slider = gr.ImageSlider(
                    label="Before and after",
                    type="filepath",
                    interactive=False,
                    buttons=["fullscreen"],
                    elem_id="slider",
                )
                place = gr.Image(
                    label="Click a place to give it the color",
                    type="filepath",
                    interactive=False,
                    buttons=[],
                    elem_id="place",
                )

        look = [checkpoint, size, saturation, denoise, direction, reference]
        work = {"concurrency_id": "work", "concurrency_limit": 1, "api_visibility": "private"}
        quick = {"api_visibility": "private"}  # without its place in the queue of work

        def then_color(event: Any) -> None:
            inputs, outputs = [files, number, hints, given, *look], [slider, place, one, shown_size, given]
            event(_color_one(checkpoints), inputs, outputs, **work)

        then_color(go.click)
        then_color(files.change(_list_photos, [files, given], [number, hints], **quick).success)
        then_color(number.input(_hints_of, [files, number, given], hints, **quick).success)
        clicked = place.select(_add_hint, [hints, color, place, shown_size], hints, **quick)
        then_color(clicked.success)
        checkpoint.change(_own_settings(checkpoints), checkpoint, [size, saturation], **quick)
        example_button.click(lambda: [str(example)], None, files, **quick)
        everything.click(_color_all(checkpoints), [files, number, hints, given, *look], archive, **work)
    return page.queue(max_size=WAITING, default_concurrency_limit=1)


def _list_photos(files: list[str] | None, given: dict[str, str]) -> tuple[Any, str]:
    """Choices of a photo, by number; and the hints of the first."""
    choices = [(Path(file).name, str(number)) for number, file in enumerate(files or ())]
    choice = gr.Dropdown(choices, value="0" if choices else None, visible=len(choices) > 1)
    return choice, _hints_of(files, "0", given)


def _hints_of(files: list[str] | None, number: str | None, given: dict[str, str]) -> str:
    """The hints with which a photo was colored last."""
    return given.get(files[int(number or 0)], "") if files else ""


def _own_settings(checkpoints: dict[str, Path]) -> Callable[[str], tuple[int, float]]:
    def own_settings(name: str) -> tuple[int, float]:
        chosen = load(checkpoints[name])
        return chosen.size, chosen.saturation

    return own_settings


def _add_hint(hints: str, color: str, shown: str, size: tuple[int, int], event: gr.SelectData) -> str:
    """The hints and one more, where the picture was clicked: its pixels to the photo's."""
    with Image.open(shown) as image:
        scales = [whole / part for whole, part in zip(size, image.size, strict=True)]
    x, y = (int((at + 0.5) * scale) for at, scale in zip(event.index, scales, strict=True))
    return f"{hints.rstrip()}\n{x},{y}={hex_of(color)}".lstrip()


def hex_of(color: str) -> str:
    """From what the color picker says, `#a03020` or `rgba(160.2, 48, 32, 1)`, to `#a03020`."""
    if color.startswith("#"):
        return color[:7]
    red, green, blue = (min(255, round(float(number))) for number in re.findall(r"[\d.]+", color)[:3])
    return f"#{red:02x}{green:02x}{blue:02x}"


def _color_one(checkpoints: dict[str, Path]) -> Callable[..., Iterator[tuple[Any, ...]]]:
    def color_one(
        files: list[str] | None, number: str | None, hints: str, given: dict[str, str], *controls: Any
    ) -> Iterator[tuple[Any, ...]]:
        if not files:
            raise gr.Error("Drop a photo in first", print_exception=False)
        file, look = str(files[int(number or 0)]), Look(*controls)
        photo = Path(file)
        # What is given to Gradio it copies, before this goes on and the folder goes away.
        with tempfile.TemporaryDirectory() as folder, _said():
            made = translate_photo(photo, Path(folder), look, checkpoints[look.checkpoint], _parsed(hints))
            before, after = previews(photo, made, Path(folder))
            with Image.open(made) as image:
                size = image.size
            button = gr.DownloadButton(value=str(made), interactive=True)
            yield (str(before), str(after)), str(before), button, size, {**given, file: hints}

    return color_one


def _color_all(checkpoints: dict[str, Path]) -> Callable[..., Iterator[Any]]:
    def color_all(
        files: list[str] | None, number: str | None, hints: str, given: dict[str, str], *controls: Any
    ) -> Iterator[Any]:
        if not files:
            raise gr.Error("Drop photos in first", print_exception=False)
        look = Look(*controls)
        given = {**given, files[int(number or 0)]: hints}  # as it stands on the page now
        given = given if look.direction == "to-color" else {}
        with tempfile.TemporaryDirectory() as folder, _said():
            sources = [Path(file) for file in files]
            wanted = {Path(file): _parsed(given.get(file, "")) for file in files}
            archive, complaints = translate_all(
                sources, Path(folder), look, checkpoints[look.checkpoint], wanted
            )
            for complaint in complaints:
                gr.Warning(complaint, duration=None)
            yield gr.File(value=str(archive), visible=True)

    return color_all


def _parsed(hints: str) -> list[Hint]:
    return [Hint.parse(line) for line in hints.splitlines() if line.strip()]


@contextmanager
def _said() -> Iterator[None]:
    """Show what is wrong with an input on the page, in the words of the command line."""
    try:
        yield
    except CycleColorError as error:
        raise gr.Error(str(error), print_exception=False, duration=None) from None
