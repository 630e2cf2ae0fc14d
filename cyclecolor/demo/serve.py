"""The server of the page."""

import os
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

from ..checkpoint import open_checkpoint
from ..data import SCENES, render_scene
from ..errors import CycleColorError, of_extra
from .gate import Gate

MAX_FILE = 100 << 20  # bytes of an upload
LOOPBACK = ("127.0.0.1", "localhost", "::1")
EXAMPLE_SIDE = 256  # pixels


def serve(checkpoints: Sequence[Path], *, host: str, port: int, say: Callable[[str], object] = print) -> None:
    """Serve the page until it is interrupted.

    Parameters
    ----------
    checkpoints
        Files, run folders or released names; none for `default`.
    host, port
        Where to listen; on 127.0.0.1, this machine alone can ask.
    say : callable
        Is told the address.

    Raises
    ------
    CycleColorError
        If the extra is missing, a checkpoint is none, or the address is taken.
    """
    with of_extra("demo"):
        import gradio  # noqa: F401
        import uvicorn
    listening = _listening(host, port)
    with listening, tempfile.TemporaryDirectory(prefix="cyclecolor-") as folder:
        gate = build_gate(_by_name(checkpoints), Path(folder), hosts={*LOOPBACK, host})
        say(f"http://{host}:{listening.getsockname()[1]} (Ctrl-C ends it)")
        server = uvicorn.Server(uvicorn.Config(gate, log_level="warning", timeout_graceful_shutdown=5))
        server.run(sockets=[listening])


def build_gate(checkpoints: dict[str, Path], folder: Path, *, hosts: set[str]) -> Gate:
    """The page behind its gate; what it keeps, it keeps in a folder."""
    os.environ |= {"GRADIO_TEMP_DIR": str(folder / "files"), "GRADIO_ANALYTICS_ENABLED": "False"}
    import gradio
    from fastapi import FastAPI

    from .page import build_page

    example = folder / "example.png"
    scene = Image.fromarray(render_scene(SCENES["test"], 0, size=EXAMPLE_SIDE))
    scene.convert("L").save(example)
    theme = gradio.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    page = build_page(checkpoints, example)
    options = {"show_error": True, "max_file_size": MAX_FILE, "ssr_mode": False, "footer_links": []}
    gradio.mount_gradio_app(app, page, "/", allowed_paths=[str(folder)], theme=theme, **options)
    return Gate(app, hosts=hosts, most_bytes=MAX_FILE)


def _by_name(checkpoints: Sequence[Path]) -> dict[str, Path]:
    """Files by the names that the page shows; each is opened now, so that mistakes are known at the start."""
    paths = [open_checkpoint(path)[0] for path in checkpoints or (None,)]
    return {
        f"{number}: {path.stem}" if len(paths) > 1 else path.stem: path
        for number, path in enumerate(paths, 1)
    }


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port))
    except OSError as error:
        message = f"{host}:{port}: cannot be listened at: {error.strerror}; choose another --port"
        raise CycleColorError(message, exit_code=2) from None
