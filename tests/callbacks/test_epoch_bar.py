"""The progress bar over all epochs."""

import contextlib

import keras
import numpy as np
import pytest

from kerasrec.callbacks import EpochBar


def interrupt(epoch, logs):
    raise KeyboardInterrupt


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_bar_is_closed_after_training_also_if_that_is_interrupted(interrupted):
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    bars = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: bars.append(bar.bar))
    stop = [keras.callbacks.LambdaCallback(on_epoch_end=interrupt)] if interrupted else []
    expected = pytest.raises(KeyboardInterrupt) if interrupted else contextlib.nullcontext()
    with expected, contextlib.closing(EpochBar()) as bar:
        model.fit(np.ones((4, 2)), np.ones(4), epochs=2, callbacks=[bar, callback, *stop], verbose=0)
    assert len(bars) == 2 - interrupted
    assert bars[0].total == 2
    assert bar.bar is None and bars[0].disable  # tqdm disables a bar that is closed
