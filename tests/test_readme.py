"""The README does what it says: its commands run, in order, on small piles."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from cyclecolor.cli.main import main
from cyclecolor.data import render_scene

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

# What makes a training of hours one of seconds.
SHRINK = [
    "num_steps=2",
    "batch_size=2",
    "data.size=32",
    "G_color.stages=2",
    "G_color.width=8",
    "G_gray.stages=1",
    "discriminator.layers=1",
    "discriminator.width=8",
]


def commands() -> list[str]:
    """The lines of the README's code blocks that call `cyclecolor`, in order."""
    lines = re.findall(r"^    (cyclecolor .*)$", README, flags=re.MULTILINE)
    return [line.split("#")[0].strip() for line in lines]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with what the README speaks of: `scans/`, `photos/`, `experiments/`."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "experiments", "experiments")
    for folder, count in (("scans", 2), ("photos", 9)):
        Path(folder).mkdir()
        for i in range(count):
            Image.fromarray(render_scene(8, i, size=48)).save(f"{folder}/{i}.png")
    Image.fromarray(render_scene(8, 0, size=48)).save("scan.jpg")
    return tmp_path


def test_commands_of_the_readme_run(desk):
    assert len(commands()) >= 8
    runner = CliRunner()
    # `runs/photos` is made half-way down the page; a reader who colours with it has trained it.
    ordered = sorted(commands(), key=lambda line: "runs/photos" in line)
    for line in ordered:
        arguments = shlex.split(line)[1:]
        if arguments[0] == "train":
            arguments += [word for setting in SHRINK for word in ("--set", setting)]
        result = runner.invoke(main, arguments)
        # An audit of a training of two steps may well fail, and then says so with 1.
        assert result.exit_code in ((0, 1) if arguments[0] == "audit" else (0,)), f"{line}\n{result.output}"
        assert "Traceback" not in result.output


def test_python_of_the_readme_runs(desk):
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    names: dict = {}
    exec(block, names)
    assert names["colored"].size == (48, 48)


def test_make_targets_of_the_readme_exist():
    targets = set(re.findall(r"^    make (\w+)", README, flags=re.MULTILINE))
    assert targets <= set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert {"train", "test"} <= targets


def test_files_of_the_readme_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
