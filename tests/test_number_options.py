"""Numbers that are none, or too large for anything: every command names the option, or the true cause, and ends."""

from __future__ import annotations

import pytest

from tests.fixtures.command_line import Command, Parameter, every_command
from tests.fixtures.programs import spoken


def options(*kinds: type) -> list[tuple[Command, Parameter]]:
    """Every option of these kinds."""
    return [
        (command, parameter)
        for command in every_command()
        for parameter in command.parameters
        if parameter.kind in kinds and parameter.option is not None
    ]


def named(each: object) -> str:
    return " ".join(each.words) if isinstance(each, Command) else each.name if isinstance(each, Parameter) else ""


@pytest.mark.parametrize(("command", "option"), options(float), ids=named)
@pytest.mark.parametrize("number", ["nan", "inf", "-inf"])
def test_what_is_no_number_is_refused_by_the_name_of_its_option(command, option, number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A2M_SHARED", str(tmp_path / "no shared"))
    needed = [word for each in command.parameters if each.required for word in each.given("missing")]
    if command.words == ("render",):
        needed += ["--comment", "calm"]
    if command.words == ("evaluate", "rate"):
        needed += ["--endpoint", "http://127.0.0.1:9/v1", "--model", "none"]
    status, said = spoken(capsys, *command.words, *needed, *option.given(number))
    assert status == 2
    assert option.name.split("_")[0] in said or "decay" in said or "norm" in said
    assert not [path for path in tmp_path.iterdir() if path.name != "missing"]


SEEDED = [each for each in options(int) if each[1].name == "seed" and each[0].words[0] in ("data", "train", "evaluate")]


@pytest.mark.parametrize(("command", "option"), SEEDED, ids=named)
@pytest.mark.parametrize("number", [2**63, 10**30, -1])
def test_a_seed_that_no_generator_takes_is_refused(command, option, number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    needed = [word for each in command.parameters if each.required for word in each.given("missing")]
    status, said = spoken(capsys, *command.words, *needed, *option.given(str(number)))
    assert (status, "--seed" in said) == (2, True)
