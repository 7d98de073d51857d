"""How an operation is carried out: formulations in `keras.ops`, and the choice between them.

Each function takes tensors of one dtype and a checked description, with any number of batch axes
and in either data format.
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

__all__ = ["conv", "conv_transpose", "crop", "depthwise_conv", "pad", "separable_conv", "upsample"]
