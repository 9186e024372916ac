"""The folder of an export: versions, metadata, warm-up requests."""

import datetime
import json
import stat
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from kerasrec_testing.exports import N_ITEMS, N_USERS, call, fitted, interactions, requests
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from kerasrec import EASE
from kerasrec.saved_model import export_saved_model
from kerasrec.saved_model.export import write_warmup


def test_a_list_is_at_most_as_long_as_the_catalogue(tmp_path, ease):
    model, table, _ = ease
    version = export_saved_model(model, tmp_path, table, top_k=N_ITEMS + 5)
    assert call(version, "serving_default", history=[[7]])["item_ids"].shape == (1, N_ITEMS)
    version = export_saved_model(model, tmp_path, table, top_k=3)
    assert call(version, "serving_default", history=[[7]])["item_ids"].shape == (1, 3)


def test_a_model_without_a_user_input_accepts_a_list_of_item_ids(tmp_path, ease):
    model, table, version = ease
    other = export_saved_model(model, tmp_path, table.item_ids.tolist())
    request = requests(model, table)
    np.testing.assert_array_equal(
        call(other, "serving_default", **request)["item_ids"], call(version, "serving_default", **request)["item_ids"]
    )


def test_versions_count_up_and_are_never_overwritten(tmp_path, ease):
    model, table, _ = ease
    folder = tmp_path / "a" / "model"
    assert export_saved_model(model, folder, table) == folder / "1"
    assert export_saved_model(model, folder, table, version=20261121) == folder / "20261121"
    assert export_saved_model(model, str(folder), table) == folder / "20261122"
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    with pytest.raises(FileExistsError, match="^version 1 exists in .* Fix: choose another `version`, or leave it out"):
        export_saved_model(model, folder, table, version=1)
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before
    # TF Serving often runs as another user.
    for p in (folder / "1", folder / "1" / "saved_model.pb"):
        assert p.stat().st_mode & stat.S_IROTH


@pytest.mark.parametrize("step", ["save", "warmup"])
def test_a_failure_leaves_no_files(tmp_path, ease, monkeypatch, step):
    model, table, _ = ease

    def fail(*_):
        if step == "save":
            raise tf.errors.ResourceExhaustedError(None, None, "part-00000; disk full [Op:SaveV2]")
        raise OSError("disk full")

    if step == "save":
        monkeypatch.setattr(tf.saved_model, "save", fail)
    else:
        monkeypatch.setattr("kerasrec.saved_model.export.write_warmup", fail)
    with pytest.raises(OSError, match=r"disk full$|1: disk full\. Fix"):
        export_saved_model(model, tmp_path / "new", table)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old" / "1").mkdir(parents=True)
    with pytest.raises(OSError, match="disk full"):
        export_saved_model(model, tmp_path / "old", table)
    assert [p.name for p in (tmp_path / "old").iterdir()] == ["1"]


def test_of_two_exports_of_one_version_the_first_is_kept(tmp_path, ease, monkeypatch):
    model, table, _ = ease

    def write_and_race(file, requests):
        (tmp_path / "1").mkdir()  # by another process
        (tmp_path / "1" / "saved_model.pb").touch()
        write_warmup(file, requests)

    monkeypatch.setattr("kerasrec.saved_model.export.write_warmup", write_and_race)
    with pytest.raises(FileExistsError, match="version 1 exists in"):
        export_saved_model(model, tmp_path, table)
    assert [p.name for p in tmp_path.iterdir()] == ["1"]
    assert [p.name for p in (tmp_path / "1").iterdir()] == ["saved_model.pb"]


def test_a_reader_never_sees_an_incomplete_version(tmp_path, ease):
    model, table, _ = ease
    complete = {"saved_model.pb", "variables", "assets", "assets.extra", "fingerprint.pb"}
    incomplete, versions_seen, exported = [], set(), threading.Event()

    def watch():
        while not exported.is_set():
            for version in filter(lambda p: p.name.isdecimal(), tmp_path.iterdir()):
                versions_seen.add(version.name)
                names = {p.name for p in version.iterdir()}
                if names != complete or not (version / "assets.extra" / "tf_serving_warmup_requests").stat().st_size:
                    incomplete.append(names)
            time.sleep(0.001)  # without pauses, the export takes several times as long

    reader = threading.Thread(target=watch)
    reader.start()
    try:
        for _ in range(3):
            export_saved_model(model, tmp_path, table)
    finally:
        exported.set()
        reader.join()
    assert {"1", "2"} <= versions_seen
    assert incomplete == []


@pytest.mark.parametrize("fixture", ["rated", "by_user", "ease"])
def test_warmup_requests_cover_every_signature(fixture, request):
    version = request.getfixturevalue(fixture)[2]
    records = tf.data.TFRecordDataset(str(version / "assets.extra" / "tf_serving_warmup_requests"))
    predictions = [PredictionLog.FromString(record.numpy()).predict_log.request for record in records]
    names = [prediction.model_spec.signature_name for prediction in predictions]
    assert names == ["serving_default", "recommend", "examples", "score", "similar"]
    for prediction in predictions:
        assert prediction.model_spec.name == version.parent.name
        inputs = {name: tf.make_ndarray(proto) for name, proto in prediction.inputs.items()}
        answer = call(version, prediction.model_spec.signature_name, **inputs)
        assert all(len(array) == 1 for array in answer.values())


def test_the_metadata_file_describes_the_model_and_its_data(tmp_path, by_user):
    model, table, _ = by_user
    version = export_saved_model(model, tmp_path, table, metadata={"protocol": "é", "metrics": {"rmse": 0.9}})
    about = json.loads((version / "assets.extra" / "kerasrec.json").read_text(encoding="utf-8"))
    assert about["model"] == "AutoRec"
    assert about["config"]["rows"] == "items"
    assert (about["n_items"], about["n_users"], about["top_k"]) == (N_ITEMS, N_USERS, N_ITEMS)
    assert about["serving_inputs"] == ["user_id"]
    assert about["table"] == repr(table)
    assert abs(datetime.datetime.fromisoformat(about["created"]).timestamp() - time.time()) < 600
    assert about["commit"] is None or len(about["commit"]) == 40
    assert about["protocol"] == "é"
    assert about["metrics"] == {"rmse": 0.9}
    assert (version / "assets" / "item_ids.txt").read_text(encoding="utf-8").splitlines() == table.item_ids.tolist()
    assert sorted(p.name for p in (version / "assets").iterdir()) == ["item_ids.txt", "user_ids.txt"]


def test_invalid_arguments_are_errors(tmp_path, by_user, ease):
    model, table, _ = ease
    with pytest.raises(ValueError, match="EASE .*fit"):
        export_saved_model(EASE(N_ITEMS), tmp_path, table)
    with pytest.raises(ValueError, match="`items`: expected the training table, because AutoRec needs the user ids"):
        export_saved_model(by_user[0], tmp_path, table.item_ids)
    with pytest.raises(ValueError, match="`top_k`.*1.*0"):
        export_saved_model(model, tmp_path, table, top_k=0)
    with pytest.raises(ValueError, match="`version`.*0.*-1"):
        export_saved_model(model, tmp_path, table, version=-1)
    for name in ("top_k", "version", "keep"):
        with pytest.raises(ValueError, match=f"`{name}`: expected an integer, got 2.5"):
            export_saved_model(model, tmp_path, table, **{name: 2.5})
    with pytest.raises(ValueError, match="`metadata`: expected a dictionary, got .'test'"):
        export_saved_model(model, tmp_path, table, metadata=["test"])
    with pytest.raises(ValueError, match="`metadata`: expected JSON values .*float32"):
        export_saved_model(model, tmp_path, table, metadata={"rmse": np.float32(1)})
    with pytest.raises(ValueError, match="`metadata`: expected names that the export does not set, got model, table"):
        export_saved_model(model, tmp_path, table, metadata={"table": "mine", "model": "mine", "stage": "test"})
    assert list(tmp_path.iterdir()) == []


def test_old_versions_are_deleted(tmp_path, ease):
    model, table, _ = ease
    for version in ("3", "0004", "7"):
        (tmp_path / version / "variables").mkdir(parents=True)
    others = ["9" * 20, "notes", "٣"]  # none of them is a version
    for name in others:
        (tmp_path / name).mkdir()
    (tmp_path / "12").touch()
    export_saved_model(model, tmp_path, table, keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["12", "7", "8", *others])
    export_saved_model(model, tmp_path, table, keep=1, version=5)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["12", "5", "8", *others])


def test_the_items_of_another_table_are_an_error(tmp_path, ease):
    model, table, _ = ease
    with pytest.raises(ValueError, match="`items`: expected the 40 items of the model, got 39"):
        export_saved_model(model, tmp_path, table.item_ids[1:])
    with pytest.raises(ValueError, match="`items`: expected the items of the training table in their order"):
        export_saved_model(model, tmp_path, table.item_ids[::-1])
    assert list(tmp_path.iterdir()) == []


def test_an_exported_model_can_still_be_trained(tmp_path):
    table = interactions()
    model = fitted("mult_vae", table)
    export_saved_model(model, tmp_path, table)
    before = model.recommend(table, k=3)
    history = model.fit(table, epochs=1, batch_size=20, verbose=0)
    assert np.isfinite(history.history["loss"]).all()
    assert before.item_ids.shape == (N_USERS, 3)
