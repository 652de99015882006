"""The example notebook runs as it is, in a kernel that has a Ray of its own."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
OWN_RAY = """\
import os, sys
sys.path.insert(0, os.environ["PYTHONPATH"])
import search, ray
ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False)
own = ray.put("still here")
"""


@pytest.mark.slow
def test_the_notebook_runs_and_leaves_ray_and_output_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tune's reporter for notebooks cleared the cell; the end of the search shut the user's Ray down."""
    monkeypatch.setenv("KD_CACHE", str(tmp_path / "teachers"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(ROOT / "examples" / "search.ipynb", as_version=4)
    assert all(not cell.get("outputs") for cell in notebook.cells)
    run_cell = next(cell for cell in notebook.cells if "run(space)" in cell.source)
    run_cell.source = 'print("before the search")\n' + run_cell.source
    last = 'print(ray.get(own), exit_code, experiment.students["status"].unique())'
    notebook.cells = [nbformat.v4.new_code_cell(OWN_RAY), *notebook.cells, nbformat.v4.new_code_cell(last)]
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert run_cell.outputs[0].text.startswith("before the search")
    assert "Tables and pictures:" in str(run_cell.outputs[1:])
    assert notebook.cells[-1].outputs[0].text == "still here 0 ['finished']\n"
    assert "torch.Size([1, 10])" in notebook.cells[-2].outputs[-1].data["text/plain"]
    assert (tmp_path / "runs" / "notebook.space.yaml").is_file()
