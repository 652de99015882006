"""TensorBoard in a browser, on a finished and on a running experiment."""

from __future__ import annotations

import pytest

from results import paths, students
from results.trackers.tensorboard import TensorBoardTracker, run_name

pytestmark = pytest.mark.slow


def table(page) -> list[list[str]]:
    """Return the rows of the HParams table, the heads first.

    TensorBoard does not keep its cells in the order of rows.
    """
    page.get_by_text("Trial ID", exact=True).first.wait_for()
    cells = page.locator("vaadin-grid-cell-content").evaluate_all("""all => all.map(e => {
        const place = e.getBoundingClientRect();
        return [Math.round(place.top + place.height / 2), place.left, e.innerText.trim(), place.height];
    }).filter(cell => cell[3] > 0)""")
    lines: dict[int, list[tuple[float, str]]] = {}
    for top, left, text, _ in cells:
        lines.setdefault(top, []).append((left, text))
    return [[text for _, text in sorted(line)] for _, line in sorted(lines.items())]


def hparams(page, trial: str) -> dict[str, dict[str, str]]:
    """Return the HParams table by student, once `trial` is shown."""
    page.get_by_text(trial, exact=True).first.wait_for()
    heads, *lines = table(page)
    rows = (dict(zip(heads, line, strict=False)) for line in lines)
    return {line["Trial ID"]: line for line in rows if line["Trial ID"]}


def test_a_finished_experiment(serve, look, finished):
    address = serve(paths.tensorboard_folder(finished))
    rows = students.read_students(finished)
    page = look(f"{address}/#hparams", width=1700, height=4200).page
    knobs = ["method.alpha", "method.temperature"]
    names = {past.start["trial"]: run_name(past.start, knobs) for past in students.histories(finished)}
    lines = hparams(page, names[rows["trial"].iloc[-1]])
    assert set(lines) == {names[trial] for trial in rows["trial"][rows["epochs"] > 0]}
    for _, row in rows.iterrows():
        line = lines[names[row["trial"]]]
        assert float(line["validation accuracy"]) == pytest.approx(row["val_accuracy"], abs=1e-4)
        assert float(line["method.alpha"]) == row["method.alpha"]
        assert line["stage"] == row["stage"]
    page.get_by_text("Parallel coordinates view").click()
    drawn = page.locator("tf-hparams-parallel-coords-plot svg g.foreground path")
    drawn.first.wait_for(state="attached")
    assert drawn.count() >= rows["test_accuracy"].notna().sum() - (rows["stage"] == "baseline").sum()


def test_scalars_are_listed_by_their_tags(serve, look, finished):
    page = look(f"{serve(paths.tensorboard_folder(finished))}/#scalars", height=2000).page
    for tag in ("accuracy/val", "accuracy/test"):
        page.get_by_text(tag, exact=True).first.wait_for()
    page.get_by_text("loss", exact=True).first.wait_for()


def test_the_heat_map_is_among_the_images(serve, look, finished):
    # of more than 40 runs TensorBoard selects none, so the best have a folder of their own
    page = look(f"{serve(paths.best_tensorboard_folder(finished))}/#images").page
    picture = page.locator("img[src*=individualImage]").first
    picture.wait_for()
    page.wait_for_function("e => e.complete && e.naturalWidth > 300", arg=picture.element_handle())


def test_a_running_experiment(serve, look, synthetic, tmp_path):
    builder = synthetic.write_grid(tmp_path / "run", seeds=(0,))
    running = builder.student("explore", {"method.alpha": 0.5, "method.temperature": 4}, 1, end=None, epochs=2)
    tracker = TensorBoardTracker(builder.folder, {"method.alpha": [0, 0.5, 1], "method.temperature": [1, 4, 16]})
    for student in students.histories(builder.folder):
        tracker.update(student)
    page = look(f"{serve(paths.tensorboard_folder(builder.folder))}/#hparams", width=1700, height=1400).page
    name = run_name(students.history(builder.folder, running).start, ["method.alpha", "method.temperature"])
    lines = hparams(page, name)
    assert (
        name == "alpha 0.5, temperature 4, seed 1" and len(lines) == 8 and lines[name]["method.temperature"] == "4.0000"
    )
    assert float(lines[name]["validation accuracy"]) > 0.9 and lines[name]["test accuracy"] == ""
    tracker.close([], done=False)
