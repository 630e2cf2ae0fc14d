"""Scores as a table of text."""

from .evaluate import Scores
from .scores import Score


def table(scores: Scores) -> str:
    """Metrics as rows, what is scored as columns, values with their 95% intervals."""
    columns = list(dict.fromkeys(column for row in scores.values() for column in row))
    width = max(map(len, scores))
    lines = [" " * width + "".join(f"{column:>24}" for column in columns)]
    for name, row in scores.items():
        cells = "".join(f"{cell(row.get(column)):>24}" for column in columns)
        lines.append(f"{name:<{width}}{cells}")
    return "\n".join(lines)


def cell(score: Score | None) -> str:
    """A value and its interval, or a dash."""
    if score is None:
        return "-"
    digits = 2 if abs(score.value) >= 1 else 3
    if score.low is None:
        return f"{score.value:.{digits}f}"
    return f"{score.value:.{digits}f} [{score.low:.{digits}f}, {score.high:.{digits}f}]"
