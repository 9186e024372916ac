"""Apache Beam is optional."""

import sys

import pytest

from kerasrec.beam import prepare, write_gram_matrix


def test_without_beam_the_error_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    for call in (prepare, write_gram_matrix):
        with pytest.raises(ImportError, match=r"expected Apache Beam, got nothing. Fix: pip install 'apache-beam>="):
            call(tmp_path / "events", tmp_path / "target")
