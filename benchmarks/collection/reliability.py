"""Promises B1 and B2: nothing lost and nothing doubled, whoever dies, and the local command's bytes."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ray_driver import TOO_BUSY

from cyclecolor.collection.manifest import read_manifest
from cyclecolor.storage import Address, open_store

from .pictures import spoil, write_images
from .processes import cpu_seconds_of, fields_of
from .s3_server import start_store

TESTS = Path(__file__).parent.parent.parent / "tests"
FORKS = b"forks_driver.py"


def actors(forks: bool) -> list[int]:
    """Process ids of our workers, of the kind that is asked for; none of other sessions of this machine."""
    found = []
    for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()):
        try:
            if os.getsid(pid) != os.getsid(0):
                continue
            command, parent = Path(f"/proc/{pid}/cmdline").read_bytes(), fields_of(pid)[1]
            is_fork = FORKS in command and FORKS in Path(f"/proc/{parent}/cmdline").read_bytes()
        except OSError:
            continue
        if is_fork if forks else b"ray::RayWorker" in command:
            found.append(pid)
    return found


class Killer(threading.Thread):
    """Kills actors until it has killed as many as it should, each at a random time of its own.

    Times are an actor's own seconds of a processor, its start included: a busy machine kills no more of them.
    """

    def __init__(self, count: int, every: float, rng: random.Random, forks: bool):
        super().__init__(daemon=True)
        self.count, self.every, self.rng, self.forks, self.done = count, every, rng, forks, 0

    def run(self) -> None:
        """Until it has."""
        while self.done < self.count:
            age = self.rng.uniform(0.5, 1.5) * self.every
            while not (found := [pid for pid in actors(self.forks) if cpu_seconds_of(pid) > age]):
                time.sleep(1)
            try:
                os.kill(self.rng.choice(found), signal.SIGKILL)
                self.done += 1
            except ProcessLookupError:
                continue


def start(*words: object) -> subprocess.Popen:
    """A new Python."""
    command = [sys.executable, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def drive(driver: Path, *arguments: object) -> subprocess.Popen:
    """The command with workers whose decoders can crash."""
    return start(driver, "translate", *arguments, "--engine", "ray")


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


def sentence(record: dict) -> str:
    """What became of all images."""
    broken = ", ".join(promise for promise, kept in record.items() if kept is False)
    return (
        f"{record['images']:,} images of seed {record['seed']} ({record['where']}), "
        f"{record['kills of workers']} kills of workers and {record['kills of the driver']} of the driver: "
        f"{record['translated']:,} translated, {record['refused']} refused, "
        f"{record['quarantined']} quarantined, {f'BROKEN: {broken}' if broken else 'all promises kept'}"
    )


def reliability(images: int, kills: int, seed: int, every: float, local: bool, forks: bool) -> dict:
    """What became of all images, and each promise as true or false."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server, client, root = start_store(folder if local else None)
        write_images(folder / "in", images, (32, 32), seed)
        crashing, broken = spoil(folder / "in", seed)
        client.put(f"{folder}/in/", f"{root}/in/", recursive=True)
        program = TESTS / ("forks_driver.py" if forks else "ray_driver.py")
        ends = (program, f"{root}/in", "-o", f"{root}/out", "--workers", 2)
        begun = time.perf_counter()
        killer = Killer(kills, every, random.Random(seed), forks)
        killer.start()
        driver = drive(*ends)
        while len(objects(client, f"{root}/out")) < images // 2:
            time.sleep(max(1, images / 500))  # a server of this kind needs a while to list them
            if driver.poll() is not None:
                driver = drive(*ends)  # Ray did not start, or died
        driver.send_signal(signal.SIGKILL)
        driver.communicate()
        killed = driver.returncode == -signal.SIGKILL
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
        start("-m", "cyclecolor", "translate", folder / "in", "-o", folder / "out", "-q").communicate()
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
            "kills of the driver": int(killed),
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
