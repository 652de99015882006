"""Time left of a stage, from its reported epochs."""

from __future__ import annotations

from time import monotonic

PLANNED_WEIGHT = 20  # epochs of students that the plan's estimate counts for
TEACHER_WEIGHT = 1  # a teacher's epochs take equal times


class EpochClock:
    """Seconds per epoch of one stage, without the start of its workers.

    The clock starts with the last report of the first epochs of all workers: these arrive nearly at once. Until enough
    epochs are measured, the plan's estimate counts, if there is one.
    """

    def __init__(self, planned_epoch_seconds: float | None = None, planned_weight: float = PLANNED_WEIGHT):
        self.planned, self.planned_weight = planned_epoch_seconds, planned_weight
        self.reporters: set[str] = set()  # students, or the teacher
        self.is_first_round = True
        self.started_at: float | None = None
        self.measured = 0  # epochs since the clock started

    def report(self, reporter: str) -> None:
        """Count one epoch."""
        self.is_first_round = self.is_first_round and reporter not in self.reporters
        self.reporters.add(reporter)
        if self.is_first_round:
            self.started_at = monotonic()
        else:
            self.measured += 1

    def end_first_round(self) -> None:
        """Measure from now on, as a student ended."""
        self.is_first_round = False

    def seconds_left(self, epochs: float, running: int = 1) -> float | None:
        """Return the seconds of so many epochs, None before an estimate."""
        pace = self.epoch_seconds(running)
        return None if pace is None else epochs * pace

    def epoch_seconds(self, running: int = 1) -> float | None:
        """Return the estimated seconds of an epoch, None before an estimate.

        Without the plan's estimate, each of the `running` students has to report an epoch first.
        """
        elapsed = monotonic() - self.started_at if self.started_at is not None and self.measured else 0.0
        if self.planned:
            return (self.planned * self.planned_weight + elapsed) / (self.planned_weight + self.measured)
        return elapsed / self.measured if self.measured >= max(1, running) else None
