"""The records of an experiment and everything drawn from them, up to its report page.

`results.read(folder)` is one row per student.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

    from results.paths import Folder

__all__ = ["read"]


def read(folder: Folder) -> pandas.DataFrame:
    """One row per student of the experiment in `folder`; raises UserError where the folder holds no experiment."""
    # here, because whoever only writes records has no need of pandas
    from results import students

    return students.read_students(folder)
