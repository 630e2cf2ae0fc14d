"""Translation: a folder of photos, planned, done, and accounted for in a manifest."""

from .html_report import write_report
from .job import Job, Options, Outcome, provenance_of
from .plan import Shard, output_name

__all__ = ["Job", "Options", "Outcome", "Shard", "output_name", "provenance_of", "write_report"]
