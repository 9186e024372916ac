"""Operations that layers, losses and models compute with: `keras.ops`, plus faster TensorFlow versions."""

from kerasrec.ops import gradient_lifetime

gradient_lifetime.install()
