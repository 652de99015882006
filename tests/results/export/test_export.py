"""Choice of students, plugins and the command."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from results import leaderboard, paths, records, students
from results.command_line import main
from results.export import EXTRA_NAMES, NAMES, export
from results.export.atomic_folder import refuse_other_files
from spaces import space
from spaces.errors import UserError
from trainables import data as datasets
from trainables import plugin

ROOT = Path(__file__).parents[3]
PLUGIN = """\
from torch import nn

from kernels import KERNEL
from trainables.models import MODELS


def narrow(shape, classes, *, width: int = 4):
    channels, height, across = shape
    first = nn.Conv2d(channels, width, KERNEL, padding=1)
    last = nn.Linear(width * height * across, classes)
    return nn.Sequential(first, nn.BatchNorm2d(width), nn.ReLU(), nn.Flatten(), last)


MODELS["narrow"] = narrow
"""


def test_a_plugin_model_is_exported_with_its_plugin(tmp_path, clean, python, train):
    file = tmp_path / "narrow_net.py"
    file.write_text(PLUGIN)
    (tmp_path / "kernels.py").write_text("KERNEL = 3\n")
    sources = plugin.read_plugins([file])
    plugin.register_plugins(sources)
    small = datasets.load_dataset("digits").take(128, 40, 50)
    folder = train(tmp_path / "run", "{name: narrow, width: 3}", small, sources)
    with pytest.raises(UserError, match=r"was run with --plugin narrow_net\.py; use the same"):
        export(folder)
    (exported,) = export(folder, plugins=[file])
    assert (exported / "plugins" / "narrow_net.py").read_text() == PLUGIN
    text = (exported / "card.md").read_text()
    assert "search.run recipe.yaml --plugin plugins/narrow_net.py\n" in text
    assert python("-c", "\n".join(re.findall(r"```python\n(.*?)```", text, re.S)), cwd=exported).stderr == ""
    assert (exported / "plugins" / "kernels.py").read_text() == "KERNEL = 3\n"
    refuse_other_files(exported, NAMES, EXTRA_NAMES)  # an export with plugins is replaced too
    records.save_identity(folder, records.read_identity(folder) | {"plugins": plugin.plugin_digests(sources)})
    (tmp_path / "kernels.py").write_text("KERNEL = 3  # changed\n")
    with pytest.raises(UserError, match=r"--plugin kernels\.py: differs from the file used by the experiment"):
        export(folder, plugins=[file])
    (tmp_path / "kernels.py").write_text("KERNEL = 3\n")
    file.write_text(PLUGIN + "\n")
    with pytest.raises(UserError, match="differs from the file used by the experiment"):
        export(folder, plugins=[file])


def test_nothing_ranked_is_an_error(copy):
    for trial in records.trial_names(copy):
        if records.read_rows(copy, trial)[0]["stage"] != "baseline":
            shutil.rmtree(paths.trial_folder(copy, trial))
    with pytest.raises(
        UserError, match=r"no configuration is ranked yet; the student alone is exported by --student baseline"
    ):
        export(copy)


def test_the_command_exports_the_best_and_prints_their_folders_only(trained, copy, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(copy), "--to", "best", "--top", "9"]) == 0
    output, errors = capfd.readouterr()
    lines = output.splitlines()
    assert errors == ""
    best = [space.load_space(tmp_path / "best" / number / "recipe.yaml") for number in ("1", "2")]
    assert [s.fill({}, s.seeds[0]).key() for s in best] == leaderboard.best_trials(students.read_students(trained), 2)
    assert lines[0] == str(tmp_path / "best" / "1") and lines[1].startswith("  Reloaded from all files")
    assert lines[-1] == "Only 2 of 9: no more configurations are ranked."
    assert len([line for line in lines if not line.startswith("  ")]) == 3
    assert main(["export", str(tmp_path / "missing")]) == 2
    with pytest.raises(SystemExit):
        main(["export", str(copy), "--top", "0"])


def test_export_imports_neither_ray_nor_search(python):
    script = "import sys, results.export\nprint([n for n in ('ray', 'search', 'optuna') if n in sys.modules])"
    assert python("-c", script, cwd=ROOT).stdout.strip() == "[]"
