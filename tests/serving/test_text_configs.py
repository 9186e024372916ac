"""The batching and monitoring files of TF Serving."""

from pathlib import Path

import pytest

from kerasrec.serving import Batching
from kerasrec.serving.text_configs import read_batching, read_metrics_path

EXPORT = Path(__file__).parents[2] / "export"


def test_the_files_of_the_export_folder_are_valid():
    assert read_batching(EXPORT / "batching.config") == Batching(max_rows=64, timeout=0.001, max_queue=512, parallel=2)
    assert read_metrics_path(EXPORT / "monitoring.config") == "/monitoring/prometheus/metrics"


def test_missing_values_have_the_defaults_of_the_server(tmp_path):
    file = tmp_path / "batching.config"
    file.write_text("num_batch_threads { value: 3 } allowed_batch_sizes: 8 allowed_batch_sizes: 64")
    assert read_batching(file) == Batching(parallel=3)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("prometheus_config { enable: true }", "/monitoring/prometheus/metrics"),
        ('prometheus_config { enable: true path: "/numbers" }', "/numbers"),
        ('prometheus_config { path: "/numbers" }', None),
        ("", None),
    ],
)
def test_metrics_have_the_path_of_the_file_if_they_are_enabled(tmp_path, text, path):
    file = tmp_path / "monitoring.config"
    file.write_text(text)
    assert read_metrics_path(file) == path


def test_an_invalid_file_is_rejected_with_its_name_and_line(tmp_path):
    file = tmp_path / "batching.config"
    file.write_text("max_batch: 3")
    with pytest.raises(ValueError, match="batching.config is not a valid BatchingParameters in text format: 1:1"):
        read_batching(file)
    file.write_text("max_batch_size { value: 0 }")
    with pytest.raises(ValueError, match="`max_rows`: expected at least 1, got 0"):
        read_batching(file)
