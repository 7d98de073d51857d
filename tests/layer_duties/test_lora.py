"""LoRA, as the built-in convolutions have it."""

import keras
import numpy as np
import pytest

from keras_convkit.parity.differentiation import to_numpy
from tests.layer_duties.examples import (
    CONVS,
    assert_close,
    built,
    input_shape,
    ours,
    plain_arguments,
    random_input,
    randomize,
    trained,
)

LORA = {"lora_rank": 2, "lora_alpha": 3.0}


@pytest.mark.parametrize("name", CONVS)
def test_lora_is_the_built_in_layers(name):
    """Same weights, same names, same outputs, same training, same configuration."""
    arguments = plain_arguments(name)
    pair = []
    for make in (ours(name), getattr(keras.layers, name)):
        layer = make(**arguments, **LORA, name="layer")
        before, after = trained(layer, name, arguments, steps=2)
        pair.append((layer, before, after, to_numpy(layer(random_input(name, arguments)))))
    (mine, before, after, output), (theirs, _, wanted, wanted_output) = pair
    named = dict(zip([w.name for w in mine.weights], zip(before, after, strict=True), strict=True))
    for weight, (old, new) in named.items():
        assert (weight == "kernel") == np.array_equal(old, new), weight
    assert [w.name for w in mine.weights] == [w.name for w in theirs.weights]
    assert [w.trainable for w in mine.weights] == [w.trainable for w in theirs.weights]
    for new, target in zip(after, wanted, strict=True):
        assert_close(new, target)
    assert_close(output, wanted_output)
    assert mine.get_config() == theirs.get_config()


@pytest.mark.parametrize("name", CONVS)
def test_lora_enabled_later_trains_the_update_alone(name):
    arguments = plain_arguments(name)
    layer = built(name, arguments)
    x = random_input(name, arguments)
    without = to_numpy(layer(x))
    layer.enable_lora(2)
    assert_close(layer(x), without)  # b starts from zeros: nothing has changed yet
    assert [w.name for w in layer.trainable_weights] == ["bias", "lora_kernel_a", "lora_kernel_b"]
    assert [w.name for w in layer.non_trainable_weights] == ["kernel"]


@pytest.mark.parametrize("name", CONVS)
def test_lora_is_merged_when_saved(name, tmp_path):
    arguments = plain_arguments(name)
    x = random_input(name, arguments)

    def model(**lora):
        layer = ours(name)(**arguments, **lora, name="layer")
        return keras.Sequential([keras.Input(x.shape[1:]), layer])

    adapted = model(**LORA)
    randomize(adapted.layers[0])
    output = adapted(x)
    adapted.save_weights(tmp_path / "merged.weights.h5")
    for other in (model(), model(**LORA)):
        randomize(other.layers[0], seed=4)
        other.load_weights(tmp_path / "merged.weights.h5")
        assert_close(other(x), to_numpy(output))
    adapted.save(tmp_path / "model.keras")
    assert_close(keras.saving.load_model(tmp_path / "model.keras")(x), to_numpy(output))


@pytest.mark.parametrize("name", CONVS)
def test_lora_refuses_what_the_built_in_layer_refuses(name):
    make = ours(name)
    with pytest.raises(ValueError, match="built"):
        make(4, 3).enable_lora(2)
    constrained = make(4, 3, kernel_constraint="non_neg")
    constrained.build(input_shape(name, {}))
    with pytest.raises(ValueError, match="kernel_constraint"):
        constrained.enable_lora(2)
    twice = make(4, 3)
    twice.build(input_shape(name, {}))
    twice.enable_lora(2)
    with pytest.raises(ValueError, match="once"):
        twice.enable_lora(2)
