"""The examples of all help texts run."""

import importlib.util
import re
import shlex
import shutil

import click
import pytest
from kerasrec_testing.command import invoke

import kerasrec_cli
from kerasrec import generate

NEEDS_SERVER = {"kerasrec serve served --rest-port 8501"}

NEEDS_BEAM = ("kerasrec data prepare", "kerasrec data gram")


def leaf_commands(group):
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        yield from leaf_commands(command) if isinstance(command, click.Group) else [command]


def example_of(command):
    lines = (command.help or "").splitlines()
    examples = [line.strip() for line in lines if re.match(r"\s+kerasrec ", line)]
    assert len(examples) == 1, f"{command.name} has {len(examples)} examples"
    return examples[0]


EXAMPLES = [example_of(command) for command in leaf_commands(kerasrec_cli.main)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the file and the runs that the examples name."""
    folder = tmp_path_factory.mktemp("examples")
    table = generate(n_users=300, n_items=60, seed=2)
    rows = zip(table.user_ids[table.users], table.item_ids[table.items], table.values, strict=True)
    lines = ["user,item,rating", *(f"{user},{item},{value:g}" for user, item, value in rows)]
    (folder / "ratings.csv").write_text("\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        invoke("data", "pack", "ratings.csv", "--min-value", "4", "--out", "likes")
        invoke("train", "ease", "--data", "ratings.csv", "--out", "run")
        for name in ("other-run", "ease-run", "rec-vae-run"):
            shutil.copytree("run", name)
    return folder


def test_every_command_has_an_example():
    assert {example.split()[1] for example in EXAMPLES} == set(kerasrec_cli.COMMANDS)


@pytest.mark.parametrize("example", sorted(set(EXAMPLES) - NEEDS_SERVER))
def test_the_example_runs(folder, monkeypatch, example):
    if example.startswith(NEEDS_BEAM) and not importlib.util.find_spec("apache_beam"):
        pytest.skip("needs Apache Beam: pip install '.[beam]'")
    monkeypatch.chdir(folder)
    if " train " in example:
        shutil.rmtree("run")  # another test may have written it
    result = invoke(*shlex.split(example)[1:])
    assert result.exit_code == 0, result.output


def test_the_example_of_serve_names_an_exported_model_and_known_options(folder, monkeypatch):
    monkeypatch.chdir(folder)
    invoke("export", "run", "--to", "served")
    (example,) = NEEDS_SERVER
    command = kerasrec_cli.main.get_command(click.Context(kerasrec_cli.main), "serve")
    arguments = command.make_context("serve", shlex.split(example)[2:]).params
    assert arguments["path"].is_dir()
