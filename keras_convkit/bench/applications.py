"""Which whole models are run, and how; known without Keras."""

APPLICATIONS = ("MobileNetV2", "EfficientNetB0", "Xception", "ResNet50", "ConvNeXtTiny")
IMAGE = (96, 96, 3)
BATCH = 16
# By `predict_on_batch` and `train_on_batch`.
QUANTITIES = ("prediction", "training step")
