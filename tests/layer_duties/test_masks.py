"""Masks are dropped, with a warning."""

import warnings

import keras
import numpy as np
import pytest

from tests.layer_duties.examples import (
    BUILT_IN,
    CHANNELS,
    CLASSES,
    LENGTHS,
    every_class,
    ours,
    plain_arguments,
)


class SeesMask(keras.layers.Layer):
    """Remembers the mask that Keras hands it."""

    supports_masking = True  # or Keras warns of this layer too

    def call(self, inputs, mask=None):
        self.seen = mask
        return inputs


def masked_run(make, arguments, rank, symbolic):
    """The mask that comes out of a layer, and the warnings."""
    x = np.ones((2, *LENGTHS[rank], CHANNELS), "float32")
    x[0, 0] = 0.0
    masking, layer, probe = keras.layers.Masking(), make(**arguments, name="layer"), SeesMask()
    masked = masking(keras.Input(x.shape[1:]) if symbolic else x)
    probe(masked)
    assert probe.seen is not None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        probe(layer(masked))
    return probe.seen, [str(warning.message) for warning in caught]


@every_class
@pytest.mark.parametrize("symbolic", [False, True], ids=["eager", "symbolic"])
def test_masks_are_dropped_with_the_built_in_layers_warning(name, symbolic):
    rank = CLASSES[name][1]
    arguments = plain_arguments(name)
    mine = masked_run(ours(name), arguments, rank, symbolic)
    peer = name if name in BUILT_IN else "UpSampling1D"
    peer_rank = CLASSES[peer][1]
    theirs = masked_run(getattr(keras.layers, peer), plain_arguments(peer), peer_rank, symbolic)
    assert mine[0] is theirs[0] is None
    assert len(mine[1]) == 1
    assert mine[1] == [message.replace(peer, name) for message in theirs[1]]


UNCHANGING = [
    (name, {argument: value})
    for argument, value, families in (
        ("cropping", 0, ["Cropping"]),
        ("size", 1, ["UpSampling"]),
        ("padding", 0, ["ZeroPadding", "Padding"]),
    )
    for name, (family, _) in CLASSES.items()
    if family in families
]


@pytest.mark.parametrize(("name", "arguments"), UNCHANGING, ids=[name for name, _ in UNCHANGING])
def test_masks_are_dropped_where_the_layer_changes_nothing(name, arguments):
    """The warning says that the mask is gone, so the output can't be the masked input itself."""
    seen, messages = masked_run(ours(name), arguments, CLASSES[name][1], symbolic=False)
    assert seen is None
    assert len(messages) == 1
