"""Trackers receive the settings, metrics, plots and digest of a run."""

import json
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from kerasrec_testing.command import COMMAND, user_environment
from kerasrec_testing.runs import config_of, read_small

from kerasrec.data import Interactions
from kerasrec.data.digest import table_digest
from kerasrec.runs import Run, refit, train
from kerasrec.runs.tracking import tracker_for

CONFIG = config_of("elsa", epochs=2, model_options={"latent_dim": 8})


def test_an_unknown_tracker_is_refused(tmp_path):
    with pytest.raises(ValueError, match="`track`: expected one of mlflow, tensorboard, got 'wandb'"):
        tracker_for("wandb", tmp_path)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_receives_epochs_settings_results_and_plots(tmp_path):
    from matplotlib.figure import Figure
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, picture = tmp_path / "run", tmp_path / "curves.png"
    Figure(figsize=(3, 2), dpi=100).savefig(picture)
    tracker = tracker_for("tensorboard", folder)
    run = train(CONFIG, read_small, folder, callbacks=[tracker.callback])
    for _ in range(2):  # the second call writes nothing
        tracker.finish(run, [picture])
    assert len(list((folder / "tensorboard").iterdir())) == 3
    events = {}
    for file in sorted((folder / "tensorboard").iterdir(), key=lambda file: file.suffix):
        events[file.suffix] = EventAccumulator(str(file))
        events[file.suffix].Reload()
    history = run.history()["val_ndcg_100"]
    for epoch, value in enumerate(history, 1):
        (scalar,) = events[f".epoch-{epoch:04d}"].Scalars("val_ndcg_100")
        assert (scalar.step, scalar.value) == (epoch, pytest.approx(value))
    results = events[".results"]
    (test,) = results.Scalars("result/test_ndcg_100")
    assert test.value == pytest.approx(run.metrics["test"]["ndcg_100"])
    (image,) = results.Images("plots/curves")
    assert (image.width, image.height) == (300, 200)
    settings = json.loads(results.Tensors("settings")[0].tensor_proto.string_val[0])
    assert (settings["model"], settings["latent_dim"], settings["split_held_out"]) == ("elsa", 8, 40)
    assert settings["data_digest"] == table_digest(read_small())

    tracker = tracker_for("tensorboard", tmp_path / "final")
    final = refit(run, tmp_path / "final", read_data=read_small, callbacks=[tracker.callback])
    tracker.finish(final, [])
    files = [file.suffix for file in (final.folder / "tensorboard").iterdir()]
    assert sorted(files) == [*(f".epoch-{n + 1:04d}" for n in range(run.metrics["best_epoch"])), ".results"]


@pytest.fixture(scope="module")
def mlflow_server(tmp_path_factory):
    """The address of an MLflow server with SQLite."""
    pytest.importorskip("mlflow", reason="mlflow is not installed: pip install '.[mlflow]'")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--default-artifact-root", str(folder / "artifacts")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{address}/health", timeout=5).close()
            break
        except OSError:
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.5)
    yield address
    process.terminate()
    process.wait(timeout=120)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_mlflow_receives_the_run_and_serves_the_registered_model(mlflow_server, tmp_path):
    import mlflow
    import pandas as pd

    command = [*COMMAND, "train", "elsa", "--held-out", "50", "--epochs", "2", "--set", "latent_dim=8"]
    command += ["--out", str(tmp_path / "run"), "--track", "mlflow"]
    environment = {**user_environment(), "MLFLOW_TRACKING_URI": mlflow_server}
    for _ in range(2):  # the second command has nothing to do
        process = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
        assert process.returncode == 0, process.stderr
    run = Run(tmp_path / "run")
    client = mlflow.MlflowClient(mlflow_server)
    run_id = json.loads((run.folder / "mlflow.json").read_text())["run_id"]
    data = client.get_run(run_id).data
    assert (data.params["model"], data.params["latent_dim"], data.params["split_held_out"]) == ("elsa", "8", "50")
    assert data.tags["data_digest"] == json.loads((run.folder / "run.json").read_text())["data_digest"]
    assert data.metrics["test_ndcg_100"] == pytest.approx(run.metrics["test"]["ndcg_100"])
    epochs = client.get_metric_history(run_id, "val_ndcg_100")
    assert [(epoch.step, epoch.value) for epoch in epochs] == [
        (number, pytest.approx(value)) for number, value in enumerate(run.history()["val_ndcg_100"], 1)
    ]
    assert "plots/curves.png" in [file.path for file in client.list_artifacts(run_id, "plots")]

    (version,) = client.search_model_versions("name='kerasrec_elsa'")
    mlflow.set_tracking_uri(mlflow_server)
    model = mlflow.pyfunc.load_model(f"models:/kerasrec_elsa/{version.version}")
    assert [column.name for column in model.metadata.signature.inputs.inputs] == ["history"]
    history = run.split().train.item_ids[[3, 5, 8]].tolist()
    answer = model.predict(pd.DataFrame({"history": [history, history[:1]]}))
    table = Interactions.from_histories([history, history[:1]], run.split().train)
    expected = run.model().recommend(table, k=10).item_ids
    assert [list(row[:10]) for row in answer["item_ids"]] == expected.tolist()
