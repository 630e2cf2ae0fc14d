"""The page about runs: complete, quiet on the network, and right where it is computed."""

import json
import re
import shutil
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner
from conftest import tiny_experiment

from cyclecolor.cli.main import main
from cyclecolor.evaluation.charts import MOST_POINTS, line_chart, thinned, ticks
from cyclecolor.training import train
from cyclecolor.training.run_record import RunRecord


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two runs on scenes, three checkpoints each."""
    folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    for seed, folder in enumerate(folders):
        train(tiny_experiment(seed=seed, num_steps=5, save_every=2, method="regression"), folder)
    return folders


@pytest.fixture
def page(tmp_path):
    """Call `report`; its page."""

    def run(*folders, code=0) -> str:
        output = tmp_path / "report.html"
        result = CliRunner().invoke(main, ["report", *map(str, folders), "-o", str(output)])
        assert result.exit_code == code, result.output
        return output.read_text() if code == 0 else result.output

    return run


class Checker(HTMLParser):
    """Every element is closed, none asks for anything, and what tables say is in their cells."""

    VOID = ("meta", "input", "img")

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.data = [], [], []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        assert tag not in ("script", "link", "iframe", "object")
        assert all(attributes.get(name, "data:").startswith("data:") for name in ("src", "href", "action"))
        self.seen.append((tag, attributes))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag == "path"  # the only one that is written so

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        assert not (data.strip() and self.open[-1] in ("table", "tr"))
        self.data.append(data)


def checked(text: str) -> Checker:
    checker = Checker()
    checker.feed(text)
    assert not checker.open
    assert "url(" not in text
    assert "@import" not in text
    return checker


def test_one_page_of_two_runs(runs, page):
    (runs[0] / "scores.json").write_text(
        json.dumps({"scores": {"ciede2000": {"ours": {"value": 9.5, "low": 9.0, "high": 10.0}, "x": None}}})
    )
    (runs[0] / "audit.json").write_text(
        json.dumps({"figures": {"R_swap": {"score": {"value": 1.02}, "limit": 1.1, "verdict": "passes"}}})
    )
    text = page(*runs)
    checker = checked(text)
    words = " ".join(checker.data)
    assert str(runs[0].parent) not in words  # names are what tells runs apart
    for expected in (
        runs[0].name,
        runs[1].name,
        "run method steps images seen images/s",
        "5 of 5",
        "9.50 [9.00, 10.00]",
        "1.02, passes",
        "regression",
    ):
        assert expected in words
    sliders = [attributes for tag, attributes in checker.seen if tag == "input"]
    assert [slider["max"] for slider in sliders] == ["2", "2"]  # three checkpoints each
    captions = re.findall(r"<figcaption>step (\d)</figcaption>", text)
    assert captions == ["2", "4", "5"] * 2


def test_settings_are_a_diff(runs):
    changes = RunRecord.of(runs[1])[0].changes
    assert changes["seed"] == (0, 1)
    assert changes["data.size"] == (64, 32)
    assert "space" not in changes


def test_a_log_that_is_no_log_costs_its_lines(runs, page):
    with open(runs[0] / "log.jsonl", "ab") as log:
        log.write(b'[1]\n{\xff\n{"step": 6, "regression": NaN}\n' + b"[" * 100_000 + b"\n")
    (runs[0] / "other.json").write_text('{"scores": [1]}')
    checked(page(*runs))
    assert [step for step, _ in RunRecord.of(runs[0])[0].losses["regression"]] == [1, 2, 3, 4, 5, 6]


def test_mistakes_are_one_line(runs, page, tmp_path):
    assert page(tmp_path, code=2).startswith(f"cyclecolor: {tmp_path}: no checkpoint in this folder")
    many = [tmp_path / str(i) for i in range(7)]
    assert "name at most 6" in page(*many, code=2)
    assert "0: no file, run folder or released checkpoint" in page(*many[:6], code=2)


def test_names_are_the_shortest_ends_of_paths_that_differ(runs, tmp_path):
    far = tmp_path / "far" / runs[0].name
    shutil.copytree(runs[0], far)
    assert [record.name for record in RunRecord.of(*runs, runs[0])] == [run.name for run in runs]
    names = [record.name for record in RunRecord.of(runs[0], far)]
    assert names == [f"{runs[0].parent.name}/{runs[0].name}", f"far/{far.name}"]


# --- charts -------------------------------------------------------------------------------------


def test_a_line_is_where_its_numbers_are():
    """From (0, 0), the lower left of the plot, to (10, 4), its upper right."""
    chart = line_chart("loss", {"a": [(0, 0.0), (5, float("nan")), (10, 4.0)]})
    assert re.search(r'class="line" [^>]*d="M52\.0 178\.0L402\.0 8\.0"', chart)


def test_names_do_not_become_html():
    assert "<b>" not in line_chart("<b>", {"a": []})


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0, 0.037), (-3, 12), (0, 31_000), (5, 6)])
def test_ticks_are_few_and_within(low, high):
    found = ticks(low, high)
    assert 2 <= len(found) <= 8
    assert all(low <= tick <= high * (1 + 1e-9) for tick in found)


def test_a_thinned_line_has_the_same_mean():
    line = [(i, float(i % 7)) for i in range(10 * MOST_POINTS)]
    thin = thinned(line)
    assert len(thin) == MOST_POINTS
    assert sum(y for _, y in thin) / len(thin) == pytest.approx(sum(y for _, y in line) / len(line))
