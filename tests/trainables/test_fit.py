"""The training loop: epochs, states, precision and divergence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from spaces.recipe import Recipe
from trainables.baseline import canonical_recipe
from trainables.batches import steps_per_epoch
from trainables.data import Dataset
from trainables.device import to_tensor
from trainables.distillation_data import DistillationData, TeacherOutputs
from trainables.evaluate import predict_logits
from trainables.fit import Diverged, EpochResult, fit
from trainables.methods import METHODS
from trainables.models import MODELS, build_network
from trainables.output import Output

Make = Callable[..., Recipe]
Run = Callable[..., list[EpochResult]]
Same = Callable[[list[EpochResult], list[EpochResult]], bool]
HINTON = {"name": "hinton", "alpha": 0.5, "temperature": 4.0}


def test_epochs_are_numbered_and_timed(recipe: Make, labels: DistillationData) -> None:
    epochs = list(fit(recipe(), labels))
    assert [result.epoch for result in epochs] == [result.state.epoch for result in epochs] == [1, 2, 3]
    assert all(result.epoch_seconds > 0 for result in epochs)
    assert epochs[-1].state.total_seconds == pytest.approx(sum(result.epoch_seconds for result in epochs))
    assert epochs[0].train_loss > epochs[-1].train_loss
    assert 0.1 < epochs[0].val_accuracy < epochs[-1].val_accuracy <= 1


def test_fit_is_lazy(recipe: Make, labels: DistillationData, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    monkeypatch.setitem(MODELS, "probe", lambda shape, classes: built.append("model"))
    epochs = fit(recipe(model={"name": "probe"}), labels)
    assert isinstance(epochs, Iterator) and built == []


def test_the_state_shares_memory(recipe: Make, labels: DistillationData) -> None:
    first, second, _ = fit(recipe(), labels)
    assert first.state.weights["logits.weight"].data_ptr() == second.state.weights["logits.weight"].data_ptr()


def test_the_learning_rate_of_the_last_step(recipe: Make, run: Run, labels: DistillationData) -> None:
    # 17 steps an epoch, 51 in all: the last step of epoch e is number 17 e - 1, counted from 0.
    epochs = run(recipe(schedule="linear", lr=0.01), labels)
    assert [result.lr for result in epochs] == pytest.approx([0.01 * (1 - (17 * e - 1) / 51) for e in (1, 2, 3)])


@pytest.mark.parametrize(("images", "steps"), [(1, 1), (63, 1), (64, 1), (127, 1), (128, 2), (1097, 17)])
def test_full_batches_only(recipe: Make, images: int, steps: int) -> None:
    assert steps_per_epoch(recipe().train, images) == steps


def test_scores_of_the_student(recipe: Make, run: Run, labels: DistillationData, digits: Dataset) -> None:
    last = run(recipe(), labels)[-1]
    student = build_network(recipe().student.model, digits.shape, 10)
    student.load_state_dict(last.state.weights)
    logits = predict_logits(student, to_tensor(digits.val.images, torch.device("cpu")))
    assert (logits.argmax(-1).numpy() == digits.val.labels).mean() == pytest.approx(last.val_accuracy)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_divergence(recipe: Make, run: Run, labels: DistillationData, precision: str) -> None:
    with pytest.raises(Diverged, match=r"loss (nan|inf).* on train, .* on validation in epoch 1"):
        run(recipe(optimizer="sgd", lr=1e12, precision=precision), labels)


def test_no_epoch_with_a_loss_that_is_not_finite(recipe: Make, digits: Dataset) -> None:
    logits = np.zeros((len(digits.train.labels), 10), np.float32)
    logits[-1, 0] = np.nan
    distillation_data = DistillationData(digits, TeacherOutputs(logits, logits, logits))
    with pytest.raises(Diverged, match=r"loss nan on train"):
        list(fit(recipe(None, HINTON, teacher={}, batch_size=1097), distillation_data))


def test_no_unit_s_weights_exceed_max_norm(recipe: Make, run: Run, labels: DistillationData) -> None:
    def longest(max_norm: float | None) -> list[float]:
        weights = run(recipe(max_norm=max_norm, lr=0.1, epochs=1), labels)[-1].state.weights
        return [weights[f"{layer}.weight"].norm(dim=1).max().item() for layer in ("linear1", "logits")]

    assert all(norm > 1 for norm in longest(None))
    assert all(norm == pytest.approx(1, rel=1e-4) for norm in longest(1.0))


def test_arrays_are_never_written_to(recipe: Make, run: Run, digits: Dataset) -> None:
    # Writable arrays; those of the fixture are read-only, as in Ray.
    splits = [type(split)(*(array.copy() for array in split)) for split in digits[:3]]
    data = digits._replace(train=splits[0], val=splits[1], test=splits[2])
    logits = TeacherOutputs(*(np.ones((len(split.labels), 10), np.float32) for split in splits))
    run(recipe(None, HINTON, teacher={}), DistillationData(data, logits))
    run(recipe(shift=2), DistillationData(data, None))
    assert data.fingerprint() == digits.fingerprint()
    assert all((array == 1).all() for array in logits[:3])


def test_read_only_arrays_give_no_warning(recipe: Make, run: Run, digits: Dataset) -> None:
    logits = TeacherOutputs(*(np.ones((len(split.labels), 10), np.float32) for split in digits[:3]))
    for array in logits[:3]:
        array.setflags(write=False)
    assert not digits.train.images.flags.writeable
    run(recipe(None, HINTON, teacher={}, epochs=1), DistillationData(digits, logits))


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
    tensors = [*rounded.state.weights.values(), *rounded.state.optimizer_state.values()]
    assert {value.dtype for value in tensors} == {torch.float32}
    assert rounded.train_loss != exact.train_loss


def test_losses_are_computed_in_float32(
    recipe: Make, run: Run, distillation_data: DistillationData, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = set()

    def method(student: Output, teacher: Output, labels: torch.Tensor) -> torch.Tensor:
        types.add((student.logits.dtype, teacher.logits.dtype, labels.dtype))
        return METHODS["none"](student, None, labels)

    monkeypatch.setitem(METHODS, "probe", method)
    run(recipe(None, {"name": "probe"}, teacher={}, precision="bfloat16", epochs=1), distillation_data)
    assert types == {(torch.float32, torch.float32, torch.int64)}


def test_teacher_logits_belong_to_their_images(recipe: Make, run: Run, digits: Dataset) -> None:
    # Random teacher classes: the loss falls only if image and teacher output belong together.
    small = digits.take(60, 50, 50)
    targets = np.random.default_rng(0).integers(0, 10, 60)
    logits = 10 * np.eye(10, dtype=np.float32)[targets]
    distillation_data = DistillationData(small, TeacherOutputs(logits, logits, logits))
    model = {"name": "mlp", "hidden": [128]}
    method = {"name": "hinton", "alpha": 1.0, "temperature": 2.0}
    last = run(recipe(model, method, teacher={}, epochs=40, batch_size=20), distillation_data)[-1]
    student = build_network(recipe(model).student.model, digits.shape, 10)
    student.load_state_dict(last.state.weights)
    predictions = predict_logits(student, torch.tensor(small.train.images)).argmax(-1).numpy()
    assert (predictions == targets).all()
    assert (targets == small.train.labels).mean() < 0.3


def test_alpha_0_is_the_baseline(recipe: Make, run: Run, same: Same, distillation_data: DistillationData) -> None:
    student = recipe(None, HINTON | {"alpha": 0.0}, teacher={})
    assert same(
        run(student, distillation_data), run(canonical_recipe(student), DistillationData(distillation_data.data, None))
    )
