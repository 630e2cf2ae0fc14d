"""The pages do what they say: commands parse and the cheap ones run, code runs, links lead somewhere."""

import re
import runpy
import shlex
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from cyclecolor.cli.main import main
from cyclecolor.config import load_experiment
from cyclecolor.data import render_scene

ROOT = Path(__file__).parent.parent
# Pages that tell what to type today; docs/results tells what was typed at the commits it names.
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
ALL_PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "checkpoints").glob("*.md")]

# What makes a training of hours one of seconds.
SHRINK = [
    "num_steps=2",
    "match_steps=2",
    "batch_size=2",
    "data.size=32",
    "G_color.stages=2",
    "G_color.width=8",
    "G_gray.stages=1",
    "discriminator.layers=1",
    "discriminator.width=8",
]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def commands(page: Path) -> list[str]:
    """The lines of a page's code blocks that call `cyclecolor`, in order, from its name on."""
    lines = re.findall(r"^    (?:.*-m )?(cyclecolor .*)$", text_of(page), flags=re.MULTILINE)
    return [line.split("  #")[0].strip().rstrip("'\\") for line in lines]


def python_of(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", text_of(page), flags=re.DOTALL)


EVERY_COMMAND = [(page.name, line) for page in PAGES for line in commands(page)]


@pytest.mark.parametrize(("page", "line"), EVERY_COMMAND)
def test_commands_exist_with_their_options_and_settings(page, line):
    name, *arguments = shlex.split(line)[1:]
    context = main.commands[name].make_context(name, arguments)  # complains of unknown options and bad values
    if name == "train":
        load_experiment(ROOT / context.params["experiment"], context.params["overrides"])


def test_most_commands_are_on_the_pages():
    assert len(EVERY_COMMAND) > 40
    assert {line.split()[1] for _, line in EVERY_COMMAND} == main.commands.keys()


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with what the pages speak of: `scans/`, `photos/`, `experiments/`."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "experiments", "experiments")
    for folder, count in (("scans", 2), ("photos", 9)):
        Path(folder).mkdir()
        for i in range(count):
            Image.fromarray(render_scene(8, i, size=48)).save(f"{folder}/{i}.png")
    Image.fromarray(render_scene(8, 0, size=48)).save("scan.jpg")
    return tmp_path


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_commands_run_from_top_to_bottom(desk, page):
    runner = CliRunner()
    for line in commands(ROOT / page):
        arguments = shlex.split(line)[1:]
        if arguments[0] == "train":
            # The network of `scans.toml` is that of the released checkpoint, its G_gray a film.
            shrink = [one for one in SHRINK if "scans.toml" not in line or not one.startswith("G_")]
            arguments += [word for setting in shrink for word in ("--set", setting)]
        result = runner.invoke(main, arguments)
        assert result.exit_code == 0, f"{line}\n{result.output}"


@pytest.mark.parametrize("page", ["README.md", "docs/translate.md"])
def test_python_runs(desk, page):
    (block,) = python_of(ROOT / page)
    names: dict = {}
    exec(block, names)
    assert names["colored"].size == (48, 48)


def test_worked_examples_run():
    names: dict = {}
    for block in python_of(ROOT / "docs/extending.md"):
        exec(block, names)
    assert names["losses"].keys() == {"regression", "variation"}


def test_generated_pages_are_those_of_the_code():
    """If not: python docs/generate.py."""
    for name, write in runpy.run_path(str(ROOT / "docs/generate.py"))["PAGES"].items():
        assert text_of(ROOT / "docs" / name) == write(), name


def scripts(page: Path, first: str) -> list[str]:
    """Indented blocks of a page that begin with a line, without their indentation."""
    blocks = re.findall(r"(?:^(?:    .*)?\n)+", text_of(page), flags=re.MULTILINE)
    return [textwrap.dedent(block) for block in blocks if block.strip().startswith(first)]


def test_scripts_for_a_cluster_are_bash():
    found = scripts(ROOT / "docs/cluster.md", "#!/bin/bash")
    assert len(found) == 2
    for script in found:
        said = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (said.returncode, said.stderr) == (0, ""), script


def test_the_job_of_kubernetes_is_yaml_that_a_ray_job_takes():
    """Names and kinds as KubeRay's types of version 1.7 have them; all that they require is there."""
    yaml = pytest.importorskip("yaml")
    (text,) = scripts(ROOT / "docs/cluster.md", "apiVersion:")
    job = yaml.safe_load(text)
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    spec, names = job["spec"], {"entrypoint", "backoffLimit", "shutdownAfterJobFinishes", "rayClusterSpec"}
    assert spec.keys() == names
    assert (type(spec["backoffLimit"]), type(spec["shutdownAfterJobFinishes"])) == (int, bool)
    cluster = spec["rayClusterSpec"]
    assert cluster.keys() == {"headGroupSpec", "workerGroupSpecs"}
    (workers,) = cluster["workerGroupSpecs"]
    assert workers.keys() == {
        "groupName",
        "replicas",
        "minReplicas",
        "maxReplicas",
        "rayStartParams",
        "template",
    }
    assert cluster["headGroupSpec"].keys() == {"rayStartParams", "template"}
    for group in (cluster["headGroupSpec"], workers):
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())
        (container,) = group["template"]["spec"]["containers"]
        assert {"name", "image", "resources"} == container.keys()
    shell, option, command = shlex.split(spec["entrypoint"])
    assert (shell, option) == ("bash", "-c")
    line, _, verdict = command.partition("; ")
    main.commands["translate"].make_context("translate", shlex.split(line)[2:])
    for code, taken in ((0, 0), (1, 0), (2, 1), (137, 1)):  # 1: some photos were refused, and all is done
        said = subprocess.run(["bash", "-c", f"(exit {code}); {verdict}"], check=False)
        assert said.returncode == taken


def test_make_targets_exist():
    targets = {t for page in PAGES for t in re.findall(r"^    make ([\w-]+)", text_of(page), re.MULTILINE)}
    assert targets <= set(re.findall(r"^([\w-]+):", text_of(ROOT / "Makefile"), flags=re.MULTILINE))
    assert {"train", "test"} <= targets


def anchors_of(page: Path) -> set[str]:
    """The names of a page's headings in links, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", text_of(page)):
        target, _, anchor = link.partition("#")
        if target.startswith("http"):
            continue
        found = (page.parent / target) if target else page
        assert found.exists(), link
        assert not anchor or anchor in anchors_of(found), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_exist(page):
    named = re.findall(r"\b((?:benchmarks|experiments|tests|cyclecolor)/[\w/]+\.\w+)", text_of(page))
    made = {"cyclecolor/color/lxy.py"}  # by a reader of extending.md
    assert [name for name in named if name not in made and not (ROOT / name).exists()] == []


def test_the_readme_is_short():
    assert len(text_of(ROOT / "README.md").splitlines()) <= 100


def test_each_word_is_in_the_glossary_once():
    words = re.findall(r"^\| ([\w ]+) \|", text_of(ROOT / "docs/glossary.md"), flags=re.MULTILINE)[1:]
    assert words == sorted(set(words), key=str.lower)
    assert {"film", "cycle", "bottleneck", "working size", "lightness contract", "doubt"} <= set(words)


def test_messages_that_the_questions_quote_are_said():
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "cyclecolor").rglob("*.py"))
    code = code.replace("{name} pile", "gray pile")
    quoted = re.findall(r"^\*\*`(.*?)`", text_of(ROOT / "docs/faq.md"), flags=re.MULTILINE)
    assert len(quoted) >= 6
    assert [message for message in quoted if message not in code] == []


BRITISH = re.compile(r"\b(?:grey|[\w-]*colour\w*|normalis\w+|licence|favour\w*|judg(?:es|ed)?)\b", re.I)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_spelling_is_american_and_one_word_means_one_thing(page):
    """A discriminator is no judge; colors have no u."""
    assert BRITISH.findall(text_of(page)) == []
