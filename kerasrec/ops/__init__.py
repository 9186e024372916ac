"""Operations that layers, losses and models compute with, in `keras.ops`, with faster TensorFlow kernels."""
