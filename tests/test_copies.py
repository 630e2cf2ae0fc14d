"""Piles in object storage: copied once, and then as exact as folders."""

import json
import os
from contextlib import closing
from functools import partial

import pytest
from conftest import tiny_experiment
from test_processes import together
from test_tars import link, packed

from cyclecolor.checkpoint import read_checkpoint
from cyclecolor.checkpoint.run_folder import checkpoint_path
from cyclecolor.config import Data
from cyclecolor.errors import CycleColorError
from cyclecolor.storage import Entry, FolderStore, ObjectStore, StorageError
from cyclecolor.training import Trainer, train
from cyclecolor.training.copies import at_hand, copy_piles

copy = partial(copy_piles, begun=False, accepted=False)


@pytest.fixture
def run(tmp_path):
    """The folder of a run that is to come."""
    return tmp_path / "run"


def upload(files, folder, root):
    for path in folder.rglob("*"):
        if path.is_file():
            files.pipe_file(f"{root}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def pile(folder) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def test_a_training_from_s3_is_that_of_the_folders(s3, photo_folder, run, tmp_path, monkeypatch):
    for name in ("gray", "color"):
        upload(s3, photo_folder, f"bucket/{name}")
    at_s3 = {"gray": "s3://bucket/gray", "color": "s3://bucket/color", "size": 32}
    here = {"gray": str(photo_folder), "color": str(photo_folder), "size": 32}
    steps = {"num_steps": 4, "match_steps": 2}
    whole = train(tiny_experiment(data=here, **steps), tmp_path / "here")
    train(tiny_experiment(data=at_s3, num_steps=2, match_steps=2), run)
    assert pile(run / "photos/gray") == pile(photo_folder)
    monkeypatch.setattr("cyclecolor.storage.ObjectStore.fetch", lambda *_: pytest.fail("copied before"))
    last = train(tiny_experiment(data=at_s3, **steps), run)
    one, two = read_checkpoint(whole), read_checkpoint(last)
    assert all(one.tensors[name].equal(two.tensors[name]) for name in one.tensors)
    assert two.experiment.data.gray == "s3://bucket/gray"


def test_photos_that_change_in_the_store_are_noticed(memory, photo_folder, run):
    """Those of the run stay as they are until the change is accepted."""
    upload(memory, photo_folder, "/color")
    data = {"color": "memory://color", "size": 32}
    begin = tiny_experiment(data=data, method="regression", num_steps=2)
    train(begin, run)
    before = pile(run / "photos/color")
    memory.pipe_file("/color/0.png", memory.cat_file("/color/2.png"))  # of the same size, perhaps
    memory.rm_file("/color/sub/5.png")
    further = begin.model_copy(update={"num_steps": 4})
    with pytest.raises(CycleColorError, match=r"memory://color: 2 photos changed .* --allow-changed-data"):
        train(further, run)
    assert pile(run / "photos/color") == before
    with closing(Trainer(further, run, allow_changed_data=True)) as trainer:
        assert len(trainer.piles["color"]) == 5
    after = pile(run / "photos/color")
    assert after.keys() == before.keys() - {"sub/5.png"}
    assert after["0.png"] == before["2.png"]


def test_a_copy_that_was_interrupted_goes_on(memory, photo_folder, run, monkeypatch):
    upload(memory, photo_folder, "/gray")
    usual, fetched = ObjectStore.fetch, []

    def failing(self, name, path, limit):
        if len(fetched) == 3:
            path.write_bytes(b"half")
            raise StorageError("the store is away")
        fetched.append(name)
        usual(self, name, path, limit)

    monkeypatch.setattr(ObjectStore, "fetch", failing)
    monkeypatch.setattr("cyclecolor.training.copies.SIDE_BY_SIDE", 1)
    with pytest.raises(StorageError, match="away"):
        copy(Data(gray="memory://gray"), run)
    assert len(pile(run / "photos/gray")) == 3
    (run / "photos/gray" / fetched[0]).write_bytes(b"cut short")
    first = [*fetched]
    fetched[:] = [""] * 4
    copy(Data(gray="memory://gray"), run)
    assert {*fetched[4:]} == {*pile(photo_folder)} - {*first[1:]}
    assert pile(run / "photos/gray") == pile(photo_folder)
    assert {path.name for path in (run / "photos").iterdir()} == {"gray", "gray.json", ".lock-0"}


def test_a_pile_may_be_in_tars(memory, photo_folder, run, tmp_path, monkeypatch):
    """Of each there is a folder, whole or not at all; a tar that changes is unpacked anew."""
    photos = pile(photo_folder)
    odd = {"caption.txt": b"a field", "../up.png": photos["0.png"], "link.png": link("link.png", b"2", "/x")}
    memory.pipe_file("/color/box/a.tar", packed(photos | odd))
    memory.pipe_file("/color/b.png", photos["0.png"])
    copy(Data(color="memory://color"), run)
    expected = {f"box/a.tar/{name}": content for name, content in photos.items()}
    assert pile(run / "photos/color") == expected | {"b.png": photos["0.png"]}
    assert {path.name for path in (run / "photos").iterdir()} == {"color", "color.json", ".lock-0"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ObjectStore, "fetch", lambda *_: pytest.fail("copied before"))
        copy(Data(color="memory://color"), run)
    memory.pipe_file("/color/box/a.tar", packed({"0.png": photos["2.png"]}))
    copy(Data(color="memory://color"), run)
    assert pile(run / "photos/color") == {"box/a.tar/0.png": photos["2.png"], "b.png": photos["0.png"]}
    memory.pipe_file("/color/box/a.tar", packed(photos)[:2000])
    with pytest.raises(CycleColorError, match=r"memory://color/box/a\.tar: damaged"):
        copy(Data(color="memory://color"), run)
    assert {*pile(run / "photos/color")} == {"b.png"}


def test_nobody_leads_the_copy_out_of_its_folder(memory, photo_folder, run, said):
    """Neither names in the store, nor the note of what was copied."""
    photo = (photo_folder / "0.png").read_bytes()
    memory.pipe_file("/gray/a.png", photo)
    names = ("a.png", "../up.png", "/root.png", "x//y.png", "@eaDir/t.png", ".hidden.png", "b.txt")
    (run / "photos").mkdir(parents=True)
    (run / "photos/gray.json").write_text(json.dumps({"../../../kept.png": [1, ""]}))
    (run.parent / "kept.png").write_bytes(b"1")
    with pytest.MonkeyPatch.context() as patch:
        entries = [Entry(name, len(photo)) for name in names]
        patch.setattr(ObjectStore, "entries", lambda self, under="": iter(entries))
        copy(Data(gray="memory://gray"), run)
    assert {*pile(run / "photos/gray")} == {"a.png"}
    assert (run.parent / "kept.png").exists()
    assert "passed over, as their names lead elsewhere: 3" in said[-1]


def test_one_clear_line(memory, photo_folder, run):
    upload(memory, photo_folder, "/gray")
    memory.pipe_file("/wrong/other/0.png", b"")
    for data, words in (
        (
            {"gray": "memory://gray", "copy_gb": 1e-9},
            r"memory://gray: its photos take .* data.copy_gb = 1e-09",
        ),
        ({"gray": "memory://nothing"}, "memory://nothing: no photos there; check the address"),
        ({"root": "memory://wrong"}, "memory://wrong: no photos there in gray_train/"),
        ({"gray": "s3://id:word@bucket/gray"}, "s3://bucket/gray: leave name and password out"),
        ({"gray": "https://host/gray/?sig=1234"}, "data.gray: leave out what follows the question mark"),
    ):
        with pytest.raises(CycleColorError, match=words) as error:
            copy(Data(**data), run)
        assert "word@" not in str(error.value)
        assert "1234" not in str(error.value)
    assert error.value.exit_code == 2  # what was typed is wrong
    assert not pile(run / "photos").keys() - {".lock-0"}


def test_a_root_has_its_piles(memory, photo_folder, run):
    for name in ("gray_train", "color_train", "color_test", "else"):
        upload(memory, photo_folder, f"/root/{name}")
    experiment = tiny_experiment(data={"root": "memory://root", "size": 32}, match_steps=2)
    with closing(Trainer(experiment, run)) as trainer:
        assert [len(pile) for pile in trainer.piles.values()] == [6, 6]
        assert len(trainer.held_out) == 6
    assert {path.name for path in (run / "photos/root").iterdir()} == {
        *("gray_train", "color_train", "color_test")
    }


def test_of_two_processes_each_copies_its_part(photo_folder, run, tmp_path, monkeypatch):
    fetch, data = FolderStore.fetch, Data(color=f"file://{photo_folder}")

    def noting(self, name, path, limit):
        with (tmp_path / "fetched").open("a") as file:
            file.write(f"{os.environ['RANK']} {name}\n")
        fetch(self, name, path, limit)

    monkeypatch.setattr(FolderStore, "fetch", noting)
    monkeypatch.setattr("cyclecolor.training.copies.PATIENCE", 0.01)

    def work(rank):
        copy(data, run)
        assert len(pile(run / "photos/color")) == 6
        assert at_hand(data, run).color == str(run / "photos/color")

    assert together(work) == [0, 0]
    lines = [line.split() for line in (tmp_path / "fetched").read_text().splitlines()]
    assert sorted(name for _, name in lines) == sorted(pile(photo_folder))
    assert sorted(rank for rank, _ in lines) == ["0"] * 3 + ["1"] * 3
    assert pile(run / "photos/color") == pile(photo_folder)


def test_when_the_copy_fails_all_processes_end(photo_folder, run, monkeypatch, capfd):
    monkeypatch.setattr("cyclecolor.training.copies.PATIENCE", 0.01)
    data = Data(color=f"file://{photo_folder}/nothing")
    assert together(lambda rank: copy(data, run)) == [2, 1]
    said = capfd.readouterr().out
    assert "nothing: no photos there" in said
    assert "another process of this training has ended" in said


def test_two_processes_continue_as_exactly(photo_folder, run, tmp_path):
    at = dict.fromkeys(("gray", "color"), f"file://{photo_folder}")
    here = dict.fromkeys(at, str(photo_folder))

    def work(data, num_steps, folder):
        changes = {"data": {**data, "size": 32}, "num_steps": num_steps, "match_steps": 2, "batch_size": 2}
        assert together(lambda rank: train(tiny_experiment(**changes), folder)) == [0, 0]

    work(at, 2, run)
    work(at, 4, run)
    work(here, 4, tmp_path / "here")
    one, two = (read_checkpoint(checkpoint_path(folder, 4)) for folder in (run, tmp_path / "here"))
    assert all(one.tensors[name].equal(two.tensors[name]) for name in one.tensors)
