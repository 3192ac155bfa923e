"""The command line: exit codes, streams, and bad input that never ends in a traceback."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

import lab
from lab.cli import main
from tests.unit.malformed import MALFORMED

FIRST_SPIKE = Path(__file__).parents[2] / "scenarios" / "validation" / "first_spike.yaml"

# What a file says of these before its text is read.
_IN_A_FILE = {"large text": "larger than 1048576 bytes", "lone surrogate": "not UTF-8"}

SMALL = """
name: small
workload: {kind: open, arrival_rate: 20/s, endpoints: {get: 100%}}
entry: api
components:
  api:
    kind: service
    concurrency: 2
    endpoints: {get: [{kind: wait, time: {kind: exponential, mean: 20ms}}]}
objectives: [{metric: sojourn_time, quantile: 50%, at_most: 1ms}]
run: {duration: 20s, replications: 3}
"""


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command line in this process; give back exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lab", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A scenario file that simulates in a blink."""
    file = tmp_path / "small.yaml"
    file.write_text(SMALL)
    return file


def test_simulate_prints_figures_and_saves_the_run(call, small: Path, tmp_path: Path) -> None:
    """Figures and objectives on stdout, the folder on stderr, and a Run that loads."""
    code, out, err = call("simulate", small, "--out", tmp_path / "run", "--jobs", 1)
    assert code == 0
    assert "sojourn_time_s_p99" in out
    assert "NOT MET" in out
    assert str(tmp_path / "run") in err
    assert lab.Run.load(tmp_path / "run").replications == (0, 1, 2)


def test_json_is_all_of_stdout(call, small: Path) -> None:
    """Machines get one JSON document, with the seed that was asked for."""
    code, out, _ = call("simulate", small, "--json", "--seed", 5, "--replications", 2)
    document = json.loads(out)
    assert code == 0
    assert document["seed"] == 5
    assert document["objectives"][0]["met"] is False


def test_check_turns_a_missed_objective_into_exit_code_one(call, small: Path) -> None:
    """A claim that failed is 1, so that CI can stop."""
    assert call("simulate", small, "--check")[0] == 1


def test_an_existing_folder_is_refused_before_the_work(call, small: Path, tmp_path: Path) -> None:
    """Nothing is overwritten unless asked for."""
    assert call("simulate", small, "--out", tmp_path / "run")[0] == 0
    code, _, err = call("simulate", small, "--out", tmp_path / "run")
    assert code == 2
    assert "--overwrite" in err
    assert "predict" not in err
    assert call("simulate", small, "--out", tmp_path / "run", "--overwrite")[0] == 0


def test_two_predictions_give_their_difference(call, small: Path, tmp_path: Path) -> None:
    """`lab compare before after` subtracts on common random numbers."""
    faster = tmp_path / "faster.yaml"
    faster.write_text(SMALL.replace("mean: 20ms", "mean: 10ms"))
    assert call("simulate", small, "--out", tmp_path / "before")[0] == 0
    assert call("simulate", faster, "--out", tmp_path / "after")[0] == 0
    code, out, _ = call("compare", tmp_path / "before", tmp_path / "after", "--json")
    row = next(row for row in json.loads(out) if (row["metric"], row["subject"]) == ("sojourn_time_s_mean", "all"))
    assert code == 0
    assert row["high"] < 0


def test_an_unstable_scenario_is_refused_with_the_arithmetic(call, tmp_path: Path) -> None:
    """Exit code 2 and the sums, unless it is asked for."""
    file = tmp_path / "unstable.yaml"
    file.write_text(SMALL.replace("20/s", "200/s"))
    code, _, err = call("simulate", file)
    assert code == 2
    assert "200.0%" in err
    assert call("simulate", file, "--allow-unstable")[0] == 0


def test_show_draws_the_topology_fills_in_defaults_and_does_the_arithmetic(call) -> None:
    """Mermaid text, the whole scenario, utilisation of each part."""
    code, out, _ = call("show", FIRST_SPIKE)
    assert code == 0
    assert "flowchart LR" in out
    assert "server_timeout: null" in out
    assert "utilisation" in out
    assert "arithmetic" in json.loads(call("show", FIRST_SPIKE, "--json")[1])


def test_a_summary_is_kept_where_it_is_asked_for(call, small: Path, tmp_path: Path) -> None:
    """`--keep summary` writes a Run without visits, with the same figures on stdout."""
    code, out, _ = call("simulate", small, "--keep", "summary", "--out", tmp_path / "run", "--json")
    assert code == 0
    assert lab.Run.load(tmp_path / "run").is_summary
    full = json.loads(call("simulate", small, "--json")[1])["figures"]
    assert [row["metric"] for row in json.loads(out)["figures"]] == [row["metric"] for row in full]


def test_the_printed_schema_is_the_committed_one(call) -> None:
    """Editors use the committed file."""
    code, out, _ = call("schema")
    assert code == 0
    assert json.loads(out) == json.loads((FIRST_SPIKE.parents[1] / "schema.json").read_text())


@pytest.mark.slow  # the words themselves are tested without the command line in test_scenario_malformed
@pytest.mark.parametrize("case", MALFORMED, ids=lambda case: case.name)
def test_a_malformed_scenario_is_wrong_use(case, call, tmp_path: Path) -> None:
    """Exit code 2, the file and what is wrong on stderr, nothing on stdout, no traceback."""
    file = tmp_path / "bad.yaml"
    file.write_text(case.yaml, encoding="utf-8", errors="surrogatepass")
    code, out, err = call("simulate", file)
    assert code == 2
    assert out == ""
    assert "bad.yaml" in err
    assert _IN_A_FILE.get(case.name, case.says) in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "arguments", [["simulate"], ["no_such_command"], ["simulate", "x.yaml", "--seed", "minus"], []]
)
def test_wrong_use_of_the_command_line(arguments: list[str], call) -> None:
    """A missing argument, an unknown command and a bad number are exit code 2."""
    assert call(*arguments)[0] == 2


def test_an_interruption_says_so_and_exits_with_130(call, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is no traceback."""

    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lab.experiment.simulate.simulate", interrupted)
    code, out, err = call("simulate", small)
    assert (code, out) == (130, "")
    assert "interrupted" in err


def test_a_folder_that_is_not_a_run(call, tmp_path: Path) -> None:
    """Comparing something else is wrong use, and the message names the folder."""
    code, _, err = call("compare", tmp_path, tmp_path)
    assert code == 2
    assert str(tmp_path) in err


def test_a_full_disk_is_told_and_leaves_nothing(call, small: Path) -> None:
    """/dev/full stands for a disk without room: the Run cannot be put there, and exit code 2 says so."""
    code, _, err = call("simulate", small, "--out", "/dev/full/run")
    assert code == 2
    assert "/dev/full" in err


DESIGNED = (
    SMALL
    + """
designs:
  as it was: {}
  four slots: {components.api.concurrency: 4}
"""
)


def test_decide_prints_the_table(call, tmp_path: Path) -> None:
    """Figures, differences and objectives on stdout, or JSON; with --check an objective that no design meets is 1."""
    file = tmp_path / "designed.yaml"
    file.write_text(DESIGNED)
    code, said, _ = call("decide", file, "--jobs", 1, "--check", "--replications", 2)
    assert code == 1  # nobody answers within a millisecond
    assert "four slots" in said
    assert "difference to 'as it was'" in said
    code, said, _ = call("decide", file, "--json", "--replications", 2)
    assert (code, json.loads(said)["replications"]) == (0, 2)


@pytest.mark.slow
def test_decide_keeps_a_run_a_design(call, tmp_path: Path) -> None:
    """A folder a design, the decision and a report; nothing is overwritten unless asked for."""
    file, out = tmp_path / "designed.yaml", tmp_path / "out"
    file.write_text(DESIGNED)
    code, _, err = call("decide", file, "--out", out)
    assert code == 0
    assert str(out / "report.html") in err
    assert lab.Run.load(out / "01_four_slots").scenario["components"]["api"]["concurrency"] == 4
    assert json.loads((out / "decision.json").read_text())["first"] == "as it was"
    assert call("decide", file, "--out", out)[0] == 2
    assert call("decide", file, "--out", out, "--overwrite")[0] == 0


def test_a_scenario_with_designs_is_simulated_as_it_was(call, small: Path, tmp_path: Path) -> None:
    """As if it had none; without any, there is nothing to decide."""
    file = tmp_path / "designed.yaml"
    file.write_text(DESIGNED)
    assert call("simulate", file, "--json")[1] == call("simulate", small, "--json")[1]
    code, _, err = call("decide", small)
    assert code == 2
    assert "has no designs" in err
