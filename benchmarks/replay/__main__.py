"""`python -m benchmarks.replay TABLE …`: measure search algorithms on tables of finished trainings.

`--make` trains the tables of this repository first: benchmarks/tables/NAME.yaml is the space of NAME.npz.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

from benchmarks.replay.candidates import CANDIDATE_SAMPLERS, CANDIDATE_SCHEDULERS, registered_candidates
from benchmarks.replay.guesses import GUESSES
from benchmarks.replay.make import SPACES, TABLES, make_table
from benchmarks.replay.measure import BUDGETS, CONFIRM_PLANS, measure_variants
from benchmarks.replay.report import draw_figure, guess_report, markdown_report
from benchmarks.replay.table import Table, read_table
from search.algorithms import SAMPLERS, SCHEDULERS
from spaces.errors import UserError, did_you_mean, exits_on_user_error
from spaces.search_section import Search


def arguments_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser("python -m benchmarks.replay", description=__doc__)
    parser.add_argument("tables", nargs="*", help="files of tables, or names: " + ", ".join(TABLES))
    parser.add_argument(
        "--make", action="store_true", help="train the named tables, by default all, in place of a replay"
    )
    parser.add_argument("--configurations", type=int, help="with --make: fewer or more than usual")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--first-repetition", type=int, default=0, help="number of the first: others are fresh")
    parser.add_argument("--trainings", type=int, default=max(BUDGETS), help="largest budget, in full trainings")
    parser.add_argument("--algorithms", nargs="+", default=["random", "tpe"], choices=[*SAMPLERS, *CANDIDATE_SAMPLERS])
    parser.add_argument("--schedulers", nargs="+", default=["asha"], choices=[*SCHEDULERS, *CANDIDATE_SCHEDULERS])
    parser.add_argument("--confirm", nargs="+", default=list(CONFIRM_PLANS), choices=list(CONFIRM_PLANS))
    parser.add_argument("--grace-period", type=int, default=1)
    parser.add_argument("--reduction", type=int, default=3)
    parser.add_argument(
        "--priors", action="store_true", help="compare searches with a good and a wrong prior on all knobs, and without"
    )
    parser.add_argument("--figure", type=Path, help="PNG with the regrets without confirm")
    return parser


@exits_on_user_error
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    args = arguments_parser().parse_args(arguments)
    if args.make:
        for name in args.tables or TABLES:
            _make(name, args.configurations)
        return 0
    if not args.tables:
        raise UserError(f"no table; expected a file, or one of {', '.join(TABLES)} after --make")
    budgets = [budget for budget in BUDGETS if budget <= args.trainings]
    results = []
    for table in map(_load, args.tables):
        searches = [
            Search(
                algorithm=algorithm,
                scheduler=scheduler,
                trials=len(table.configurations),
                grace_period=args.grace_period,
                reduction=args.reduction,
            )
            for algorithm, scheduler in itertools.product(args.algorithms, args.schedulers)
        ]
        with registered_candidates():
            first = args.first_repetition
            guesses = GUESSES if args.priors else GUESSES[:1]
            outcomes = list(measure_variants(table, searches, args.confirm, args.repetitions, budgets, first, guesses))
        print((guess_report if args.priors else markdown_report)(table, outcomes, budgets, first), flush=True)
        results.append((table, outcomes))
    if args.figure:
        draw_figure(args.figure, results, budgets)
    return 0


def _make(name: str, configurations: int | None) -> None:
    if name not in TABLES:
        raise UserError(f"--make: unknown table {name}{did_you_mean(name, TABLES)}")
    count = configurations or TABLES[name].configurations
    path = SPACES / f"{name}.npz"
    make_table(
        SPACES / f"{name}.yaml", count, TABLES[name].seeds, path, lambda line: print(f"{name}: {line}", flush=True)
    )
    print(f"{path}: {path.stat().st_size / 1e3:,.0f} kB")


def _load(name: str) -> Table:
    path = Path(name)
    return read_table(SPACES / f"{name}.npz" if name in TABLES and not path.exists() else path)


if __name__ == "__main__":
    raise SystemExit(main())
