"""Fixtures: a tiny experiment that trains in a second."""

import logging
import multiprocessing
import os
import sys
import threading
from pathlib import Path

# Numbers are those of a CPU, whatever the machine has; `make test-gpu` says otherwise.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from cyclecolor.config import Experiment, parse_experiment
from cyclecolor.data import render_scene

torch.set_num_threads(1)
if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported: kernels are interpreted


def tiny_experiment(**changes) -> Experiment:
    """Small networks on small scenes, float32."""
    table = {
        "num_steps": 6,
        "batch_size": 2,
        "precision": "float32",
        "save_every": 3,
        "log_every": 1,
        "data": {"size": 32},
        "G_color": {"stages": 2, "width": 8},
        "G_gray": {"stages": 2, "width": 8},
        "discriminator": {"layers": 1, "width": 8, "pool_size": 3},
        **changes,
    }
    return parse_experiment(table, source="test")


# What makes a tiny experiment the textbook's.
NETWORK = {"type": "resnet", "width": 4, "blocks": 1}
PAPER = {
    "method": "paper_cyclegan",
    "G_color": NETWORK,
    "G_gray": NETWORK,
    "discriminator": {"layers": 1, "width": 8, "pool_size": 3, "spectral_norm": False},
    "weights": {"lambda_gan": 1.0, "lambda_cycle_gray": 10.0, "lambda_identity": 5.0},
    "bottleneck": {"quantize": False, "noise": 0.0, "gradient": True},
}
# Every class that trains, by what an experiment says to get it.
KINDS = {
    **{method: {"method": method} for method in ("cyclegan", "pix2pix", "regression")},
    "paper_cyclegan": PAPER,
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """The run folder of a training of two steps, for tests that only need some network."""
    from cyclecolor.training import train

    return train(tiny_experiment(num_steps=2), tmp_path_factory.mktemp("run"))


def run_translate(*arguments, code: int = 0) -> str:
    """Run `translate`, check its exit code, return what it said."""
    from cyclecolor.cli.main import main

    result = CliRunner().invoke(main, ["translate", *map(str, arguments)])
    assert isinstance(result.exception, SystemExit | None), result.exc_info
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def photo_folder(tmp_path):
    """Six color photos in two formats, one of them in a subfolder."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for i in range(6):
        image = Image.fromarray(render_scene(7, i, size=48).repeat(1 + i % 2, axis=1))
        name = f"sub/{i}.png" if i == 5 else f"{i}.{'jpg' if i % 2 else 'png'}"
        image.save(folder / name)
    return folder


@pytest.fixture
def said():
    """The messages of the program, as they come."""
    lines, logger = [], logging.getLogger("cyclecolor")
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)
    logger.setLevel(level)


@pytest.fixture
def rng():
    """Seeded random numbers."""
    return np.random.default_rng(0)


@pytest.fixture
def memory():
    """A store in memory, empty; `Memory` is what to look at it with."""
    fsspec = pytest.importorskip("fsspec", reason="the extra `storage` is not installed")
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    return files


@pytest.fixture(scope="module")
def s3(tmp_path_factory):
    """A server of S3 on this machine, in a process of its own, and a client."""
    pytest.importorskip("moto", reason="moto is not installed")
    pytest.importorskip("s3fs", reason="the extra `storage` is not installed")
    import fsspec

    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    process = fork.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    keys = {"AWS_ACCESS_KEY_ID": "id-of-a-test", "AWS_SECRET_ACCESS_KEY": "secret-of-a-test"}
    where = {"AWS_ENDPOINT_URL": ours.recv(), "AWS_DEFAULT_REGION": "us-east-1"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (keys | where).items():
            patch.setenv(name, value)
        fsspec.get_filesystem_class("s3").clear_instance_cache()  # clients of another module's server
        client = fsspec.filesystem("s3", use_listings_cache=False)
        client.mkdir("bucket")
        yield client
    process.kill()
    process.join()


def _serve(pipe):
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with open(os.devnull, "w") as sys.stdout:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        server.start()
    pipe.send("http://{}:{}".format(*server.get_host_and_port()))
    threading.Event().wait()
