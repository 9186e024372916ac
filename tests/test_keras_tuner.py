"""The example of KerasTuner in the documentation."""

import re
from pathlib import Path

import pytest

from kerasrec import MultVAE, evaluate, read

TRAIN_PAGE = Path(__file__).parents[1] / "docs" / "howto" / "train.md"


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore::DeprecationWarning:keras_tuner", "ignore:currentThread")
def test_the_example_of_keras_tuner_improves_mult_vae(data_dir, tmp_path, monkeypatch):
    pytest.importorskip("keras_tuner")
    (example,) = re.findall(r"```python\n(import keras_tuner.*?)```", TRAIN_PAGE.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kerasrec.read", lambda name: read(data_dir / name))
    names: dict = {}
    exec(example, names)
    split = names["split"]
    default = MultVAE.for_interactions(split.train, epochs=30, batch_size=100, seed=1)
    default.compile()
    default.fit(split.train, epochs=30, batch_size=100, verbose=0)
    tuned, untuned = (evaluate(model, split.test).means["ndcg_100"] for model in (names["best"], default))
    assert tuned > untuned
