"""A progress bar over the epochs of a training run."""

from __future__ import annotations

from typing import Any

import keras
from tqdm.auto import tqdm


class EpochBar(keras.callbacks.Callback):
    """One progress bar over all epochs, with the latest metrics behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.bar: tqdm | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        self.close()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if self.bar is None:
            self.bar = tqdm(total=self.params["epochs"], initial=epoch, desc="training", unit="epoch", delay=2)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self.bar is not None:
            self.bar.set_postfix({n: f"{float(v):.4g}" for n, v in (logs or {}).items()}, refresh=False)
            self.bar.update()

    def on_train_end(self, logs: Any = None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the bar. After an interruption, an open bar would be drawn again below the last message."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None
