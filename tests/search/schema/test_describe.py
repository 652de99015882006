"""What docstrings say in a line: the sentence, and the paper as it is cited there."""

from __future__ import annotations

import pytest

from search.schema.describe import entries, layers, paper


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("after Hinton, Vinyals & Dean (2015), section 2.", "Hinton, Vinyals & Dean (2015), section 2"),
        ("The factor T² keeps it (Hinton et al. 2015, sec. 2).", "Hinton et al. 2015, sec. 2"),
        ("Müller et al. 2020, eq. 3 and 4, less the entropy.", "Müller et al. 2020, eq. 3 and 4"),
        ("Attention, after Zagoruyko &\nKomodakis (2017), section 3.1", "Zagoruyko & Komodakis (2017), section 3.1"),
        ("digits (Alpaydin and Kaynak, UCI, 1998): fast", "Alpaydin and Kaynak, UCI, 1998"),
        ("Estimator (Bergstra et al. 2011); more", "Bergstra et al. 2011"),
        ("as in a student project on CIFAR-10 (2020)", ""),
        ("the ECE1512 assignment (University of Toronto), figure 2.", ""),
        ("MNIST: 60,000 images (LeCun, Cortes and Burges)", ""),
    ],
)
def test_a_paper_is_named_as_it_is_cited(text: str, cited: str) -> None:
    assert paper(text) == cited


def test_the_first_text_that_cites_something_counts() -> None:
    assert paper(None, "nothing here", "Park et al. 2019", "Sun et al. 2024") == "Park et al. 2019"


def test_a_method_is_described_by_its_file_and_a_sampler_of_several_by_its_own_docstring() -> None:
    found = {(each.kind, each.name): each for each in entries()}
    hinton, random = found["method", "hinton"], found["algorithm", "random"]
    assert hinton.line.startswith("Knowledge distillation through softened outputs")
    assert hinton.paper == "Hinton, Vinyals & Dean (2015), section 2"
    assert hinton.formula.startswith("alpha · T²")
    assert random.line == "Independent draws from every domain"
    assert found["scheduler", "none"].line != found["method", "none"].line


def test_layers_are_those_of_the_plainest_network_of_a_name() -> None:
    assert layers("cnn") == ("relu1", "pool1", "relu2", "pool2", "relu3")
    assert layers("mlp") == ("relu1", "relu2")
