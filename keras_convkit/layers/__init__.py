"""The layers: one file a family, an N-dimensional class that does the work and three thin ranks."""

from keras_convkit.layers.conv import Conv1D, Conv2D, Conv3D
from keras_convkit.layers.conv_transpose import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose
from keras_convkit.layers.cropping import Cropping1D, Cropping2D, Cropping3D
from keras_convkit.layers.depthwise_conv import DepthwiseConv1D, DepthwiseConv2D, DepthwiseConv3D
from keras_convkit.layers.padding import (
    Padding1D,
    Padding2D,
    Padding3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from keras_convkit.layers.separable_conv import SeparableConv1D, SeparableConv2D, SeparableConv3D
from keras_convkit.layers.upsampling import UpSampling1D, UpSampling2D, UpSampling3D

__all__ = [
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "DepthwiseConv3D",
    "Padding1D",
    "Padding2D",
    "Padding3D",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConv3D",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]
