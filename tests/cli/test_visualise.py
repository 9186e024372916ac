"""`kerasrec plot` and `kerasrec explore`."""

import signal
import subprocess
import urllib.request

import pytest
from kerasrec_testing.command import COMMAND, error_of, invoke, user_environment
from kerasrec_testing.platforms import needs_posix_signals

from kerasrec.explorer.page_files import POLICY
from kerasrec_cli.waiting_server import WaitingServer


def test_plot_draws_a_picture_of_one_run_or_several(runs, tmp_path):
    result = invoke("plot", "comparison", runs / "ease", "--to", tmp_path / "figure.svg")
    assert "written" in result.output
    assert (tmp_path / "figure.svg").read_text().startswith("<?xml")
    assert invoke("plot", "comparison", runs / "ease", runs / "ease", "--to", tmp_path / "c.png").exit_code == 0


def test_plot_draws_costs_from_a_csv_file(runs, tmp_path):
    (tmp_path / "costs.csv").write_text("name,size,cost\na,10,1\na,100,20\n")
    assert invoke("plot", "costs", tmp_path / "costs.csv", "--to", tmp_path / "costs.png").exit_code == 0
    assert "costs.png" in error_of("plot", "costs", tmp_path / "costs.png", "--to", tmp_path / "b.png")
    assert "expected one CSV file" in error_of("plot", "costs", runs / "ease", "--to", tmp_path / "b.png")


def test_a_picture_that_cannot_be_drawn_is_an_error(runs, tmp_path):
    to = tmp_path / "a.png"
    message = "choose curves, or another of curves, train-validation"
    assert message in error_of("plot", "curve", runs / "ease", "--to", to)
    assert "expected a PICTURE and at least one RUN" in error_of("plot", runs / "ease", "--to", to)
    assert "no curves" in error_of("plot", "curves", runs / "ease", "--to", to)
    assert "ends in .png, .svg or .pdf" in error_of("plot", "curves", runs / "ease", "--to", tmp_path / "a.bmp")
    for picture in ("comparison", "popularity"):
        error = error_of("plot", picture, runs / "ease", runs / "nodes", "--to", to)
        assert "train them on the same split" in error
    for picture in ("curves", "train-validation", "reconstruction", "latent-map"):
        assert "one run" in error_of("plot", picture, runs / "nodes", runs / "nodes", "--to", to)


@pytest.mark.parametrize("command", [["plot", "latent-map", "{run}", "--to"], ["explore", "{run}", "--save"]])
def test_a_file_that_cannot_be_written_is_an_error(runs, tmp_path, command):
    command = [argument.replace("{run}", str(runs / "ease")) for argument in command]
    file, folder = tmp_path / "missing" / "x.png", tmp_path / "x.png"
    folder.mkdir()
    assert f"{file}: the folder {file.parent} does not exist. Fix: create it first" in error_of(*command, file)
    assert f"expected a file, got the folder {folder}" in error_of(*command, folder)


def test_explore_saves_a_page(runs, tmp_path):
    result = invoke("explore", runs / "ease", "--save", tmp_path / "page.html")
    assert "written" in result.output
    assert '"list": [' in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_mistake_in_explore_gets_one_line(runs, tmp_path):
    unknown = error_of("explore", runs / "ease", "--save", tmp_path / "a.html", "--user", "nobody")
    assert "expected the id of a test user, got 'nobody'" in unknown
    assert "expected one or two RUN folders, got 3" in error_of("explore", *[runs / "ease"] * 3)
    assert "--user needs --save" in error_of("explore", runs / "ease", "--user", "3")


def test_a_port_in_use_is_an_error_of_explore(runs):
    port = WaitingServer(0).socket.getsockname()[1]
    assert f"cannot listen on port {port}" in error_of("explore", runs / "ease", "--port", port, "--no-open")


@needs_posix_signals
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_explore_answers_until_a_signal_stops_it(runs, number):
    command = [*COMMAND, "explore", str(runs / "ease"), "--port", "0", "--no-open"]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": user_environment()}
    process = subprocess.Popen(command, **options)
    try:
        line = process.stdout.readline()
        address = line.split(" on ")[1].split(";")[0]
        with urllib.request.urlopen(address) as answer:  # while TensorFlow is imported
            assert b"Loading the model" in answer.read()
            assert answer.headers["Content-Security-Policy"] == POLICY
        with urllib.request.urlopen(address + "api/about") as answer:  # waits for the model
            assert b'"EASE"' in answer.read()
        with urllib.request.urlopen(address) as answer:
            assert answer.headers["Content-Security-Policy"] == POLICY
        process.send_signal(number)
        assert process.communicate(timeout=120) == ("", "")
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()
