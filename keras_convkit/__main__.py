"""`python -m keras_convkit`: the command `keras-convkit`."""

import sys

from keras_convkit.cli import main

sys.exit(main())
