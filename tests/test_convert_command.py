"""`keras-convkit convert`: a saved model converted, whole or not at all."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_convkit
from keras_convkit import cli

SHAPE = (1, 6, 6, 3)


def save(path, *inner):
    model = keras.Sequential([keras.Input(SHAPE[1:]), *inner])
    model.save(path)
    return model


@pytest.fixture
def source(tmp_path):
    return tmp_path / "in.keras"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "out.keras"


def classes(path):
    return [type(layer) for layer in keras.saving.load_model(path, safe_mode=False).layers]


def test_there_and_back(source, target, tmp_path, capsys):
    model = save(source, layers.Conv2D(2, 3), layers.DepthwiseConv2D(2), layers.Flatten())
    assert cli.main(["convert", str(source), str(target)]) == 0
    assert classes(target) == [keras_convkit.Conv2D, keras_convkit.DepthwiseConv2D, layers.Flatten]
    printed = capsys.readouterr().out
    assert "1 Conv2D\n" in printed
    assert "2 layers changed" in printed
    x = np.random.default_rng(0).normal(size=SHAPE).astype("float32")
    converted = keras.saving.load_model(target)
    np.testing.assert_allclose(converted.predict(x), model.predict(x), rtol=1e-5, atol=1e-6)

    back = tmp_path / "back.keras"
    assert cli.main(["convert", "--to-builtin", str(target), str(back)]) == 0
    assert classes(back) == [layers.Conv2D, layers.DepthwiseConv2D, layers.Flatten]


def test_a_file_can_be_converted_in_place(source):
    save(source, layers.Conv2D(2, 3))
    assert cli.main(["convert", str(source), str(source)]) == 0
    assert classes(source) == [keras_convkit.Conv2D]


def test_an_obstacle_writes_nothing(source, target, capsys):
    save(source, keras_convkit.Conv2D(2, 3, padding=1, name="wide"), keras_convkit.Conv2D(1, 1))
    target.write_text("as it was")
    assert cli.main(["convert", "--to-builtin", str(source), str(target)]) == 2
    assert "'wide'" in capsys.readouterr().err
    assert target.read_text() == "as it was"
    assert sorted(path.name for path in target.parent.iterdir()) == ["in.keras", "out.keras"]

    assert cli.main(["convert", "--to-builtin", "--lenient", str(source), str(target)]) == 0
    assert classes(target) == [keras_convkit.Conv2D, layers.Conv2D]


@pytest.mark.filterwarnings("ignore:.*lambda")
def test_code_in_the_file_needs_the_users_word(source, target, capsys):
    save(source, layers.Lambda(lambda x: x * 2, output_shape=SHAPE[1:]), layers.Conv2D(1, 1))
    assert cli.main(["convert", str(source), str(target)]) == 2
    assert "nothing was written" in capsys.readouterr().err
    assert not target.exists()
    assert cli.main(["convert", "--unsafe", str(source), str(target)]) == 0
    assert classes(target) == [layers.Lambda, keras_convkit.Conv2D]


@pytest.mark.parametrize("content", [b"", b"no model"], ids=["empty", "garbage"])
def test_a_broken_file_is_said(source, target, capsys, content):
    source.write_bytes(content)
    assert cli.main(["convert", str(source), str(target)]) == 2
    assert str(source) in capsys.readouterr().err
    assert not target.exists()


def test_a_module_that_is_not_there_is_said(source, target, capsys):
    save(source, layers.Conv2D(1, 1))
    assert cli.main(["convert", "--import", "no_such_module", str(source), str(target)]) == 2
    assert "no_such_module" in capsys.readouterr().err


@pytest.mark.parametrize("names", [("in.h5", "out.keras"), ("in.keras", "nowhere/out.keras")])
def test_wrong_paths_are_refused(tmp_path, names):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["convert", *(str(tmp_path / name) for name in names)])
