"""Results of an experiment: rows, tables, pictures, report, export and comparison.

`results.read(folder)` returns one row per student.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

    from results.paths import Folder

__all__ = ["read"]


def read(folder: Folder) -> pandas.DataFrame:
    """Return one row per student of an experiment.

    Raises UserError if the folder holds none.
    """
    from results import students  # here: workers write rows without pandas

    return students.read_students(folder)
