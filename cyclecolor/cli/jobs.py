"""Photos and folders on this computer: what is to be done with them, and what became of them."""

import logging
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ..errors import CycleColorError
from ..files import shown
from .destinations import files_for, folder_for
from .progress import progress_bar
from .stopping import stoppable

if TYPE_CHECKING:
    from ..inference import Colorizer, Hint
    from ..translation import Job, Options
    from ..translation.plan import Task

logger = logging.getLogger("cyclecolor")


def jobs_of(
    sources: list[Path],
    output: Path | None,
    colorizer: "Colorizer",
    settings: "Options",
    hints: "Mapping[str, Sequence[Hint]]",
    *,
    report: bool,
) -> "list[Job]":
    """One for each folder, and one for all photos."""
    from ..translation import Job

    word = settings.direction.removeprefix("to-")
    folders = [source for source in sources if source.is_dir()]
    photos = [source for source in sources if not source.is_dir()]
    if output and folders and len(sources) > 1:
        raise CycleColorError("--output is for one folder, or for photos; leave it out", exit_code=2)
    if report and photos:
        raise CycleColorError("--report is for folders; leave it out", exit_code=2)
    jobs = [Job(folder, folder_for(folder, output, word), colorizer, settings, hints) for folder in folders]
    if photos:
        targets = files_for(photos, output, word, settings.suffix)
        jobs.append(Job(photos, targets, colorizer, settings, hints))
    return jobs


def do_jobs(jobs: "list[Job]", names: Mapping[str, str], *, report: bool) -> int:
    """Run jobs, say what became of their photos, and return the exit code.

    `names` has what a message calls a file in place of its path.
    """
    counts, lumas, notes = {"translated": 0, "skipped": 0, "refused": 0}, Counter[str](), Counter[str]()
    total = sum(len(job.tasks) for job in jobs)
    with stoppable() as stopped, progress_bar(total=total, unit=" photos", leave=total > 1) as bar:
        for outcome in (outcome for job in jobs for outcome in job.run(stop=stopped)):
            counts[outcome.status] += 1
            lumas[outcome.luma] += 1
            notes.update({"lost": bool(outcome.lost), "warnings": bool(outcome.warnings)})
            if total == 1:
                for note in outcome.notes:
                    logger.info("%s", note)
            bar.set_postfix(refused=counts["refused"], refresh=False)
            bar.update()
            if outcome.status == "refused":
                reason = f"refused: {outcome.reason}"
                for path, name in names.items():
                    reason = reason.replace(path, name)
                bar.write(reason, file=sys.stderr)
    for job in jobs:
        _say_what_else(job, report=report)
    for kind, words in (("lost", "that lost some metadata"), ("warnings", "read with a warning")):
        if total > 1 and notes[kind]:
            logger.info('photos %s: %s; see "%s" in manifest.jsonl', words, notes[kind], kind)
    if jobs[0].options.lossless_luma:
        logger.info("luma of gray JPEGs kept: %s, encoded again: %s", lumas["kept"], lumas["encoded anew"])
    if total == counts["skipped"] == 1:
        logger.info("already done")
    where = _where([task for job in jobs for task in job.tasks]) if counts["refused"] < total else ""
    logger.info("%s%s", ", ".join(f"{count} {status}" for status, count in counts.items()), where)
    if left := total - sum(counts.values()):
        logger.info("stopped with %s photos to go; the same command continues from here", left)
    return stopped() or (1 if counts["refused"] else 0)


def _say_what_else(job: "Job", *, report: bool) -> None:
    """Where the report is, and what was passed over."""
    from ..photos import TAR_SUFFIX
    from ..translation import write_report

    if report and isinstance(job.output, Path) and isinstance(job.source, Path):
        records = job.manifest.records.values()
        logger.info("report: %s", write_report(job.output, job.source, records, progress=progress_bar))
    for kind, count in job.passed_over.most_common():
        logger.info("passed over: %s %s", count, kind)
    if job.passed_over[TAR_SUFFIX] and isinstance(job.source, Path):
        ends = [f"file://{quote(str(job.source.resolve()))}", "--output", str(job.output)]
        logger.info("photos in tars, too: %s", shlex.join(["cyclecolor", "translate", *ends]))


def _where(tasks: "list[Task]") -> str:
    """The file or the folder of all that was made, if there is one."""
    places = {task.target if len(tasks) == 1 else task.root for task in tasks}
    return f": {shown(places.pop())}" if len(places) == 1 else ""
