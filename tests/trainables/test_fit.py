"""The training loop: a generator of epochs that leaves its data alone and tells an explosion."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from spaces.recipe import Recipe
from trainables.batches import steps_per_epoch
from trainables.data import Dataset
from trainables.device import tensor
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.evaluate import predict
from trainables.fit import Diverged, Epoch, fit
from trainables.methods import METHODS
from trainables.models import MODELS, build
from trainables.output import Output

Make = Callable[..., Recipe]
Run = Callable[..., list[Epoch]]
Same = Callable[[list[Epoch], list[Epoch]], bool]
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}


def test_epochs_are_numbered_and_timed(recipe: Make, labels: DistillationData) -> None:
    epochs = list(fit(recipe(), labels))
    assert [each.epoch for each in epochs] == [each.state.epoch for each in epochs] == [1, 2, 3]
    assert all(each.seconds > 0 for each in epochs)
    assert epochs[-1].state.seconds == pytest.approx(sum(each.seconds for each in epochs))
    assert epochs[0].train_loss > epochs[-1].train_loss
    assert 0.1 < epochs[0].val_accuracy < epochs[-1].val_accuracy <= 1


def test_nothing_is_trained_before_it_is_asked_for(
    recipe: Make, labels: DistillationData, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []
    monkeypatch.setitem(MODELS, "probe", lambda shape, classes: built.append("model"))
    epochs = fit(recipe(model={"name": "probe"}), labels)
    assert isinstance(epochs, Iterator) and built == []


def test_the_state_is_the_live_one(recipe: Make, labels: DistillationData) -> None:
    first, second, _ = fit(recipe(), labels)
    assert first.state.weights["logits.weight"].data_ptr() == second.state.weights["logits.weight"].data_ptr()


def test_the_learning_rate_is_the_last_step_s(recipe: Make, run: Run, labels: DistillationData) -> None:
    # 17 steps an epoch, 51 in all: the last step of epoch e is number 17 e - 1, counted from 0.
    epochs = run(recipe(schedule="linear", lr=0.01), labels)
    assert [each.lr for each in epochs] == pytest.approx([0.01 * (1 - (17 * e - 1) / 51) for e in (1, 2, 3)])


@pytest.mark.parametrize(("images", "steps"), [(1, 1), (63, 1), (64, 1), (127, 1), (128, 2), (1097, 17)])
def test_whole_batches_only(recipe: Make, images: int, steps: int) -> None:
    assert steps_per_epoch(recipe().train, images) == steps


def test_scores_are_the_student_s_own(recipe: Make, run: Run, labels: DistillationData, digits: Dataset) -> None:
    last = run(recipe(), labels)[-1]
    student = build(recipe().student.model, digits.shape, 10)
    student.load_state_dict(last.state.weights)
    logits = predict(student, tensor(digits.val.images, torch.device("cpu")))
    assert (logits.argmax(-1).numpy() == digits.val.labels).mean() == pytest.approx(last.val_accuracy)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_an_explosion_is_told(recipe: Make, run: Run, labels: DistillationData, precision: str) -> None:
    with pytest.raises(Diverged, match=r"loss (nan|inf).* on train, .* on validation in epoch 1"):
        run(recipe(optimizer="sgd", lr=1e12, precision=precision), labels)


def test_no_epoch_with_a_loss_that_is_not_finite(recipe: Make, digits: Dataset) -> None:
    answers = np.zeros((len(digits.train.labels), 10), np.float32)
    answers[-1, 0] = np.nan
    lesson = DistillationData(digits, TeacherOutputs(answers, answers, answers))
    with pytest.raises(Diverged, match=r"loss nan on train"):
        list(fit(recipe(None, HINTON, teacher={}, batch_size=1097), lesson))


def test_no_unit_s_weights_exceed_max_norm(recipe: Make, run: Run, labels: DistillationData) -> None:
    def longest(max_norm: float | None) -> list[float]:
        weights = run(recipe(max_norm=max_norm, lr=0.1, epochs=1), labels)[-1].state.weights
        return [weights[f"{layer}.weight"].norm(dim=1).max().item() for layer in ("linear1", "logits")]

    assert all(norm > 1 for norm in longest(None))
    assert all(norm == pytest.approx(1, rel=1e-4) for norm in longest(1.0))


def test_arrays_are_never_written_to(recipe: Make, run: Run, digits: Dataset) -> None:
    # The fixture's arrays are read-only, as Ray's; these are not. Warnings are errors.
    splits = [type(split)(*(array.copy() for array in split)) for split in digits[:3]]
    data = digits._replace(train=splits[0], val=splits[1], test=splits[2])
    answers = TeacherOutputs(*(np.ones((len(split.labels), 10), np.float32) for split in splits))
    run(recipe(None, HINTON, teacher={}), DistillationData(data, answers))
    run(recipe(shift=2), DistillationData(data, None))
    assert data.fingerprint() == digits.fingerprint()
    assert all((answer == 1).all() for answer in answers[:3])


def test_read_only_arrays_give_no_warning(recipe: Make, run: Run, digits: Dataset) -> None:
    answers = TeacherOutputs(*(np.ones((len(split.labels), 10), np.float32) for split in digits[:3]))
    for answer in answers[:3]:
        answer.setflags(write=False)
    assert not digits.train.images.flags.writeable
    run(recipe(None, HINTON, teacher={}, epochs=1), DistillationData(digits, answers))


def test_bfloat16_is_as_good_within_noise(recipe: Make, run: Run, labels: DistillationData) -> None:
    def accuracy(precision: str) -> float:
        model = {"name": "mlp", "hidden": [64]}
        ends = [run(recipe(model, precision=precision, epochs=5, seed=seed), labels)[-1] for seed in range(3)]
        return float(np.mean([end.val_accuracy for end in ends]))

    exact, rounded = accuracy("float32"), accuracy("bfloat16")
    assert exact > 0.9
    assert abs(exact - rounded) < 0.02


def test_bfloat16_leaves_weights_in_float32(recipe: Make, run: Run, labels: DistillationData) -> None:
    rounded, exact = (run(recipe(precision=p, epochs=1), labels)[-1] for p in ("bfloat16", "float32"))
    tensors = [*rounded.state.weights.values(), *rounded.state.optimiser.values()]
    assert {value.dtype for value in tensors} == {torch.float32}
    assert rounded.train_loss != exact.train_loss


def test_losses_are_computed_in_float32(
    recipe: Make, run: Run, lesson: DistillationData, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = set()

    def method(student: Output, teacher: Output, labels: torch.Tensor) -> torch.Tensor:
        met.add((student.logits.dtype, teacher.logits.dtype, labels.dtype))
        return METHODS["none"](student, None, labels)

    monkeypatch.setitem(METHODS, "probe", method)
    run(recipe(None, {"name": "probe"}, teacher={}, precision="bfloat16", epochs=1), lesson)
    assert met == {(torch.float32, torch.float32, torch.int64)}


def test_every_image_is_taught_its_own_answer(recipe: Make, run: Run, digits: Dataset) -> None:
    # Answers drawn at random per image, whatever it shows: only a student that meets image and answer together learns.
    few = digits.take(60, 50, 50)
    drawn = np.random.default_rng(0).integers(0, 10, 60)
    answers = 10 * np.eye(10, dtype=np.float32)[drawn]
    lesson = DistillationData(few, TeacherOutputs(answers, answers, answers))
    model = {"name": "mlp", "hidden": [128]}
    method = {"name": "hinton", "alpha": 1.0, "temperature": 2.0}
    last = run(recipe(model, method, teacher={}, epochs=40, batch_size=20), lesson)[-1]
    student = build(recipe(model).student.model, digits.shape, 10)
    student.load_state_dict(last.state.weights)
    named = predict(student, torch.tensor(few.train.images)).argmax(-1).numpy()
    assert (named == drawn).all()
    assert (drawn == few.train.labels).mean() < 0.3


def test_alpha_0_is_the_baseline(recipe: Make, run: Run, same: Same, lesson: DistillationData) -> None:
    student = recipe(None, HINTON | {"alpha": 0.0}, teacher={})
    assert same(run(student, lesson), run(student.canonical(), DistillationData(lesson.data, None)))
