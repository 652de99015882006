PYTHON ?= python3
# Without pipefail, `COMMAND | insert` hides that COMMAND failed.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
BIN := .venv/bin

# uv installs several times as fast as pip. It is used where it is installed.
UV := $(shell command -v uv)
VENV = $(if $(UV),uv venv --quiet --seed --allow-existing --python $(PYTHON) .venv,$(PYTHON) -m venv .venv)
PIP = $(if $(UV),uv pip install --quiet --compile-bytecode --python $(BIN)/python,$(BIN)/python -m pip install --quiet --disable-pip-version-check)

# A search and its tests start many processes. Each would compile this program again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install develop run lint types unit test ci-slow

install: .venv/runtime

develop: .venv/development

# A marker file stands for each set of packages.
.venv/runtime: pyproject.toml constraints.txt
	@echo "Installing PyTorch, Ray and what else a search needs into .venv, by $(if $(UV),uv,pip): a few minutes, once."
	$(VENV)
	$(PIP) -c constraints.txt -e .
	touch $@

.venv/development: .venv/runtime
	@echo "Installing the tools of tests and documentation into .venv: about a minute, once."
	$(PIP) -c constraints.txt -e '.[dev]'
	touch $@

# Packages of Ray's dashboard, for the test of its jobs API. In .venv itself every Ray of the tests would start two more processes.
RAY_DEFAULT = import importlib.metadata as m; print(*{r.split(";")[0] for r in m.requires("ray") if "default" in r.partition("extra ==")[2]})

.venv/jobs: .venv/development
	$(PIP) -c constraints.txt --target $@ $$($(BIN)/python -c '$(RAY_DEFAULT)')
	touch $@

run: install
	@echo "A search on the 5,000 built-in MNIST images (all of MNIST: $(BIN)/distil run mnist_hinton --download, 11 MB)."
	$(BIN)/python -m search.run spaces/quickstart.yaml

lint: develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: develop
	$(BIN)/mypy

PYTEST = $(BIN)/python -m pytest

unit: develop
	$(PYTEST) -n 2 --dist worksteal -m 'not slow'

test: lint types unit

# Only their files are collected, which takes a third of the time. The longest come first, so that none is left alone at
# the end.
LONGEST = tests/docs/test_pages.py tests/search/run/test_spaces.py tests/test_readme.py tests/faults/test_driver.py \
 tests/faults/test_ray.py tests/faults/test_network.py tests/search/run/test_adaptive.py tests/faults/test_damage.py
SLOW = $(LONGEST) $(filter-out $(LONGEST),$(shell grep -rl --include='test_*.py' pytest.mark.slow tests | sort))
ALONE = $(shell grep -rl --include='test_*.py' pytest.mark.alone tests)

# Only these tests start Ray, browsers and network namespaces beside each other, where a busy machine may be too late for
# them (Ray gives its node 30 s). What fails is printed and tried once more by itself; what fails twice is a fault.
AGAIN = $(PYTEST) --last-failed --last-failed-no-failures none --maxfail 1

ci-slow: develop .venv/jobs
	$(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder -m 'slow and not alone' $(SLOW) || \
	 $(AGAIN) -m 'slow and not alone' $(SLOW)
	$(PYTEST) -m 'slow and alone' $(ALONE)

# Repeats every fault in full and writes tests/faults/README.md; fails if anything was lost.
.PHONY: faults audit
faults: develop
	$(BIN)/python tests/faults/table.py

# Checks the pinned packages against published advisories; says so if the database cannot be reached.
audit: develop
	$(BIN)/python deploy/audit.py

# Numbers and pictures of README.md and docs/ come from these commands only. DATA is a folder that holds MNIST/raw.
DATA ?= $(KD_DATA)
INSERT = $(BIN)/python docs/insert.py
EXPERIMENT_PAGES = $(wildcard docs/experiments/*.md)
TABLE_PICTURE = $(BIN)/python docs/table_picture.py docs/experiments/mnist.md table docs/mnist_hinton.png
MEASURED = mnist_hinton2015 mnist_fitnets mnist_omitted mnist_subclass mnist2x5_subclass mnist_assistant mnist_multistudent mnist_ensemble \
 mnist_controls mnist_attention mnist_methods mnist5k_front mnist_few_images
IMAGES = cifar10_plain cifar10_methods tiny_imagenet_squeezenet folder_animals  # the heads of these spaces say what DATA must hold
AT_A_GLANCE = mnist_hinton mnist_search mnist_fitnets mnist2x5_subclass mnist_methods mnist_hinton2015

.PHONY: numbers readme readme-quickstart schema docs

# What editors and `python -m spaces` read, generated from the models and registries; a test checks that it is current.
schema: develop
	$(BIN)/python -m search.schema

docs: develop
	$(BIN)/python -m sphinx -W -q -b html docs docs/_build/html

numbers: install
	$(BIN)/python -m search.run spaces/mnist_hinton.yaml --data $(DATA)
	$(BIN)/python -m search.run spaces/mnist_search.yaml --data $(DATA)
	$(BIN)/python -m search.run spaces/mnist_hinton_teachers.yaml --data $(DATA)
	for space in $(MEASURED) $(IMAGES); do $(BIN)/python -m search.run spaces/$$space.yaml --data $(DATA) || exit; done

readme: install readme-quickstart
	$(BIN)/python -m results runs/mnist_hinton > /dev/null
	grep -v '^# ' runs/mnist_hinton/table.md | $(INSERT) table $(EXPERIMENT_PAGES)
	$(TABLE_PICTURE)
	$(BIN)/python -m results.compare.published_table runs/mnist_hinton docs/published/ece1512_joyce_zhouy.csv | $(INSERT) published $(EXPERIMENT_PAGES)
	($(BIN)/python -m results compare --best runs/mnist_search; echo; grep -E '^(> |- (Chosen|The student|Warning))' runs/mnist_search/leaderboard.md) | \
	 $(INSERT) search $(EXPERIMENT_PAGES)
	$(BIN)/python -m results runs/mnist_hinton_teachers > /dev/null
	(grep '^|' runs/mnist_hinton_teachers/table.md; echo; \
	 grep -E '^\| (rank|---|–)' runs/mnist_hinton_teachers/leaderboard.md) | $(INSERT) teachers $(EXPERIMENT_PAGES)
	for space in mnist_hinton mnist_search mnist_hinton_teachers; do \
	 $(BIN)/python -m results.compare.overview --keep runs/$$space > /dev/null || exit; done
	$(MAKE) $(MEASURED:%=readme-%) $(IMAGES:%=readme-%)

# The README's smallest space, its output and table, and the table of six results; two minutes, without the experiments above.
readme-quickstart: install
	(echo '```yaml'; sed -n '/^data:/,$$p' spaces/quickstart.yaml; echo '```') | $(INSERT) space README.md
	(echo '```text'; $(BIN)/python -m search.run spaces/quickstart.yaml | \
	 grep -E '^(quickstart:|  (teachers|students|epochs) |Temperature |Distillation:)' | awk '!seen[$$0]++' | fold -s -w 96; echo '```') | $(INSERT) run README.md
	grep -E '^\|' runs/quickstart/table.md | $(INSERT) quickstart README.md
	$(BIN)/python -m results.compare.overview --only $(AT_A_GLANCE) | $(INSERT) results README.md

# One experiment's table on its page, from its folder in runs/, and its row in the table of all.
readme-%: install
	$(BIN)/python -m results compare --every runs/$* | $(INSERT) $* $(EXPERIMENT_PAGES)
	$(BIN)/python -m results.compare.overview --keep runs/$* | $(INSERT) experiments docs/experiments/index.md

# Comparisons of methods show gains over the student alone and over plain distillation, and their verdict.
METHODS = mnist_methods cifar10_methods
$(METHODS:%=readme-%): readme-%: install
	($(BIN)/python -m results compare --gains runs/$*; echo; grep -E '^(> |- (Chosen|Beside|Warning))' runs/$*/leaderboard.md) | \
	 $(INSERT) $* $(EXPERIMENT_PAGES)
	$(BIN)/python -m results.compare.overview --keep runs/$* | $(INSERT) experiments docs/experiments/index.md

# Error rates of the verdict in simulated experiments, on the page that explains the numbers.
.PHONY: statistics
statistics: install
	$(BIN)/python -m benchmarks.simulate_statistics | $(INSERT) statistics docs/explanation/numbers.md

# Losses beside torchdistill's, on the page of the methods. Its package is installed without its dependencies, outside .venv.
.PHONY: torchdistill
torchdistill: install
	$(BIN)/python -m pip install --quiet --no-deps --upgrade --target runs/torchdistill torchdistill==1.1.5
	PYTHONPATH=runs/torchdistill $(BIN)/python -m benchmarks.torchdistill_losses | $(INSERT) torchdistill docs/reference/methods.md

# Screenshots in docs/, taken by the browser tests from the experiment of `make run`, and the README's heat map from its table.
.PHONY: pictures
pictures: develop
	$(TABLE_PICTURE)
	KD_BROWSER=required KD_PICTURES=runs/quickstart $(BIN)/python -m pytest -m slow tests/browser/test_pictures.py

# The tutorial's part on photographs, in the folder PHOTOS, which holds photos/CLASS/* and resnet18.safetensors.
PHOTOS ?= runs/photographs
readme-photos: install
	$(BIN)/python -m benchmarks.photos $(PHOTOS) | $(INSERT) photos docs/tutorial.md
	$(BIN)/python -m results.compare.overview --keep $(PHOTOS)/runs/photos | $(INSERT) experiments docs/experiments/index.md

# Speed on this machine beside the notebook loop and plain Ray Tune: 30 to 75 minutes on two idle cores.
.PHONY: bench readme-bench
bench: install
	$(BIN)/python -m benchmarks --data $(DATA)

readme-bench: install
	$(BIN)/python -m benchmarks.table runs/bench/results.json | $(INSERT) bench benchmarks/README.md
	$(BIN)/python -m benchmarks.table runs/bench/results.json --summary | $(INSERT) speed README.md

# Regret of the search algorithms on tables of trainings, written into docs/explanation/search_algorithms.md: 40 minutes of a processor.
# The defaults were chosen on the repetitions before the 200th.
.PHONY: replay
TABLES = digits mnist5k families
replay: install
	mkdir -p runs
	($(BIN)/python -m benchmarks.replay $(TABLES) --algorithms random tpe qmc --first-repetition 200 --trainings 10 \
	  --figure docs/explanation/search_algorithms.png && \
	 $(BIN)/python -m benchmarks.replay $(TABLES) --algorithms random --schedulers none median hyperband --trainings 10) > runs/replay.md
	$(INSERT) replay docs/explanation/search_algorithms.md < runs/replay.md
	$(BIN)/python -m benchmarks.replay digits families --algorithms qmc random tpe --confirm none '1 × 1' --first-repetition 200 --trainings 10 \
	  --priors | $(INSERT) priors docs/explanation/search_algorithms.md
	$(BIN)/python -m benchmarks.replay digits --algorithms random tpe gp --confirm none '1 × 1' --first-repetition 200 --trainings 10 \
	  | $(INSERT) gp docs/explanation/search_algorithms.md

# Cost of the driver and the network on a cluster, and of 10,000 students beside plain Ray Tune, written into CLUSTER.md.
.PHONY: scales many-students
scales: install many-students
	mkdir -p runs && $(BIN)/python -m benchmarks.cluster > runs/scales.md && $(INSERT) scales CLUSTER.md < runs/scales.md

many-students: install
	$(BIN)/python -m benchmarks.many_students --plain-students 500 | $(INSERT) many CLUSTER.md
