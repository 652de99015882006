"""The benchmark of packs runs on a processor too, in a tiny form."""

from __future__ import annotations

import pytest
import torch

from benchmarks import gpu


def test_a_table_of_both_ways(capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(1)
    gpu.main(["--tiny", "--epochs", "1", "--precision", "float32"])
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines] == ["| network", "| MLP 8", "| ResNet-8"]
    assert len({line.count("|") for line in lines}) == 1
    for line in lines[1:]:
        assert float(line.split(" | ")[8]) < 1e-3  # the same student both ways


def test_packs_grow_until_memory_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    real = gpu.packed.fit

    def limited(recipes, lesson):
        if len(recipes) > 4:
            raise torch.OutOfMemoryError
        return real(recipes, lesson)

    monkeypatch.setattr(gpu.packed, "fit", limited)
    case = gpu.TINY[0]._replace(pack=64)
    assert [line.students for line in gpu.measure(case, 96, 1, "float32")] == [4]
