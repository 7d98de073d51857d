"""The signatures asked for, and a value for each argument that differs from its default.

What is added to a class beyond these is keyword-only or comes later, so these names, in this
order, are how its positional arguments begin.
"""

_CONV_TAIL = (
    "activation=None use_bias=True kernel_initializer='glorot_uniform' bias_initializer='zeros' "
    "kernel_regularizer=None bias_regularizer=None activity_regularizer=None "
    "kernel_constraint=None bias_constraint=None"
)
_DEPTHWISE_TAIL = _CONV_TAIL.replace("kernel_", "depthwise_")
_SEPARABLE_TAIL = (
    "depth_multiplier=1 activation=None use_bias=True depthwise_initializer='glorot_uniform' "
    "pointwise_initializer='glorot_uniform' bias_initializer='zeros' "
    "depthwise_regularizer=None pointwise_regularizer=None bias_regularizer=None "
    "activity_regularizer=None "
    "depthwise_constraint=None pointwise_constraint=None bias_constraint=None"
)

# Blanks stand where the contract has commas, so none may stand inside a default.
SIGNATURES = {
    "Conv1D": "filters kernel_size strides=1 padding='valid' data_format='channels_last' "
    f"dilation_rate=1 {_CONV_TAIL}",
    "Conv2D": "filters kernel_size strides=(1,1) padding='valid' data_format=None "
    f"dilation_rate=(1,1) {_CONV_TAIL}",
    "Conv3D": "filters kernel_size strides=(1,1,1) padding='valid' data_format=None "
    f"dilation_rate=(1,1,1) {_CONV_TAIL}",
    "SeparableConv1D": "filters kernel_size strides=1 padding='valid' "
    f"data_format='channels_last' dilation_rate=1 {_SEPARABLE_TAIL}",
    "SeparableConv2D": "filters kernel_size strides=(1,1) padding='valid' data_format=None "
    f"dilation_rate=(1,1) {_SEPARABLE_TAIL}",
    "DepthwiseConv2D": "kernel_size strides=(1,1) padding='valid' depth_multiplier=1 "
    f"data_format=None dilation_rate=(1,1) {_DEPTHWISE_TAIL}",
    "Conv2DTranspose": "filters kernel_size strides=(1,1) padding='valid' output_padding=None "
    f"data_format=None dilation_rate=(1,1) {_CONV_TAIL}",
    "Conv3DTranspose": "filters kernel_size strides=(1,1,1) padding='valid' "
    f"output_padding=None data_format=None {_CONV_TAIL}",
    "Cropping1D": "cropping=(1,1)",
    "Cropping2D": "cropping=((0,0),(0,0)) data_format=None",
    "Cropping3D": "cropping=((1,1),(1,1),(1,1)) data_format=None",
    "UpSampling1D": "size=2",
    "UpSampling2D": "size=(2,2) data_format=None interpolation='nearest'",
    "UpSampling3D": "size=(2,2,2) data_format=None",
    "ZeroPadding1D": "padding=1",
    "ZeroPadding2D": "padding=(1,1) data_format=None",
    "ZeroPadding3D": "padding=(1,1,1) data_format=None",
    "Padding1D": "padding padding_mode='zeros' value=0.0 data_format=None",
    "Padding2D": "padding padding_mode='zeros' value=0.0 data_format=None",
    "Padding3D": "padding padding_mode='zeros' value=0.0 data_format=None",
}

# No two arguments that could change places have the same value.
OTHER_VALUES = {
    "filters": 7,
    "kernel_size": 5,
    "strides": 3,
    "padding": "same",
    "output_padding": 2,
    "data_format": "channels_first",
    "dilation_rate": 4,
    "depth_multiplier": 6,
    "activation": "relu",
    "use_bias": False,
    "kernel_initializer": "ones",
    "depthwise_initializer": "he_normal",
    "pointwise_initializer": "lecun_normal",
    "bias_initializer": "random_normal",
    "kernel_regularizer": "l1",
    "depthwise_regularizer": "l1",
    "pointwise_regularizer": "orthogonal_regularizer",
    "bias_regularizer": "l2",
    "activity_regularizer": "l1l2",
    "kernel_constraint": "non_neg",
    "depthwise_constraint": "non_neg",
    "pointwise_constraint": "max_norm",
    "bias_constraint": "unit_norm",
    "cropping": 3,
    "size": 3,
    "interpolation": "bilinear",
    "padding_mode": "reflect",
    "value": 0.0,
}


def other_values(layer):
    """By the names of the layer's arguments, in their order."""
    names = [argument.partition("=")[0] for argument in SIGNATURES[layer].split()]
    values = {name: OTHER_VALUES[name] for name in names}
    if "padding" in values and "kernel_size" not in values:
        # Where nothing but padding is done, it is an amount.
        values["padding"] = 3
    return values
