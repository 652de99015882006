"""Image classifiers of Hugging Face, from a folder, if the package is installed."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from spaces.errors import UserError
from spaces.parts import Model
from spaces.recipe import Recipe
from trainables.evaluate import predict_logits
from trainables.models import build_network
from trainables.models.transformers import transformers
from trainables.named_files import named_file_digests
from trainables.output import prepare_images
from trainables.teachers.train import train_teacher
from trainables.validate import data_problems

SHAPE = (3, 16, 16)


def test_without_the_package_the_error_names_the_extra(monkeypatch, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"extra: pip install 'distil-search\[transformers\]'"):
        transformers(SHAPE, 3, path=str(tmp_path))


@pytest.mark.parametrize(("path", "message"), [("nowhere", "no such folder"), (".", "a folder without config.json")])
def test_a_wrong_folder_is_one_line(tmp_path, path, message):
    with pytest.raises(UserError, match=message):
        transformers(SHAPE, 3, path=str(tmp_path / path))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A small vision transformer, and its folder as save_pretrained writes it."""
    library = pytest.importorskip("transformers")
    config = library.ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16, image_size=16, patch_size=8,
        id2label={0: "wasp", 1: "bee", 2: "ant"}, label2id={"wasp": 0, "bee": 1, "ant": 2},
    )  # fmt: skip
    torch.manual_seed(0)
    network = library.ViTForImageClassification(config).eval()
    folder = tmp_path_factory.mktemp("vit")
    network.save_pretrained(folder)
    processor = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "size": {"height": 16, "width": 16}}
    (folder / "preprocessor_config.json").write_text(json.dumps({"do_normalize": True, **processor}))
    return network, folder


def test_a_folder_is_run_as_its_package_runs_it(saved):
    network, folder = saved
    images = torch.randint(0, 256, (4, *SHAPE), dtype=torch.uint8)
    own = build_network(Model.model_validate({"name": "transformers", "path": str(folder)}), SHAPE, 3)
    with torch.no_grad():
        expected = network((prepare_images(images) - 0.5) / 0.25).logits
    torch.testing.assert_close(predict_logits(own, images), expected, rtol=1e-4, atol=1e-5)
    assert "vit.layers.0" in dict(own.named_modules()) or "vit.encoder.layer.0" in dict(own.named_modules())


def test_other_sizes_are_resized(saved):
    model = Model.model_validate({"name": "transformers", "path": str(saved[1])})
    assert predict_logits(build_network(model, (3, 40, 40), 3), torch.zeros(2, 3, 40, 40, dtype=torch.uint8)).shape == (
        2,
        3,
    )


def test_labels_choose_and_order_the_outputs(saved):
    images = torch.randint(0, 256, (4, *SHAPE), dtype=torch.uint8)
    tree = {"name": "transformers", "path": str(saved[1])}
    all_logits = predict_logits(build_network(Model.model_validate(tree), SHAPE, 3), images)
    chosen = predict_logits(build_network(Model.model_validate({**tree, "labels": ["ant", "wasp"]}), SHAPE, 2), images)
    torch.testing.assert_close(chosen, all_logits[:, [2, 0]])
    with pytest.raises(UserError, match=r"labels: aant is no label of this model; did you mean ant"):
        build_network(Model.model_validate({**tree, "labels": ["aant", "wasp"]}), SHAPE, 2)


@pytest.fixture
def recipe(saved):
    """A recipe with this teacher, and three classes of images."""

    def made(epochs: int = 0, **model):
        model = {"name": "transformers", "path": str(saved[1]), **model}
        return Recipe.model_validate(
            {
                "data": {"name": "folder", "path": "photos"},
                "teacher": {
                    "model": {"name": "transformers", "path": str(saved[1]), **model},
                    "train": {"epochs": epochs},
                },
                "student": {"model": {"name": "mlp", "hidden": [8]}},
                "method": {"name": "hinton", "alpha": 0.5, "temperature": 4.0},
                "train": {"epochs": 1, "batch_size": 8},
            }
        )

    return made


@pytest.fixture
def photos(digits):
    few = digits.take(30, 20, 20)
    splits = {
        name: getattr(few, name)._replace(
            images=np.repeat(np.repeat(np.repeat(getattr(few, name).images, 3, 1), 2, 2), 2, 3),
            labels=getattr(few, name).labels % 3,
        )
        for name in ("train", "val", "test")
    }
    return few._replace(**splits, classes=("ant", "bee", "wasp"))


def test_it_is_a_teacher_and_its_labels_are_compared(kd_cache, saved, recipe, photos):
    ((path, message),) = data_problems(recipe(), photos)
    assert path == "teacher.model"
    assert message.startswith("the outputs are wasp, bee, ant, but the classes of the data are ant, bee, wasp")
    labeled = recipe(labels=["ant", "bee", "wasp"])
    assert list(data_problems(labeled, photos)) == []
    (result,) = train_teacher(labeled, photos)
    with torch.no_grad():
        images = (torch.tensor(photos.val.images) / 255 - 0.5) / 0.25
        expected = saved[0](images).logits[:, [2, 1, 0]].numpy()
    np.testing.assert_allclose(result.outputs.val, expected, rtol=1e-3, atol=1e-4)


def test_a_new_head_has_to_be_trained(recipe, photos):
    four = photos._replace(classes=("ant", "bee", "fly", "wasp"))
    ((path, message),) = data_problems(recipe(), four)
    assert path == "teacher.train.epochs" and "its head is new and has to be trained" in message
    assert list(data_problems(recipe(epochs=1), four)) == []


def test_its_files_are_part_of_the_identity(saved):
    names = {name.rpartition("/")[2] for name in named_file_digests({"path": str(saved[1])})}
    assert {"config.json", "model.safetensors", "preprocessor_config.json"} <= names
