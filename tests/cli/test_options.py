"""NAME=VALUE as arguments of a model or a protocol."""

import inspect

import pytest
from kerasrec_testing.command import invoke

from kerasrec import CFN, PROTOCOLS, ZOO, AutoRec, HeldOutUsers, MultDAE, RecVAE
from kerasrec_cli.id_lists import read_list
from kerasrec_cli.options import parse_arguments


@pytest.mark.parametrize(
    ("cls", "text", "value"),
    [
        (RecVAE, "mixture=0.2,0.7,0.1", (0.2, 0.7, 0.1)),
        (CFN, "value_range=0.5,5", (0.5, 5.0)),
        (AutoRec, "value_range=(0.5, 5)", (0.5, 5.0)),
        (MultDAE, "hidden_dims=600", (600,)),
        (MultDAE, "n_sampled=100", 100),
        (HeldOutUsers, "held_out=None", None),
        (HeldOutUsers, "held_out=20", 20),
    ],
)
def test_a_value_has_the_type_of_its_argument(cls, text, value):
    (parsed,) = parse_arguments(cls, (text,), "--set").values()
    assert parsed == value
    assert type(parsed) is type(value)
    if isinstance(value, tuple):
        assert [*map(type, parsed)] == [*map(type, value)]


def test_models_lists_every_model_and_option():
    output = invoke("models").output
    for name in ZOO:
        assert f"\n{name}  (" in f"\n{output}"
    for text in ("--set reg=500.0", "--set hidden_dims=600", "--set rows=users"):
        assert text in output


def test_set_accepts_what_models_prints():
    for line in invoke("models").output.splitlines():
        if not line.startswith("    --set "):
            cls = ZOO[line.split()[0]]
            continue
        text = line.removeprefix("    --set ")
        name = text.partition("=")[0]
        default = inspect.signature(cls.__init__).parameters[name].default
        assert parse_arguments(cls, (text,), "--set") == {name: default}


def test_ids_may_contain_breaks_that_are_no_line_ends(tmp_path):
    (tmp_path / "ids").write_text("a\u2028b\r\n x\x0cy \n\n", encoding="utf-8", newline="")
    assert read_list(f"@{tmp_path / 'ids'}", "--users") == ["a\u2028b", "x\x0cy"]
    assert read_list('a\u2028b,"c,d"', "--exclude") == ["a\u2028b", "c,d"]


def test_the_help_lists_all_protocols():
    text = "".join(invoke("train", "--help").output.split())
    assert [name for name in PROTOCOLS if name not in text] == []
