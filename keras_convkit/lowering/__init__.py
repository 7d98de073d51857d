"""How an operation is carried out: formulations in `keras.ops`, and the choice between them.

Each function takes tensors of one dtype and a checked description, with any number of batch axes
and in either data format. `prefer` and `set_preferred` are for users: they go before the choice
that was measured.
"""

from keras_convkit.lowering.dispatch import (
    conv,
    conv_transpose,
    depthwise_conv,
    separable_conv,
    upsample,
)
from keras_convkit.lowering.layout import crop
from keras_convkit.lowering.padding import pad
from keras_convkit.lowering.preference import prefer, set_preferred

__all__ = [
    "conv",
    "conv_transpose",
    "crop",
    "depthwise_conv",
    "pad",
    "prefer",
    "separable_conv",
    "set_preferred",
    "upsample",
]
