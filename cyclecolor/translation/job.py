"""Photos and folders of photos: every file translated, skipped, or refused with its reason."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import MappingProxyType

import torch

from ..errors import CycleColorError
from ..files import shown, write_csv
from ..inference import ChromaColorizer, Colorizer, Hint
from ..photos import JPEG_SUFFIXES
from .hinted import refuse_unknown
from .manifest import Manifest
from .no_manifest import NoManifest
from .one_photo import Made, Outcome, PhotoTranslator, doubt_path
from .options import Options
from .plan import Task, inputs_of, plan_folder, plan_photos
from .refusals import exists, refuse_foreign

DOUBT_LIST, DOUBT_HEADER = "doubt.csv", ("doubt", "output")


class Job:
    """The translation of photos, or of a folder recursively; originals are only read.

    Parameters
    ----------
    source, output : Path or sequence of Path
        A folder and the folder that mirrors it, which gets a manifest; or photos and the files to make of
        them.
    colorizer : Colorizer
    options : Options
    hints : mapping of str to sequence of Hint
        By name of the input, as in `Task`. Of several pages, they are on the first.

    Raises
    ------
    CycleColorError
        If there is nothing to translate, the output cannot be there, or the checkpoint cannot do it.
    """

    def __init__(
        self,
        source: Path | Sequence[Path],
        output: Path | Sequence[Path],
        colorizer: Colorizer,
        options: Options,
        hints: Mapping[str, Sequence[Hint]] = MappingProxyType({}),
    ):
        self.source, self.output = source, output
        self.colorizer, self.options, self.hints = colorizer, options, hints
        self._check_hints()
        if options.doubt and options.direction != "to-color":
            raise CycleColorError("--doubt does not work with --direction to-gray; leave it out", exit_code=2)
        self.passed_over: Counter[str] = Counter()
        self.manifest: Manifest | NoManifest
        if isinstance(source, Path) and isinstance(output, Path) and source.is_dir():
            tasks = self._open_folder(source, output)
        else:
            tasks = self._open_photos(
                *([paths] if isinstance(paths, Path) else paths for paths in (source, output))
            )
        self.tasks = [task for task in tasks if not options.shard or options.shard.holds(task.name)]
        self.translate = PhotoTranslator(colorizer, options, self.manifest, hints)

    def _open_folder(self, source: Path, output: Path) -> list[Task]:
        options = self.options
        self._check_luma(options.suffix)
        names, self.passed_over = inputs_of(source, output, colored=options.direction != "to-color")
        refuse_unknown(self.hints, names)
        self.manifest = Manifest(output, options.shard)  # now that nothing is to complain of
        known = {name: r["output"] for name, r in self.manifest.records.items() if "output" in r}
        return plan_folder(source, output, options.suffix, known, names)

    def _open_photos(self, photos: Sequence[Path], targets: Sequence[Path]) -> list[Task]:
        if self.options.shard:
            raise CycleColorError(f"--shard works only for folders: {shown(photos[0])}", exit_code=2)
        tasks = plan_photos(photos, targets)
        refuse_unknown(self.hints, [task.name for task in tasks])
        for task in tasks:
            self._check_luma(task.target.suffix)
        self.manifest = NoManifest(overwrite=self.options.overwrite)
        return tasks

    def _check_luma(self, suffix: str | None) -> None:
        """Complain if luma is to be kept where it cannot be, whatever the input."""
        to_jpeg = suffix is None or suffix.lower() in JPEG_SUFFIXES
        colors = isinstance(self.colorizer, ChromaColorizer) and self.options.direction == "to-color"
        if self.options.lossless_luma and not (to_jpeg and colors):
            raise CycleColorError(
                "--lossless-luma works only for JPEG, and for checkpoints that keep lightness; leave it out",
                exit_code=2,
            )

    def _check_hints(self) -> None:
        """Complain of hints or a reference to what cannot take them, before anything is read."""
        if isinstance(self.colorizer, ChromaColorizer) and self.options.direction == "to-color":
            return
        for what, given in (("hints", any(self.hints.values())), ("references", self.options.reference)):
            if given:
                message = f"{what} are for colors, and for checkpoints that keep lightness; leave them out"
                raise CycleColorError(message, exit_code=2)

    def run(self, stop: Callable[[], int] = lambda: False) -> Iterator[Outcome]:
        """Do it; outcomes come as they are ready. Once `stop()`, photos in hand are finished, none begun."""
        workers = self.options.workers
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            in_hand: set[Future[Made]] = set()
            try:
                for task in self.tasks:
                    if stop():
                        break
                    if settled := self._settled(task):
                        yield settled
                        continue
                    self.manifest.start(task)
                    in_hand.add(pool.submit(self.translate, task))
                    while len(in_hand) > workers:
                        yield from self._finished(in_hand)
                while in_hand:
                    yield from self._finished(in_hand)
            finally:
                self._settle(in_hand)

    def _settle(self, in_hand: set[Future[Made]]) -> None:
        try:
            for future in in_hand:
                self.manifest.add(future.result()[1])
        finally:
            self.manifest.close()
        if not self.options.shard:
            self._list_doubts()

    def _list_doubts(self) -> None:
        """The photos whose doubt is known, most doubtful first."""
        doubts = [(r["doubt"], r["output"]) for r in self.manifest.records.values() if "doubt" in r]
        if doubts and isinstance(self.manifest, Manifest):
            rows = sorted(doubts, key=lambda row: (-row[0], row[1]))
            path = self.manifest.path.with_name(DOUBT_LIST)
            refuse_foreign(path, ",".join(DOUBT_HEADER).encode())
            write_csv([DOUBT_HEADER, *rows], path)

    def _finished(self, in_hand: set[Future[Made]]) -> Iterator[Outcome]:
        for future in wait(in_hand, return_when=FIRST_COMPLETED).done:
            in_hand.discard(future)
            outcome, record = future.result()
            self.manifest.add(record)
            yield outcome

    def _settled(self, task: Task) -> Outcome | None:
        """What there is to say of a task without work on it."""
        if self.options.overwrite:
            return None
        targets = [task.target, *([doubt_path(task)] if self.options.doubt else [])]
        if self.manifest.is_current(task, self.translate.settings(task), targets):
            return Outcome(task, "skipped")
        foreign = next((target for target in targets if not self.manifest.is_ours(task, target)), None)
        if foreign is None:
            return None
        reason = str(exists(foreign))
        self.manifest.add({"input": task.name, "status": "refused", "code": "exists", "reason": reason})
        return Outcome(task, "refused", reason)
