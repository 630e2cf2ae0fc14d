"""The page of `cyclecolor demo` asked as its own script in a browser asks, without a browser."""

import json
import re
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

PATIENCE = 600  # seconds, of a machine that has other things to do
API = "gradio_api"


@contextmanager
def served(checkpoint: Path) -> Iterator[tuple[str, int]]:
    """A page of its own: its address and the server's process."""
    line = [sys.executable, "-m", "cyclecolor", "demo", "--port", "0", "-c", str(checkpoint)]
    server = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)
    try:
        yield re.match(r"(http://127\.0\.0\.1:\d+) ", server.stdout.readline())[1], server.pid
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


class PageError(Exception):
    """What the page says is wrong."""


class PageClient:
    """One visitor of the page."""

    def __init__(self, address: str):
        self.address, self.session = address, uuid.uuid4().hex[:12]
        config = json.loads(self.get("config"))
        self.ids = {c["id"]: c["props"].get("elem_id") for c in config["components"]}
        self.defaults = {c["id"]: c["props"].get("value") for c in config["components"]}
        self.events = {
            (self.ids[target], event): dependency
            for dependency in config["dependencies"]
            for target, event in dependency["targets"]
            if target in self.ids
        }

    def request(self, path: str, body: bytes | None = None, **headers: str):
        """An open answer; `headers` with `_` for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{self.address}/{path}", data=body, headers=named)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return opener.open(request, timeout=PATIENCE)

    def get(self, path: str) -> bytes:
        with self.request(path) as answer:
            return answer.read()

    def upload(self, path: Path) -> dict[str, Any]:
        """A file, as the page refers to it afterwards."""
        border = uuid.uuid4().hex
        head = (
            f'--{border}\r\nContent-Disposition: form-data; name="files"; filename="{path.name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
        body = head.encode() + path.read_bytes() + f"\r\n--{border}--\r\n".encode()
        kind = f"multipart/form-data; boundary={border}"
        with self.request(f"{API}/upload", body, Content_Type=kind) as answer:
            (there,) = json.loads(answer.read())
        return {"path": there, "orig_name": path.name, "meta": {"_type": "gradio.FileData"}}

    def press(self, element: str, event: str = "click", **values: Any) -> list[Any]:
        """What an event gives. Inputs are as the page has them at first, or `values` by element."""
        dependency = self.events[element, event]
        values = {"hints": "", **values}  # as a browser sends an empty text
        data = [values.get(self.ids[i] or "", self.defaults[i]) for i in dependency["inputs"]]
        body = {"data": data, "fn_index": dependency["id"], "session_hash": self.session, "event_data": None}
        self.request(f"{API}/queue/join", json.dumps(body).encode(), Content_Type="application/json").close()
        with self.request(f"{API}/queue/data?session_hash={self.session}") as stream:
            return self._data_of(stream)

    def file(self, given: dict[str, Any]) -> bytes:
        """A file that an event gave."""
        return self.get(f"{API}/file={quote(given['path'])}")

    def _data_of(self, stream: Iterator[bytes]) -> list[Any]:
        """The last data of an event that yields them, from its messages."""
        data: list[Any] = []
        for line in stream:
            if not line.startswith(b"data: "):
                continue
            message = json.loads(line[6:])
            output = message.get("output") or {}
            if message["msg"] == "process_completed" and not message["success"]:
                raise PageError(output["error"])
            if message["msg"] in ("process_generating", "process_completed"):
                data = output["data"] or data
            if message["msg"] == "process_completed":
                break
        return data
