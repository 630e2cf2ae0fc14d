"""A server of S3 on this machine."""

import logging
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "bench_collection.py"
KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


def serve() -> None:
    """A server until the parent is gone; its address goes to standard output."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    said, sys.stdout = sys.stdout, sys.stderr
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    print("http://{}:{}".format(*server.get_host_and_port()), file=said, flush=True)
    sys.stdin.read()
    os._exit(0)


def start_store(folder: Path | None):
    """A server if there is one, a client, and the address of an empty root; the environment tells all."""
    import fsspec

    if folder:
        return None, fsspec.filesystem("file"), f"file://{folder}/store"
    command = [sys.executable, SCRIPT, "serve"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    os.environ.update(KEYS | {"AWS_ENDPOINT_URL": server.stdout.readline().strip()})
    client = fsspec.filesystem("s3", use_listings_cache=False)
    client.mkdir("bucket")
    return server, client, "s3://bucket"
