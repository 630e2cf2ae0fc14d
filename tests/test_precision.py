"""What a run chooses on the machine that it finds."""

import pytest
import torch

from cyclecolor.hardware import description, precision

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(("flags", "pays"), [("fpu avx2", False), ("avx512f avx512_bf16 amx_bf16", True)])
def test_bfloat16_where_the_hardware_multiplies_it(monkeypatch, tmp_path, flags, pays):
    (tmp_path / "cpuinfo").write_text(f"flags\t\t: {flags}\n")
    monkeypatch.setattr(precision, "Path", lambda path: tmp_path / "cpuinfo")
    assert precision.use_bfloat16("auto", CPU) is pays
    assert precision.use_bfloat16("bfloat16", CPU)
    assert not precision.use_bfloat16("float32", CPU)


def test_gpus_are_asked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: False)
    assert not precision.use_bfloat16("auto", GPU)


def test_a_gpu_has_loaders_and_a_cpu_has_none(monkeypatch):
    assert description.loader_workers(None, CPU) == 0
    for cores, loaders in ((1, 0), (4, 3), (64, 8)):
        monkeypatch.setattr(description, "cores", lambda cores=cores: cores)
        assert description.loader_workers(None, GPU) == loaders
    monkeypatch.setattr(description, "world_size", lambda: 16)
    assert description.loader_workers(None, GPU) == 3
    assert description.loader_workers(0, GPU) == 0
    assert description.loader_workers(5, CPU) == 5


def test_the_choice_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "GPU of the test")
    for device in (CPU, GPU):
        for bfloat16 in (True, False):
            line = description.describe(device, bfloat16=bfloat16, workers=2)
            assert "\n" not in line
            assert ("bfloat16" in line.split(",")[0] + line.split(":")[1].split(",")[0]) is bfloat16
            assert line.endswith("2 loader processes")


def test_threads_that_do_not_pay_are_said(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    for gain, advice in ((5.2, False), (0.3, True)):
        monkeypatch.setattr(description, "threads_gain", lambda gain=gain: gain)
        line = description.describe(CPU, bfloat16=False, workers=0)
        assert f"8 threads ({gain} x" in line
        assert ("OMP_NUM_THREADS=1" in line) is advice


def test_the_trial_of_threads_leaves_them_as_they_were():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert description.threads_gain() > 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
