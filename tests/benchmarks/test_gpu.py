"""The benchmark of packs, tiny and on a CPU."""

from __future__ import annotations

import pytest
import torch

from benchmarks import gpu


def test_the_table_compares_packed_and_sequential(capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    gpu.main(["--tiny", "--epochs", "1", "--precision", "float32"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines] == ["| network", "| MLP 8", "| ResNet-8"]
    assert len({line.count("|") for line in lines}) == 1
    for line in lines[1:]:
        assert float(line.split(" | ")[8]) < 1e-3  # the same student packed and alone


def test_packs_grow_until_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = gpu.fit_pack.fit_pack

    def limited(recipes, data):
        if len(recipes) > 4:
            raise torch.OutOfMemoryError
        return real(recipes, data)

    monkeypatch.setattr(gpu.fit_pack, "fit_pack", limited)
    case = gpu.TINY[0]._replace(pack=64)
    assert [line.students for line in gpu.measure_packs(case, 96, 1, "float32")] == [4]
