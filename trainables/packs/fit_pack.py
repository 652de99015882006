"""The training loop of a pack, as a generator of epochs.

The loop of one student is in trainables/fit.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from spaces.recipe import Recipe
from trainables.device import process_device, to_tensor
from trainables.distillation_data import DistillationData
from trainables.fit import Diverged, EpochResult, TrainingState, find_divergence, optimizer_resets
from trainables.packs.pack_epoch import pack_inputs, pack_metrics, train_pack_epoch
from trainables.packs.stacked_optimizer import StackedOptimizer
from trainables.packs.stacked_students import stack_students

PackResults = dict[int, EpochResult | Diverged]  # by index of the student among the recipes


def fit_pack(
    recipes: Sequence[Recipe],
    distillation_data: DistillationData,
    *,
    starts: Sequence[TrainingState] = (),
    is_stopped: Callable[[int], bool] = lambda index: False,
) -> Iterator[PackResults]:
    """Train several students as one; yield their results of each epoch.

    The recipes must have the same `pack_key`. With `starts`, states of all students after the same epoch, training
    continues. A diverged student is yielded once, as Diverged. After each epoch the diverged students and those with
    `is_stopped(index)` are removed, and the others are stacked again. Seconds are divided equally among the students.
    """
    distillation_data = distillation_data.for_recipe(recipes[0])
    running, states = dict(enumerate(recipes)), dict(enumerate(starts))
    while running and not any(state.epoch >= recipes[0].train.epochs for state in states.values()):
        indices = list(running)
        for stack_results in _fit_stack(list(running.values()), distillation_data, list(states.values())):
            results = dict(zip(indices, stack_results, strict=True))
            yield results
            states = {
                index: result.state
                for index, result in results.items()
                if isinstance(result, EpochResult) and not is_stopped(index)
            }
            if len(states) < len(running):
                running = {index: running[index] for index in states}
                break
        else:
            return


def _fit_stack(
    recipes: Sequence[Recipe], distillation_data: DistillationData, starts: Sequence[TrainingState]
) -> Iterator[list[EpochResult | Diverged]]:
    """Train one stack to the end; yield the results of each epoch."""
    device, data, train = process_device(), distillation_data.data, recipes[0].train
    students = stack_students(recipes, data, device, starts)
    inputs = pack_inputs(students, recipes, distillation_data, device)
    trains = [recipe.train for recipe in recipes]
    optimizer = StackedOptimizer(students.parameters.values(), trains)
    if starts:
        optimizer.restore([state.optimizer_state for state in starts])
    val_images, val_labels = (to_tensor(array, device) for array in data.val)
    total_seconds = [state.total_seconds for state in starts] or [0.0] * len(recipes)
    for epoch in range(starts[0].epoch + 1 if starts else 1, train.epochs + 1):
        began = perf_counter()
        if epoch in optimizer_resets(recipes[0]):
            optimizer = StackedOptimizer(students.parameters.values(), trains)
        losses, rates = train_pack_epoch(students, optimizer, inputs, epoch)
        seconds = (perf_counter() - began) / len(recipes)
        total_seconds = [earlier + seconds for earlier in total_seconds]
        val_metrics = pack_metrics(students, train.batch_size, val_images, val_labels)
        optimizer_states = optimizer.states()
        results: list[EpochResult | Diverged] = []
        for i in range(len(recipes)):
            weights, module = students.state_dicts(i)
            state = TrainingState(epoch, total_seconds[i], weights, optimizer_states[i], module)
            diverged = find_divergence(losses[i], val_metrics[i], epoch)
            results.append(diverged or EpochResult(epoch, losses[i], val_metrics[i], rates[i], seconds, state))
        yield results
