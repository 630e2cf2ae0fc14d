"""The house: imports go down, nothing is pickled, experiments load, `--help` is quick."""

import ast
import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from cyclecolor.config import load_experiment, parse_experiment, valid_keys
from cyclecolor.errors import CycleColorError
from cyclecolor.training import train

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cyclecolor"

# Top to bottom: a room imports only rooms below its own.
ROOMS = (
    ["__main__"],
    ["cli"],
    ["training"],
    ["evaluation"],
    ["inference", "imported"],
    ["checkpoint"],
    ["methods", "data", "earlier"],
    ["config", "networks", "tensorfile"],
    ["film"],
    ["color", "photos"],
    ["errors", "machine", "share"],
)
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def imports(path: Path):
    """Rooms of ours that a file imports."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            yield from (name.split(".")[0] for name in names)


def test_imports_only_go_down():
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for other in imports(path):
            assert LEVEL[other] > LEVEL[room], f"{path.relative_to(ROOT)} imports {other}"


def test_every_room_travels_in_the_wheel():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    rooms = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    assert set(setup["options"]["packages"].split()) == rooms | {"cyclecolor.checkpoints"}


PICKLES = {"pickle", "joblib", "shelve", "dill", "cloudpickle", "marshal"}
LOADERS = {"torch.load", "torch.save", "np.load", "numpy.load"}


def test_nothing_is_pickled():
    """Two files alone call `torch.load`, each once, with a literal `weights_only=True`."""
    allowed = "torch.load(source, map_location='cpu', weights_only=True)"
    for path in PACKAGE.rglob("*.py"):
        calls = []
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None)
                names = {alias.name for alias in node.names}
                assert not (names | {module}) & PICKLES, path
                assert module not in ("torch", "numpy") or not names & {"load", "save"}, path
            if isinstance(node, ast.Attribute) and ast.unparse(node) in LOADERS:
                calls.append(ast.unparse(node))
            if isinstance(node, ast.Call) and ast.unparse(node) == allowed:
                calls.append(allowed)
        readers = ("imagenet.py", "imported.py")
        assert sorted(calls) == (["torch.load", allowed] if path.name in readers else []), path


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.toml")), ids=lambda p: p.stem)
def test_every_experiment_loads_and_steps(path, tmp_path):
    assert len(path.read_text().splitlines()) <= 20
    table = load_experiment(path).model_dump()
    table |= {"num_steps": 1, "batch_size": 2, "init": None, "match_steps": 2}
    # Small and on scenes; all else as the file says.
    table["data"] |= {"root": None, "gray": None, "color": None, "size": 32}
    for network in ("G_color", "G_gray"):
        table[network] |= {"stages": 2, "width": 8, "blocks": 1}
    table["discriminator"] |= {"layers": 1, "width": 8}
    train(parse_experiment(table, source=str(path)), tmp_path, say=lambda text: None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("num_step = 3", r"x\.toml: unknown key 'num_step'; did you mean 'num_steps'"),
        ("[data]\nsiz = 3", r"did you mean 'data\.size'"),
        ('num_steps = "3"', "num_steps = '3'"),
        ("num_steps = ", "not valid TOML"),
        ('[G_color]\ntype = "film"', "G_color = .*a film makes gray"),
        ("G_color.pretrained = true", "pretrained = true is for encoder = 'resnet18'"),
        ('space = "hsv"', "space = 'hsv'"),
        ('space = "rgb"\nmethod = "pix2pix"', r"x\.toml: space = 'rgb' is for method = 'cyclegan' alone"),
        ('space = "rgb"', "space = 'rgb' is for .*'resnet' alone"),
        ('space = "rgb"\nG_color.type = "resnet"', "space = 'rgb' is for .*'resnet' alone"),
    ],
)
def test_a_typo_is_named(tmp_path, text, message):
    path = tmp_path / "x.toml"
    path.write_text(text)
    with pytest.raises(CycleColorError, match=message):
        load_experiment(path)


def test_overrides(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("num_steps = 3")
    experiment = load_experiment(path, ("data.size=96", "space=luv", "learning_rate=2e-4"))
    assert (experiment.data.size, experiment.space, experiment.learning_rate) == (96, "luv", 2e-4)
    assert experiment.name == "x"
    assert "data.size" in valid_keys()


def test_help_does_not_import_torch():
    code = "import sys; from cyclecolor.cli import main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
