import pytest


@pytest.fixture(autouse=True)
def no_other_data(monkeypatch, tmp_path):
    """Only the files of the test exist."""
    monkeypatch.delenv("KERASREC_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
