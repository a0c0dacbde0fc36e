"""`deltawire bench --check` against a record: what it says, and with which exit code it ends."""

import pytest
import typer

from deltawire.bench import record
from deltawire.bench.figures import Report, figures
from deltawire.cli.bench import compare

NAME = "deltawire/floor idle p50"


class Runs:
    """A benchmark whose runs give these ratios in turn."""

    def __init__(self, *ratios: float) -> None:
        self.left = list(ratios)

    def __call__(self, name: str) -> Report:
        return Report(name, {}, {"a": figures([1], "us")}, {NAME: self.left.pop(0)})


def keep(folder, name: str, ratio: float) -> None:
    record.write(folder, Runs(ratio)(name).as_json())


def test_within_the_margin_all_is_well_after_one_run(tmp_path, capsys):
    keep(tmp_path, "reaction", 1.2)
    runs = Runs(1.25, 9.9)
    compare(["reaction"], tmp_path, runs)
    assert capsys.readouterr().out == "reaction: 1 ratios compared, 0 slower\n"
    assert runs.left == [9.9]


def test_what_is_slower_twice_is_named_and_the_exit_code_is_1(tmp_path, capsys):
    keep(tmp_path, "reaction", 1.2)
    with pytest.raises(typer.Exit) as left:
        compare(["reaction"], tmp_path, Runs(2.4, 2.5))
    assert left.value.exit_code == 1
    assert f"slower: reaction: {NAME} was 1.2, is 2.4 (100 % slower)" in capsys.readouterr().out.splitlines()


def test_what_is_slower_once_was_a_busy_moment(tmp_path, capsys):
    keep(tmp_path, "reaction", 1.2)
    compare(["reaction"], tmp_path, Runs(2.4, 1.2))
    assert capsys.readouterr().out == "reaction: 1 ratios compared, 0 slower\n"


def test_a_benchmark_without_a_record_is_not_run(tmp_path):
    keep(tmp_path, "reaction", 1.2)
    compare(["sign", "reaction"], tmp_path, Runs(1.2))


def test_without_any_record_it_says_how_to_make_one(tmp_path, capsys):
    with pytest.raises(typer.Exit) as left:
        compare(["reaction"], tmp_path, Runs())
    assert left.value.exit_code == 2
    assert 'make bench ARGS="--record"' in capsys.readouterr().err
