"""Whole collections on an engine: nothing lost whoever dies, how quick it is, and what a cluster would do.

    python benchmarks/bench_collection.py reliability [--images N] [--kills N] [--seed S] [--folder] [--forks]
    python benchmarks/bench_collection.py speed [--images N] [--side PIXELS]
    python benchmarks/bench_collection.py driver [--images N]
    python benchmarks/bench_collection.py model --seconds S [--files N] [--machines N] [--cores N] [--lists N]
    python benchmarks/bench_collection.py page

`reliability`: images in S3 (moto's server on this machine) or in a folder, five of which crash whoever
decodes them and fifty that cannot be read, are colored by two actors of Ray, or two processes that fork,
while these are killed at random times, and the driver once, which is started again. Then outputs, refused and
quarantined must be the inputs, and disjoint; a second run must do nothing; no note may be left; and each
output must be the local command's.
`speed`: photos of one size, by the local command, by threads from store to store, and by one and two actors.
`driver`: what a driver alone does with as many names, and what memory that takes; nothing is colored.
`page`: what a core needs to read an answer of S3 that lists 1,000 keys.
`model`: a cluster on paper, from what these measured.
"""

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

TESTS = Path(__file__).parent.parent / "tests"
sys.path.insert(0, str(TESTS))

from crashing import CRASH  # noqa: E402
from ray_driver import TOO_BUSY  # noqa: E402

from cyclecolor.collection import Collection, Event, Work  # noqa: E402
from cyclecolor.collection.manifest import read_manifest  # noqa: E402
from cyclecolor.storage import Address, Entry, open_store  # noqa: E402
from cyclecolor.translation import Options  # noqa: E402

CRASHING, BROKEN = 5, 50
FORKS = b"forks_driver.py"
KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}


def write_images(folder: Path, count: int, side: int, seed: int) -> None:
    """Noisy gray ramps as JPEG."""
    rng = np.random.default_rng(seed)
    ramp = np.add.outer(np.arange(side), np.arange(side)) * (200 / (2 * side))
    for i in range(count):
        pixels = ramp + rng.normal(0, 6, ramp.shape) + i % 50
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{i:06}.jpg", quality=90)


def spoil(folder: Path, seed: int) -> tuple[set[str], set[str]]:
    """Make some images crash and others unreadable; the names of both."""
    names = random.Random(seed).sample(sorted(p.name for p in folder.iterdir()), CRASHING + BROKEN)
    for name in names[:CRASHING]:
        with (folder / name).open("ab") as file:
            file.write(CRASH)
    for name in names[CRASHING:]:
        (folder / name).write_bytes((folder / name).read_bytes()[:200])
    return {*names[:CRASHING]}, {*names[CRASHING:]}


def serve_s3() -> None:
    """A server of S3 until the parent is gone; its address goes to standard output."""
    import logging

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
    command = [sys.executable, __file__, "serve"]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    os.environ.update(KEYS | {"AWS_ENDPOINT_URL": server.stdout.readline().strip()})
    client = fsspec.filesystem("s3", use_listings_cache=False)
    client.mkdir("bucket")
    return server, client, "s3://bucket"


def actors() -> list[int]:
    """Process ids of our workers; those of other sessions of this machine are not."""
    found = []
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        try:
            if os.getsid(pid) != os.getsid(0):
                continue
            command, parent = Path(f"/proc/{pid}/cmdline").read_bytes(), fields_of(pid)[1]
            is_fork = FORKS in command and FORKS in Path(f"/proc/{parent}/cmdline").read_bytes()
        except OSError:
            continue
        if is_fork or b"ray::RayWorker" in command:
            found.append(pid)
    return found


class Killer(threading.Thread):
    """Kills actors until it has killed as many as it should, each at a random time of its own.

    Times are an actor's own seconds of a processor, its start included: a busy machine kills no more of them.
    """

    def __init__(self, count: int, every: float, rng: random.Random):
        super().__init__(daemon=True)
        self.count, self.every, self.rng, self.done = count, every, rng, 0

    def run(self) -> None:
        """Until it has."""
        while self.done < self.count:
            age = self.rng.uniform(0.5, 1.5) * self.every
            while not (found := [pid for pid in actors() if cpu_seconds_of(pid) > age]):
                time.sleep(1)
            try:
                os.kill(self.rng.choice(found), signal.SIGKILL)
                self.done += 1
            except ProcessLookupError:
                continue


def fields_of(pid: int) -> list[str]:
    """What the system says of a process, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds_of(pid: int) -> float:
    """What a process has used; 0 when it is gone."""
    try:
        user, system = fields_of(pid)[11:13]
    except OSError:
        return 0
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def drive(driver: Path, *arguments: object) -> subprocess.Popen:
    """The command with workers whose decoders can crash."""
    command = [sys.executable, driver, "translate", *arguments, "--engine", "ray"]
    return subprocess.Popen(
        [*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def driven(*arguments: object) -> list[str]:
    """The last line that the command says at its end, started again where Ray found no room to start."""
    while True:
        driver = drive(*arguments)
        said, _ = driver.communicate()
        if driver.returncode != TOO_BUSY:
            return said.strip().splitlines()[-1:]


def objects(client, address: str) -> dict[str, tuple]:
    """What lies below a root, with what changes when it is written."""
    found, start = client.find(address, detail=True), len(address.partition("://")[2]) + 1
    keys = ("ETag", "LastModified", "ino", "mtime")
    return {name[start:]: tuple(map(one.get, keys)) for name, one in found.items()}


def reliability(images: int, kills: int, seed: int, every: float, local: bool, forks: bool) -> dict:
    """What became of all images, and each promise as true or false."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, client, root = start_store(folder if local else None)
        (folder / "in").mkdir()
        write_images(folder / "in", images, 32, seed)
        crashing, broken = spoil(folder / "in", seed)
        client.put(f"{folder}/in/", f"{root}/in/", recursive=True)
        program = TESTS / ("forks_driver.py" if forks else "ray_driver.py")
        ends = (program, f"{root}/in", "-o", f"{root}/out", "--workers", 2)
        begun = time.perf_counter()
        killer = Killer(kills, every, random.Random(seed))
        killer.start()
        driver = drive(*ends)
        while len(objects(client, f"{root}/out")) < images // 2:
            time.sleep(max(1, images / 500))  # a server of this kind needs a while to list them
            if driver.poll() is not None:
                driver = drive(*ends)  # Ray did not start, or died
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        said = driven(*ends)
        seconds = time.perf_counter() - begun
        store = open_store(Address(f"{root}/out"))
        records = list(read_manifest(store, "manifest.parquet"))
        by = {
            status: {r["input"] for r in records if r["status"] == status}
            for status in ("translated", "refused", "quarantined")
        }
        found = objects(client, f"{root}/out")
        again = driven(*ends)
        for path in crashing:
            (folder / "in" / path).unlink()
        here = [sys.executable, "-m", "cyclecolor", "translate", folder / "in", "-o", folder / "out", "-q"]
        subprocess.run([*map(str, here)], check=False, stderr=subprocess.DEVNULL)
        same = [
            name
            for name in by["translated"]
            if client.cat_file(f"{root}/out/{name}") == (folder / "out" / name).read_bytes()
        ]
        result = {
            "images": images,
            "seed": seed,
            "where": f"{'folder' if local else 'S3'}, {'forks' if forks else 'Ray'}",
            "kills of workers": killer.done,
            "kills of the driver": 1,
            "seconds": round(seconds),
            "said": said,
            "again": again,
            **{status: len(names) for status, names in by.items()},
            "accounted for": sum(map(len, by.values()))
            == images
            == len(set.union(*by.values()))
            == len(records),
            "refused are those that cannot be read": by["refused"] == broken,
            "quarantined are those that crash": by["quarantined"] == crashing,
            "nothing else is left": found.keys() - {"manifest.parquet"} == by["translated"],
            "a second run writes nothing": objects(client, f"{root}/out") == found,
            "equal to the local command's": len(same),
            "all are": len(same) == len(by["translated"]),
        }
        if server:
            server.kill()
    return result


def speed(images: int, side: int) -> dict:
    """Files per second and processor time of the whole command, its start included, and without it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        write_images(folder / "in", images, side, 0)
        (folder / "one").mkdir()
        (folder / "one/a.jpg").write_bytes((folder / "in/000000.jpg").read_bytes())
        ways = {
            "local command": [],
            "threads, store to store": ["--engine", "local"],
            "ray": ["--engine", "ray"],
        }
        result = {"images": images, "side": side}
        for way, options in ways.items():
            for workers in (1, 2):
                start, start_cpu = timed(folder, "one", way, workers, options)
                whole, cpu = timed(folder, "in", way, workers, options)
                result[f"{way}, {workers}"] = {
                    "start": round(start, 1),
                    "whole": round(whole, 1),
                    "files/s after the start": round((images - 1) / max(whole - start, 1e-9), 2),
                    "CPU ms a file": round(1000 * (cpu - start_cpu) / (images - 1), 1),
                }
                print(way, workers, result[f"{way}, {workers}"], flush=True)
        return result


def timed(folder: Path, source: str, way: str, workers: int, options: list[str]) -> tuple[float, float]:
    """Seconds of one turn into an empty folder, and processor seconds of all that it starts."""
    output = folder / f"{source} {way} {workers}"
    place = output if way == "local command" else f"file://{output}"
    command = [sys.executable, "-m", "cyclecolor", "translate", folder / source, "-o", place, "-q"]
    before, begun = cpu_seconds(), time.perf_counter()
    subprocess.run([*map(str, command), "--workers", str(workers), *options], check=True)
    return time.perf_counter() - begun, cpu_seconds() - before


def cpu_seconds() -> float:
    """Of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Instant:
    """A pool that has colored everything at once."""

    size = 100

    def __init__(self):
        self.started, self.done, self.names = 0, [], []

    def start_worker(self):
        """Ready at once."""
        self.started += 1
        self.done.append(Event(self.started))

    def submit(self, worker, batch):
        """Done at once."""
        self.names += [item.output for item in batch]
        self.done.append(Event(worker, tuple(map(a_record, batch))))

    def events(self):
        """All at once."""
        found, self.done = self.done, []
        return found

    def close(self):
        """Nothing is open."""


def a_record(item) -> dict:
    """What a worker would say."""
    digest = hashlib.sha256(item.name.encode()).hexdigest()
    return {
        "input": item.name, "bytes": item.bytes, "version": item.version, "status": "translated",
        "output": item.output, "sha256": digest, "output_sha256": digest, "output_bytes": 1 << 20,
        "width": 4000, "height": 3000, "pages": 1, "seconds": 1.5, "at": "2026-11-29T12:00:00+00:00",
        "checkpoint": f"default.safetensors sha256:{digest}", "settings": "0123456789abcdef",
    }  # fmt: skip


def driver(images: int) -> dict:
    """Time and memory of all that one process does for all: listing, naming, handing out, writing down."""
    with tempfile.TemporaryDirectory() as name:
        work = Work(Path(name) / "in", Path(name) / "out", "whole", Options(workers=1), {}, {}, ("", b""))
        pool, times = Instant(), [time.process_time()]
        collection = Collection(work, lambda name: "0123456789abcdef", lambda: pool)
        usual = collection.output.entries
        listed = (Entry(f"box-{i // 1000:05}/scan-{i:08}.jpg", 1 << 20, f"{i:032x}") for i in range(images))
        collection.source.entries = lambda under="": listed
        collection.output.entries = lambda under="": (
            usual(under) if under else (Entry(name, 1) for name in pool.names)
        )
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run = collection.run()
        next(run)
        times.append(time.process_time())
        count = 1 + sum(1 for _ in run)
        times.append(time.process_time())
        assert count == collection.total == images
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        size = (Path(name) / "out/manifest.parquet").stat().st_size
    return {
        "images": images,
        "CPU seconds to the first record": round(times[1] - times[0], 1),
        "CPU microseconds a file before": round(1e6 * (times[1] - times[0]) / images, 1),
        "CPU microseconds a file after": round(1e6 * (times[2] - times[1]) / images, 1),
        "MiB above idle": (peak - idle) >> 10,
        "bytes a file in the manifest": round(size / images),
    }


def page(keys: int = 1000, turns: int = 20) -> dict:
    """Processor time of botocore for an answer, without the way to it."""
    import botocore.parsers
    import botocore.session

    operation = botocore.session.get_session().get_service_model("s3").operation_model("ListObjectsV2")
    parser = botocore.parsers.create_parser("rest-xml")
    rows = "".join(
        f"<Contents><Key>box-{i // 1000:05}/scan-{i:08}.jpg</Key><LastModified>2026-11-29T12:00:00.000Z"
        f"</LastModified><ETag>&quot;{i:032x}&quot;</ETag><Size>1048576</Size></Contents>"
        for i in range(keys)
    )
    body = f"<ListBucketResult>{rows}</ListBucketResult>".encode()
    times = []
    for _ in range(turns):
        begun = time.process_time()
        found = parser.parse({"status_code": 200, "headers": {}, "body": body}, operation.output_shape)
        times.append(time.process_time() - begun)
        assert len(found["Contents"]) == keys
    return {"keys": keys, "CPU ms": round(1000 * sorted(times)[turns // 2], 1)}


def model(
    files: int,
    machines: int,
    cores: int,
    seconds: float,
    before: float,
    after: float,
    answer: tuple,
    lists: int,
) -> dict:
    """Hours of a cluster: what all cores do side by side, and what one driver does alone.

    Parameters
    ----------
    seconds : float
        Of a core, for a photo.
    before, after : float
        Microseconds of the driver for a file, as `driver` measures them.
    answer : tuple of float
        Seconds for a request that lists 1,000 keys: until the store answers, and of a core to read that.
    lists : int
        Such requests at a time: folders that are listed side by side. Their answers are read one by one.
    """
    listing = files / 1000 * max(sum(answer) / lists, answer[1])
    coloring, records = files * seconds / (machines * cores), files * after / 1e6
    parts = {
        "listing inputs": listing,
        "naming": files * before / 1e6,
        "coloring": coloring,
        "records, side by side with coloring": records,
        "listing outputs": listing,
    }
    total = listing * 2 + files * before / 1e6 + max(coloring, records)
    most = {"files/s of the cores": machines * cores / seconds, "files/s of the driver": 1e6 / after}
    hours = {name: round(value / 3600, 2) for name, value in parts.items()}
    return hours | {"hours in all": round(total / 3600, 2)} | {k: round(v) for k, v in most.items()}


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["reliability", "speed", "driver", "page", "model", "serve"])
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument(
        "--every", type=float, default=12.0, help="processor seconds of an actor that is killed"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", action="store_true", help="a folder in the place of S3")
    parser.add_argument("--forks", action="store_true", help="processes that fork in the place of Ray's")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--files", type=int, default=10_000_000)
    parser.add_argument("--machines", type=int, default=100)
    parser.add_argument("--cores", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--before", type=float, default=40.0)
    parser.add_argument("--after", type=float, default=200.0)
    parser.add_argument("--page", type=float, default=0.15)
    parser.add_argument("--parse", type=float, default=0.06)
    parser.add_argument("--lists", type=int, default=16)
    asked = parser.parse_args()
    if asked.what == "serve":
        serve_s3()
    result = {
        "reliability": lambda: reliability(
            asked.images, asked.kills, asked.seed, asked.every, asked.folder, asked.forks
        ),
        "speed": lambda: speed(asked.images, asked.side),
        "driver": lambda: driver(asked.images),
        "page": page,
        "model": lambda: model(
            asked.files,
            asked.machines,
            asked.cores,
            asked.seconds,
            asked.before,
            asked.after,
            (asked.page, asked.parse),
            asked.lists,
        ),
    }[asked.what]()
    print(json.dumps(result, indent=2), flush=True)
    failed = [key for key, value in result.items() if value is False]
    if failed:
        sys.exit(f"broken: {', '.join(failed)}")


if __name__ == "__main__":
    main()
