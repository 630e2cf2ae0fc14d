"""Translation: a folder of photos, planned, done, and accounted for in a manifest."""

from .hinted import collect_hints
from .html_report import write_report
from .job import Job
from .one_photo import Outcome
from .options import Options, provenance_of
from .plan import output_name
from .referenced import read_reference
from .shard import Shard

__all__ = [
    "Job",
    "Options",
    "Outcome",
    "Shard",
    "collect_hints",
    "output_name",
    "provenance_of",
    "read_reference",
    "write_report",
]
