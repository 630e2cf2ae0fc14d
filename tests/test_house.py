"""The house: imports go down, nothing is pickled, experiments load, `--help` is quick."""

import ast
import configparser
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cyclecolor.config import load_experiment, parse_experiment, valid_keys
from cyclecolor.errors import CycleColorError
from cyclecolor.methods import cyclegan
from cyclecolor.training import train, trainer

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "cyclecolor"

# Top to bottom: a folder imports only folders below its own. Folders of one level do not know each other.
FOLDERS = (
    ["__main__"],
    ["cli"],
    ["training", "demo"],
    ["evaluation", "collection"],
    ["translation"],
    ["inference"],
    ["checkpoint"],
    ["methods"],
    ["data", "networks"],
    ["config", "film", "ops", "hardware"],
    ["color", "distributed", "photos", "storage"],
    ["files"],
    ["errors"],
)
LEVEL = {folder: level for level, folders in enumerate(FOLDERS) for folder in folders}


def imported_modules(path: Path, tree: ast.Module) -> Iterator[str]:
    """Every module that a file imports, at any depth of the code, by its absolute name."""
    package = ["cyclecolor", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *(node.module.split(".") if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def climbing_imports(path: Path, text: str) -> list[str]:
    """The imports of a file in the package that do not go down."""
    folder = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    ours = [name.split(".") for name in imported_modules(path, ast.parse(text))]
    others = {parts[1] for parts in ours if parts[0] == "cyclecolor" and len(parts) > 1} & LEVEL.keys()
    if ["cyclecolor"] in ours:
        others |= {"cyclecolor"}
    return sorted(o for o in others - {folder} if o == "cyclecolor" or LEVEL[o] <= LEVEL[folder])


def test_imports_only_go_down():
    for path in PACKAGE.rglob("*.py"):
        if path != PACKAGE / "__init__.py":
            assert not climbing_imports(path, path.read_text()), path.relative_to(ROOT)


@pytest.mark.parametrize(
    "planted",
    [
        "from ..training import Trainer",
        "from .. import training",
        "from ..training.step import backward",
        "from cyclecolor.training import Trainer",
        "from cyclecolor import training",
        "import cyclecolor.training",
        "import cyclecolor.training.step as step",
        "import cyclecolor",
        "def f():\n    from ..training import Trainer",
        "class A:\n    def f(self):\n        if True:\n            import cyclecolor.training",
        "from ..methods import METHODS",
    ],
)
def test_an_import_that_climbs_is_seen(planted):
    assert climbing_imports(PACKAGE / "photos" / "planted.py", planted)


@pytest.mark.parametrize("planted", ["from ..files import shown", "from . import photo", "import numpy"])
def test_an_import_that_goes_down_is_fine(planted):
    assert not climbing_imports(PACKAGE / "photos" / "planted.py", planted)


def test_no_folder_and_no_file_is_a_junk_drawer():
    for path in PACKAGE.rglob("*.py"):
        assert path.stem not in {"utils", "util", "helpers", "common", "misc"}, path
    single = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__", "__main__"}
    assert single == {"errors"}


def test_every_folder_is_on_the_page_of_the_architecture():
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert not {folder for folder in folders if f"| `{folder}/` |" not in page}


def test_every_folder_travels_in_the_wheel():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    assert set(setup["options"]["packages"].split()) == folders | {"cyclecolor.checkpoints"}


PICKLERS = {
    *("pickle", "_pickle", "cPickle", "pickletools", "copyreg", "joblib", "shelve", "dill", "cloudpickle"),
    "marshal",
}
LIBRARIES = {"torch", "numpy", "pandas"}  # whose loaders and savers may pickle
WAYS = {"load", "save", "loads", "dumps", "Pickler", "Unpickler", "read_pickle", "to_pickle", "*"}
IMPORTERS = {"import_module", "importlib.import_module", "__import__", "builtins.__import__"}


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """What an expression names, as far as the imports and assignments of its file tell; or nothing."""
    match node:
        case ast.Name():
            return names.get(node.id, node.id)
        case ast.Attribute():
            return f"{dotted(node.value, names)}.{node.attr}"
        case ast.Call(func=ast.Name(id="getattr"), args=[of, ast.Constant(value=str(name)), *_]):
            return f"{dotted(of, names)}.{name}"
        case ast.Call(args=[ast.Constant(value=str(name)), *_]) if dotted(node.func, names) in IMPORTERS:
            return name
        case ast.Subscript(slice=ast.Constant(value=str(name))) if dotted(node.value, names) == "sys.modules":
            return name
    return ""


def names_in(tree: ast.Module) -> dict[str, str]:
    """What each name of a file stands for: imports, and plain assignments of what was imported."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.NamedExpr) and (value := dotted(node.value, names)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id: value for target in targets if isinstance(target, ast.Name)}
    return names


def mentions(node: ast.AST, names: dict[str, str]) -> list[str]:
    """The absolute names that a piece of source mentions."""
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom(level=0):
            return [f"{node.module}.{alias.name}" for alias in node.names]
        case ast.keyword(arg="allow_pickle" | "weights_only", value=value):
            safe = isinstance(value, ast.Constant) and value.value is (node.arg == "weights_only")
            return [] if safe else ["pickle"]
        case ast.Constant(value=str(word)):
            return [word]
    return [dotted(node, names)]


def pickles(name: str) -> bool:
    """Whether an absolute name is that of something that could read or write a pickle."""
    root, _, rest = name.partition(".")
    last = rest.split(".")[-1]
    ways = last in WAYS or last.endswith(("_object", "_object_list"))
    return root in PICKLERS or (root in LIBRARIES and ways)


def pickling(text: str) -> list[str]:
    """All places of a source that could read or write a pickle."""
    tree = ast.parse(text)
    names = names_in(tree)
    return [ast.unparse(node) for node in ast.walk(tree) if any(map(pickles, mentions(node, names)))]


PLANTED = [
    "import pickle",
    "import pickle as p",
    "from pickle import loads",
    "from _pickle import Unpickler",
    "import joblib.memory",
    "import importlib\nimportlib.import_module('pickle')",
    "from importlib import import_module as get\nget('pickle')",
    "__import__('dill')",
    "import sys\nsys.modules['pickle'].loads(b'')",
    "import torch\ntorch.load(p)",
    "import torch as t\nt.load(p, weights_only=False)",
    "import torch as t\nt.save(p)",
    "from torch import load",
    "from torch import load as read",
    "from torch import *",
    "from torch.serialization import load",
    "import torch.serialization as s\ns.load(p)",
    "from torch import serialization\nserialization.load(p)",
    "import torch\ntorch.jit.load(p)",
    "import torch\nread = torch.load",
    "import torch\nt = torch\nt.load(p)",
    "import torch\nf(t := torch)\nt.load(p)",
    "import torch\ngetattr(torch, 'load')(p)",
    "import importlib\nimportlib.import_module('torch').load(p)",
    "def f():\n    import torch as t\n    def g():\n        return t.load(p)",
    "import torch.distributed as dist\ndist.all_gather_object(found, x)",
    "import torch.distributed as dist\ndist.broadcast_object_list(found)",
    "import numpy as np\nnp.load(p)",
    "import numpy\nnumpy.lib.format.read_array(f, allow_pickle=True)",
    "f(weights_only=flag)",
    "import pandas\npandas.read_pickle(p)",
]


@pytest.mark.parametrize("planted", PLANTED)
def test_what_could_pickle_is_seen(planted):
    assert pickling(planted)


@pytest.mark.parametrize(
    "planted",
    [
        "import json\njson.load(f)",
        "from safetensors.torch import load\nload(b'')",
        "from .colorizer import load\nload(p)",
        "import torch\nmodule.load_state_dict(torch.zeros(1))",
        "f(weights_only=True, allow_pickle=False)",
        "'No pickle here.'",
    ],
)
def test_what_does_not_pickle_is_let_through(planted):
    assert not pickling(planted)


def test_nothing_is_pickled():
    """Two files alone call `torch.load`, each once, with a literal `weights_only=True`."""
    allowed = "torch.load(source, map_location='cpu', weights_only=True)"
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        reader = path.name in ("imagenet.py", "import_pix2pix.py")
        assert pickling(text) == (["torch.load"] if reader else []), path
        calls = [ast.unparse(node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        assert calls.count(allowed) == reader, path


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.toml")), ids=lambda p: p.stem)
def test_every_experiment_loads_and_steps(path, tmp_path, monkeypatch):
    monkeypatch.setattr(cyclegan, "MATCH_BATCH", 4)
    monkeypatch.setattr(trainer, "SCORED", 1)
    assert len(path.read_text().splitlines()) <= 20
    table = load_experiment(path).model_dump()
    table |= {"num_steps": 1, "batch_size": 2, "match_steps": min(table["match_steps"], 1)}
    table |= {"init": None, "keep_statistics": False, "teachers": ["default"] * len(table["teachers"])}
    # Small and on scenes; all else as the file says.
    table["data"] |= {"root": None, "gray": None, "color": None, "size": 32}
    for network in ("G_color", "G_gray"):
        table[network] |= {"stages": 2, "width": 8, "blocks": 1}
    table["discriminator"] |= {"layers": 1, "width": 8}
    train(parse_experiment(table, source=str(path)), tmp_path)


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
        ('method = "paper_cyclegan"', "method = 'paper_cyclegan' is for .*'resnet' alone"),
        ('method = "paper_cyclegan"\nG_color.type = "resnet"', "is for .*'resnet' alone"),
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


@pytest.mark.parametrize("text", ["1911", "2024-05-01", "true", "1.50", "0x10", "[1]", "a b", "07", "inf"])
@pytest.mark.parametrize("key", ["data.gray", "data.color", "data.root", "init", "name"])
def test_a_name_is_text_whatever_it_looks_like(tmp_path, key, text):
    path = tmp_path / "x.toml"
    path.write_text("")
    for written in (text, f"'{text}'", f'"{text}"'):
        value = load_experiment(path, (f"{key}={written}",))
        for part in key.split("."):
            value = getattr(value, part)
        assert value == text


def test_help_does_not_import_torch():
    code = "import sys; from cyclecolor.cli.main import main; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
