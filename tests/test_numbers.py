"""Numbers on the pages are those of the code, of the tests and of the files that they speak of."""

import hashlib
import importlib
import json
import re
import sys
from pathlib import Path

import pytest
from hostile import payloads

from cyclecolor.checkpoint import format as checkpoint_format
from cyclecolor.checkpoint import read_checkpoint, safetensors_file
from cyclecolor.config import Data, Experiment
from cyclecolor.demo import serve, work
from cyclecolor.evaluation.audit import LIMITS
from cyclecolor.evaluation.pictures import STATISTICS
from cyclecolor.inference import chroma_colorizer, colorizer_of, reference, spreading
from cyclecolor.photos.tiff import MAX_PAGES
from cyclecolor.storage import objects, retrying
from cyclecolor.translation import html_report

ROOT = Path(__file__).parent.parent
CARDS = sorted((ROOT / "checkpoints").glob("*.md"))


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_the_film_on_a_card_is_that_of_the_checkpoint(card):
    said = re.search(r"weights of red, green, blue (\d.\d+), (\d.\d+), (\d.\d+)", text_of(card))
    film = colorizer_of(read_checkpoint(card.with_suffix(".safetensors"))).film
    if said:
        found = [f"{film[name]:.2f}" for name in ("red", "green", "blue")]
        assert list(said.groups()) == found


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_the_figures_on_a_card_are_those_measured_of_its_file(card, monkeypatch):
    """Those of the JSON that benchmarks/card.py wrote of this very checkpoint, and no others."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script = importlib.import_module("card")
    record = json.loads(card.with_suffix(".json").read_text(encoding="utf-8"))
    content = card.with_suffix(".safetensors").read_bytes()
    assert record["sha256"] == hashlib.sha256(content).hexdigest(), "measure it anew: benchmarks/card.py"
    said = [line for line in text_of(card).splitlines() if line.startswith(script.ROWS)]
    assert said == list(script.rows(record))
    assert record["scores"]
    assert record["audits"]


DEFAULT_ROWS = {  # of the table of `default` in RESULTS.md: metric, what it is of, digits
    "CIEDE2000": ("ciede2000", "ours", 2),
    "gain over gray, paired": ("ciede2000_gain", "do_nothing", 2),
    "gain over mean color, paired": ("ciede2000_gain", "mean_color", 2),
    "hue error, degrees": ("hue_error", "ours", 1),
    "cosine of hue": ("hue_cosine", "ours", 2),
    "colorfulness ratio": ("colorfulness_ratio", "ours", 2),
}


def test_the_table_of_default_is_that_of_its_record():
    """Rows of the checkpoint that is released; those of the one before are of a file that is not here."""
    record = json.loads(text_of("checkpoints/default.json"))["scores"]
    tables = re.findall(r"\n\n(\| .*`broad_test`(?:.*\n\|)+.*)", text_of("docs/results/RESULTS.md"))
    (of_sets, *_), (on_film, *_) = (
        [table for table in tables if words in table]
        for words in ("| `mixed_test` (242) |", "on `mixed_box` (three films)")
    )
    plain = [record[name]["scores"] for name in ("everyday photos", "many kinds", "landscapes")]
    film = record["everyday photos on three old films"]["scores"]
    film = {name.removesuffix("_at_true_lightness"): row for name, row in film.items()}
    for table, columns, least in ((of_sets, plain, 6), (on_film, [film], 3)):
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        said = {row[0]: row[1 : 1 + len(columns)] for row in rows if row[0] in DEFAULT_ROWS}
        assert len(said) == least
        for label, cells in said.items():
            metric, of, digits = DEFAULT_ROWS[label]
            found = [scores[metric][of] for scores in columns]
            assert cells == [
                "{value:.{n}f} [{low:.{n}f}, {high:.{n}f}]".format(**score, n=digits) for score in found
            ], label
    casts = [[scores["cast_ratio"][of]["value"] for of in ("ours", "truth")] for scores in plain]
    grays = [scores["near_gray_share"]["ours"]["value"] for scores in plain]
    for label, cells in (
        ("cast ratio, that of the truth", [f"{ours:.2f}, {truth:.2f}" for ours, truth in casts]),
        ("near-gray outputs", [f"{share:.1%}" for share in grays]),
    ):
        assert f"| {label} | {' | '.join(cells)} |" in of_sets


COMPARED = sorted((ROOT / "docs" / "results" / "compared").glob("*.json"))
TABLES = [  # a page, the JSON in docs/results, and the script that writes that and prints the table
    ("results/HINTS.md", "hints.json", "bench_hints"),
    ("results/HINTS.md", "references.json", "bench_reference"),
    ("results/AUDIT.md", "controls.json", "controls"),
    ("results/RESULTS.md", "faces.json", "faces"),
    ("results/RESULTS.md", "doubt.json", "reliability"),
    ("results/RESULTS.md", "beside_others.json", "beside_others"),
    ("results/RESULTS.md", "film_gap.json", "film_gap"),
    ("results/RESULTS.md", "film_box.json", "film_gap"),
    ("results/MUTATION.md", "mutation.json", "mutation"),
    ("results/TRANSLATE.md", "translate.json", "bench_translate"),
    ("results/SPEED.md", "train.json", "bench_train"),
    ("results/TRANSLATE.md", "network.json", "bench_network"),
    ("results/TRANSLATE.md", "denoise.json", "denoise"),
    ("onnx.md", "onnx.json", "bench_onnx"),
    *(("results/RESULTS.md", f"compared/{path.name}", "compare") for path in COMPARED),
]
SENTENCES = [  # the same, of scripts that print one
    ("results/ROBUSTNESS.md", "resume.json", "resume_grid"),
    ("results/ROBUSTNESS.md", "torture.json", "torture"),
    ("results/ROBUSTNESS.md", "fuzz.json", "fuzz_checkpoints"),
    ("results/ROBUSTNESS.md", "mutants.json", "mutants"),
    ("results/ROBUSTNESS.md", "reliability.json", "bench_collection"),
]


def measured(page, name, script, monkeypatch):
    """The text of a page, a record, and the script that wrote it."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    record = json.loads(text_of(f"docs/results/{name}"))
    return text_of(f"docs/{page}"), record, importlib.import_module(script)


@pytest.mark.parametrize(("page", "name", "script"), TABLES, ids=lambda part: part.rpartition("/")[2])
def test_tables_are_of_what_was_measured(page, name, script, monkeypatch):
    """The page has the table that the script makes of its JSON, names the commit, and has the command."""
    text, record, module = measured(page, name, script, monkeypatch)
    assert module.table(record) in text
    for run in record if isinstance(record, list) else [record]:
        assert f" {run['commit']}" in text
        assert run.get("command", "") in text


@pytest.mark.parametrize(("page", "name", "script"), SENTENCES, ids=lambda part: part.rpartition("/")[2])
def test_counts_are_of_what_was_measured(page, name, script, monkeypatch):
    """The page has the sentence that the script makes of its JSON, with the command and the commit."""
    text, record, module = measured(page, name, script, monkeypatch)
    assert module.sentence(record) in text
    assert f"`{record['command']}` at {record['commit']}" in text


@pytest.mark.parametrize("page", ["SPEED.md", "TRANSLATE.md", "ROBUSTNESS.md"])
def test_measured_sections_name_a_commit(page):
    for section in text_of(f"docs/results/{page}").split("\n## ")[1:]:
        if "not measured" not in section.splitlines()[0].lower():
            assert re.search(r"\b(?=[a-f]*\d)[0-9a-f]{7}\b", section), section.splitlines()[0]


def test_the_released_checkpoints_pass_their_audits_and_the_control_does_not():
    assert "## The released checkpoints pass\n" in text_of("docs/results/AUDIT.md")
    for card in CARDS:
        audits = json.loads(card.with_suffix(".json").read_text(encoding="utf-8"))["audits"].values()
        assert [audit["passed"] for audit in audits] == [True] * len(audits)
    control, *_ = json.loads(text_of("docs/results/controls.json"))["controls"].values()
    assert control["figures"]["R_swap"]["verdict"] == "fails"


def test_skin_on_the_card_is_that_of_the_faces():
    rows = [r for r in json.loads(text_of("docs/results/faces.json"))["rows"] if r["checkpoint"] == "default"]
    said = re.search(r"\| skin \| (.*) \|", text_of("checkpoints/default.md"))[1]
    hues = [row["scores"]["hue error, degrees"] for row in rows]
    (light, dark) = ([round(hue[name]) for name in ("value", "low", "high")] for hue in hues)
    assert [row["skin"] for row in rows] == ["light", "dark"]
    assert said == (
        f"hue error {light[0]} degrees [{light[1]}, {light[2]}] on {rows[0]['faces']} light faces, "
        f"{dark[0]} [{dark[1]}, {dark[2]}] on {rows[1]['faces']} dark ones"
    )


def test_records_beside_the_results_are_on_a_page():
    folder = ROOT / "docs/results"
    records = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
    assert records == {name for _, name, _ in [*TABLES, *SENTENCES]}


def test_what_survives_mutation_is_spoken_of():
    for run in json.loads(text_of("docs/results/mutation.json")):
        for survivor in run["survivors"]:
            function = survivor.splitlines()[0].removeprefix("cyclecolor/")
            assert f"`{function}`" in text_of("docs/results/MUTATION.md")


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_the_size_on_a_card_is_that_of_its_network(card):
    said = re.search(r"; (\d+\.\d+) M parameters", text_of(card))
    tensors = read_checkpoint(card.with_suffix(".safetensors")).averaged("G_color").values()
    if said:
        assert said[1] == f"{sum(t.numel() for t in tensors) / 1e6:.2f}"


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_cards_say_what_may_be_done_with_the_weights(card):
    assert "| license |" in text_of(card)
    assert card.with_suffix(".safetensors").exists()


def test_figures_of_a_checkpoint_are_on_its_card_alone():
    for page in ("README.md", *(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").glob("*.md"))):
        assert not re.findall(r"\d+\.\d+ \[\d+\.\d+, \d+\.\d+\]", text_of(page)), page


def test_limits_of_the_audit():
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([\d.]+) \|$", text_of("docs/evaluate.md"), flags=re.MULTILINE)
    said = {name: float(limit) for name, limit in rows}
    assert said.pop("R_noise_SIGMA") == LIMITS["R_noise_0.005"]
    assert said == {name: limit for name, limit in LIMITS.items() if not name.startswith("R_noise")}


def test_scores_that_are_explained_exist():
    table = text_of("docs/evaluate.md").split("| score |")[1].split("\n\n")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)
    assert len(named) >= 8
    assert set(named) <= STATISTICS.keys()


SAID = [
    ("SECURITY.md", r"file (\d+) GiB at most", safetensors_file.MAX_FILE / 2**30),
    ("SECURITY.md", r"header (\d+) MiB", safetensors_file.MAX_HEADER / 2**20),
    ("SECURITY.md", r"settings (\d+) KiB", checkpoint_format.MAX_JSON / 2**10),
    ("SECURITY.md", r"at most ([\d,]+) pages", MAX_PAGES),
    ("SECURITY.md", r"uploads of more than (\d+) MB", serve.MAX_FILE / 2**20),
    ("docs/demo.md", r"(\d+) MB a file", serve.MAX_FILE / 2**20),
    ("docs/demo.md", r"(\d+) megapixels a photo", work.MAX_PIXELS / 1e6),
    ("docs/demo.md", r"(\d+) photos (?:at a time|and)", work.MAX_PHOTOS),
    ("docs/translate.md", r"side of (\d+) pixels", html_report.SIDE),
    ("docs/train.md", r"`data\.copy_gb` \((\d+) GB\)", Data.model_fields["copy_gb"].default),
    (
        "docs/cluster.md",
        r"\((\d+) minutes by default\)",
        Experiment.model_fields["save_every_minutes"].default,
    ),
    ("docs/cluster.md", r"again for about (\d+) seconds", round(sum(retrying.WAITS), -1)),
    ("docs/cluster.md", r"one list for each ([\d,]+) keys", objects.KEYS),
    ("docs/cluster.md", r"in S3, (\d+) folders are listed side by side", objects.SIDE_BY_SIDE),
    ("docs/hints.md", r"copy of short side (\d+)", chroma_colorizer.HINT_SIDE),
    ("docs/hints.md", r"One standard deviation is ([\d.]+) of", spreading.REACH),
    ("docs/hints.md", r"short side, (\d+) of L\*'s 100", 50 * spreading.LIGHTNESS_REACH),
    ("docs/hints.md", r"looked at on (\d+) places", reference.PLACES),
    ("docs/hints.md", r"reaches of ([\d.]+) of L\*'s 100", 50 * reference.LIGHTNESS_REACH),
]


@pytest.mark.parametrize(("page", "words", "value"), SAID, ids=lambda part: str(part)[:40])
def test_limits_on_pages_are_those_of_the_code(page, words, value):
    (said,) = re.findall(words, " ".join(text_of(page).split()))
    assert float(said.replace(",", "")) == value


def test_limits_of_collections_on_the_page_are_those_of_the_code():
    pytest.importorskip("pyarrow", reason="the extra `storage` is not installed")
    from cyclecolor.collection import dispatch, tars, worker

    page = " ".join(text_of("docs/cluster.md").split())
    said = re.search(r"It has (\d+) GiB and ([\d,]+) files at most", page)
    assert int(said[1]) << 30 == tars.MOST_BYTES
    assert int(said[2].replace(",", "")) == tars.MOST_MEMBERS
    for words in (
        r"which \((\d+) at most\)",
        r"one PUT for each (\d+) photos",
        r"up to (\d+) photos once more",
    ):
        assert re.findall(words, page) == [str(dispatch.BATCH)]
    assert re.findall(r"cost a GET of (\d+) bytes", page) == [str(worker.HEAD)]


def test_a_cluster_on_paper_is_that_of_the_command(monkeypatch, capsys):
    """Each column is what the command on the page prints."""
    pytest.importorskip("pyarrow", reason="the extra `storage` is not installed")
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script, page = importlib.import_module("bench_collection"), text_of("docs/cluster.md")
    options = re.search(
        r"`bench_collection\.py (model .*) --lists 16`, and `--lists 1`", " ".join(page.split())
    )
    table = re.search(r"\| part \|.*\n\|.*\n((?:\|.*\n)+)", page)[1].splitlines()
    for lists, column in ((1, 2), (16, 3)):
        monkeypatch.setattr(sys, "argv", ["", *options[1].split(), "--lists", str(lists)])
        script.main()
        hours = list(json.loads(capsys.readouterr().out).values())
        assert [float(row.split("|")[column]) for row in table] == hours[: len(table)]
    assert f"coloring, {hours[-2]:,} photos/s" in page
    assert f"it could keep up with {round(hours[-1], -2):,}/s" in page


def test_the_readme_promises_what_was_measured():
    """Of every checkpoint that is released, on all photos that it was scored on."""
    readme = " ".join(text_of("README.md").split())
    assert "its lightness differs from the scan's by at most half an 8-bit level on every pixel" in readme
    for card in CARDS:
        scores = json.loads(card.with_suffix(".json").read_text(encoding="utf-8"))["scores"]
        worst = [of_set["scores"]["lightness_error_max"]["ours"]["value"] for of_set in scores.values()]
        assert max(worst) <= 0.5
    (python,) = re.findall(r"You need Python ([\d.]+) or newer", readme)
    assert f"python_requires = >={python}\n" in text_of("setup.cfg")


def test_payloads_are_as_many_as_said(tmp_path):
    pages = text_of("SECURITY.md") + text_of("docs/results/ROBUSTNESS.md")
    (count,) = set(re.findall(r"(\d+) payloads", pages))
    assert len(payloads(tmp_path, tmp_path / "canary")) == int(count)


def test_the_distance_between_processes_is_that_of_the_test():
    (asked,) = set(re.findall(r"distance\(.*\) < (\S+)", text_of("tests/test_processes.py")))
    assert f"holds this to {asked} of" in text_of("docs/cluster.md")
    results = text_of("docs/results/ROBUSTNESS.md")
    assert f"the end within {asked} of" in results
    assert f"agree to {asked} (" in results


def film_gap_rows() -> list[dict[str, str]]:
    """The rows of the tables that benchmarks/film_gap.py prints, column to cell; `film` is the first."""
    rows, header = [], []
    for line in text_of("docs/results/RESULTS.md").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            header = []
        elif not header:
            header = ["metric", *cells[1:]]
        elif {"seed", "floor", "unpaired", "oracle", "closed"} <= set(header) and cells[-1].endswith("%"):
            rows.append(dict(zip(header, cells, strict=True)))
    return rows


def test_shares_of_the_film_gap_are_those_of_their_rows():
    rows = film_gap_rows()
    assert len(rows) >= 8
    for row in rows:
        floor, unpaired, oracle = (float(row[name].split()[0]) for name in ("floor", "unpaired", "oracle"))
        share = (floor - unpaired) / (floor - oracle)
        rounding = 0.02 / abs(floor - oracle) + 0.005  # of the cells, to two digits
        assert float(row["closed"].rstrip("%")) / 100 == pytest.approx(share, abs=rounding), row


def test_means_of_the_film_gap_are_those_of_their_seeds():
    seeds: dict[str, list[float]] = {}
    checked = 0
    for row in film_gap_rows():
        value = float(row["unpaired"].split()[0])
        if row["seed"] != "mean":
            seeds.setdefault(row["metric"], []).append(value)
        elif of_seeds := seeds.pop(row["metric"], None):
            assert value == pytest.approx(sum(of_seeds) / len(of_seeds), abs=0.011), row
            checked += 1
    assert checked >= 4
