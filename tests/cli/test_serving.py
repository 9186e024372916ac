"""`kerasrec export` and `kerasrec serve`."""

import re
import signal
import subprocess

import pytest
from kerasrec_testing.command import COMMAND, error_of, invoke, user_environment
from kerasrec_testing.platforms import needs_posix_signals

from kerasrec_cli.runtime import exit_on_signals


@needs_posix_signals
def test_a_server_answers_until_ctrl_c_stops_it(runs, tmp_path):
    from kerasrec.serving import Client

    invoke("export", runs / "ease", "--to", tmp_path / "served")
    command = [*COMMAND, "serve", str(tmp_path / "served"), "--port", "0", "--lame-duck", "0"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": user_environment()}
    with subprocess.Popen(command, **options) as process:
        line = process.stdout.readline()
        with Client(line.split(" on ")[1].split(";")[0], model="default") as client:
            client.wait_until_ready()
            assert client.recommend([[3, 4]], k=2)[0].shape == (1, 2)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert "Traceback" not in errors and "Aborted" not in errors
    assert process.returncode == 0


@needs_posix_signals
def test_a_closed_terminal_stops_a_server_that_was_not_started_with_nohup():
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        exit_on_signals()
        with pytest.raises(SystemExit, match="^0$"):
            signal.raise_signal(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        exit_on_signals()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_bfloat16_prints_the_share_of_unchanged_items(runs, tmp_path):
    output = invoke("export", runs / "ease", "--to", tmp_path, "--bfloat16").output
    assert re.search(r"\d+\.\d% of the top 60 items are those of float32", output)


def test_a_run_must_be_exported_before_it_is_served(runs):
    error = error_of("serve", runs / "ease")
    assert error.endswith(f"Fix: kerasrec export {runs / 'ease'} --to served")


def test_an_export_gets_the_next_version(runs, tmp_path):
    for version in (1, 2):
        assert f"written: {tmp_path}/{version}; next step" in invoke("export", runs / "ease", "--to", tmp_path).output


def test_a_target_that_cannot_be_written_is_an_error(runs, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    assert f"--to: expected a folder, got the file {file}" in error_of("export", runs / "ease", "--to", file)
    below = error_of("export", runs / "ease", "--to", file / "served")
    assert below.startswith(f"Error: {file / 'served'}: ")
