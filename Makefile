PYTHON ?= python3
BIN := .venv/bin

.PHONY: install run lint types unit test ci-slow

install: .venv/installed

# One marker file stands for the whole environment; it is older than what it was made from only until the next `make`.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

run: install
	$(BIN)/python -m search.run spaces/mnist_hinton.yaml

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

unit: install
	$(BIN)/python -m pytest -n 2 -m 'not slow'

test: lint types unit

ci-slow: install
	$(BIN)/python -m pytest -n 2 --dist loadfile -m 'slow and not alone'
	$(BIN)/python -m pytest -m 'slow and alone'

# Every fault in full, and tests/faults/README.md written of it; fails unless nothing was lost.
.PHONY: faults audit
faults: install
	$(BIN)/python tests/faults/table.py

# The pinned packages against the published advisories; without a way to the database it says so, and that nothing was audited.
audit: install
	$(BIN)/python deploy/audit.py

# Every number and picture of the README and of docs/experiments.md comes from these commands; DATA is a folder that holds MNIST/raw.
DATA ?= $(KD_DATA)
INSERT = $(BIN)/python docs/insert.py README.md
PAGE = $(BIN)/python docs/insert.py docs/experiments.md
MEASURED = mnist_hinton2015 mnist_fitnets mnist_omitted mnist_subclass mnist2x5_subclass mnist_assistant mnist_multistudent mnist_ensemble \
 mnist_controls mnist_attention mnist_methods
IMAGES = cifar10_plain tiny_imagenet_squeezenet folder_animals  # see the spaces' heads for what DATA must hold

.PHONY: numbers readme readme-tree schema docs

# What editors complete and `python -m spaces` reads, from the models and the registries; a test demands that it is fresh.
schema: install
	$(BIN)/python -m search.schema.build

docs: install
	$(BIN)/python -m sphinx -W -q -b html docs docs/_build/html

numbers: install
	$(BIN)/python -m search.run spaces/mnist_hinton.yaml --data $(DATA)
	$(BIN)/python -m search.run spaces/mnist_search.yaml --data $(DATA)
	$(BIN)/python -m search.run spaces/mnist_hinton_teachers.yaml --data $(DATA)
	for space in $(MEASURED) $(IMAGES); do $(BIN)/python -m search.run spaces/$$space.yaml --data $(DATA) || exit; done

readme: install
	$(BIN)/python -m results runs/mnist_hinton > /dev/null
	grep -v '^# ' runs/mnist_hinton/table.md | $(INSERT) table
	cp runs/mnist_hinton/heatmap.png docs/mnist_hinton.png
	$(BIN)/python -m results.compare.published_table runs/mnist_hinton docs/published/ece1512_001_run_b.csv | $(INSERT) published
	$(BIN)/python -m results compare --best runs/mnist_hinton runs/mnist_search | $(INSERT) search
	$(BIN)/python -m results runs/mnist_hinton_teachers > /dev/null
	(grep '^|' runs/mnist_hinton_teachers/table.md; echo; \
	 grep -E '^\| (rank|---|–)' runs/mnist_hinton_teachers/leaderboard.md) | $(PAGE) teachers
	for space in mnist_hinton mnist_search mnist_hinton_teachers; do \
	 $(BIN)/python -m results.compare.overview --keep runs/$$space > /dev/null || exit; done
	$(MAKE) $(MEASURED:%=readme-%) $(IMAGES:%=readme-%)
	$(MAKE) readme-tree

readme-tree: install
	$(BIN)/python docs/tree.py | $(INSERT) tree

# One experiment's table, from its folder in runs/, and its line in the table of all.
readme-%: install
	$(BIN)/python -m results compare --every runs/$* | $(PAGE) $*
	$(BIN)/python -m results.compare.overview --keep runs/$* | $(INSERT) experiments

# The screenshots in docs/, taken by the browser tests from a finished experiment.
.PHONY: pictures
pictures: install
	KD_BROWSER=required KD_PICTURES=runs/mnist_hinton $(BIN)/python -m pytest -m slow tests/browser/test_pictures.py

# How fast a search is on this machine, beside the notebook loop and plain Ray Tune: half an hour to an hour and a quarter on two quiet cores.
.PHONY: bench readme-bench
bench: install
	$(BIN)/python -m benchmarks --data $(DATA)

readme-bench: install
	$(BIN)/python -m benchmarks.table runs/bench/results.json | $(BIN)/python docs/insert.py benchmarks/README.md bench
	$(BIN)/python -m benchmarks.table runs/bench/results.json | $(INSERT) bench

# What a cluster's driver and its network keep up with, into CLUSTER.md.
.PHONY: scales
scales: install
	mkdir -p runs && $(BIN)/python -m benchmarks.cluster > runs/scales.md && $(BIN)/python docs/insert.py CLUSTER.md scales < runs/scales.md
