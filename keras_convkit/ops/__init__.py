"""The mathematics without the layers: functions of tensors and of symbolic Keras tensors."""

from keras_convkit.ops.convolution import conv, conv_transpose, depthwise_conv, separable_conv
from keras_convkit.ops.reshaping import crop, pad, upsample

__all__ = ["conv", "conv_transpose", "crop", "depthwise_conv", "pad", "separable_conv", "upsample"]
