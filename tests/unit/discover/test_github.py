"""Workflows, as their authors write them, and what becomes of them."""

from __future__ import annotations

import time

import pytest

from selfheal_ci.discover.found import Line, Origin
from tests.unit.discover.samples import CI, found, notes, of_steps, runs, setup

WHEELS = 'export PIP_NO_INDEX=1 PIP_FIND_LINKS="$HOME/.wheels"'
PYTHON = ". ~/.venv/bin/activate && "


def test_installs_go_to_setup_and_checks_become_steps() -> None:
    told = of_steps("""
- uses: actions/checkout@v4
- uses: actions/setup-python@v5
  with: {python-version: "3.12"}
- run: pip install -e .
- name: Lint it
  run: ruff check .
- run: pytest -q
- uses: codecov/codecov-action@v4
""")

    assert told.setup == (
        Line("python3 -m venv ~/.venv", Origin(CI, 3)),
        Line(f"{PYTHON}pip install -e .", Origin(CI, 9)),
    )
    assert runs(told) == {"lint-it": f"{PYTHON}ruff check .", "tests": f"{PYTHON}pytest -q"}
    assert [str(step.line.origin) for step in told.steps] == [f"{CI}:11", f"{CI}:12"]
    assert told.steps[0].fix == (f"{PYTHON}ruff check --fix .",)
    assert (told.image, told.notes) == ("python:3.12-slim", ())


def test_variables_folders_and_defaults_are_kept() -> None:
    told = of_steps(
        """
- run: npm test
- run: npm run lint
  working-directory: other
  env: {MODE: "a b", FORCE_COLOR: 1}
""",
        job="defaults: {run: {working-directory: web}}\nenv: {MODE: x}",
        top="env: {TOP: 1}\n",
    )

    assert list(runs(told).values()) == [
        "export TOP=1 MODE=x && cd web && npm test",
        "export TOP=1 MODE='a b' && cd other && npm run lint",
    ]


def test_several_lines_stop_at_the_first_that_fails() -> None:
    told = of_steps("- run: |\n    pip install flake8\n    flake8 a\n    flake8 b || true\n- run: make test; make lint")

    assert list(runs(told).values()) == [
        f"set -e\n. ~/.venv/bin/activate\n{WHEELS}\npip install flake8\nflake8 a\nflake8 b || true",
        "set -e\n. ~/.venv/bin/activate\nmake test; make lint",
    ]


def test_what_a_check_installs_first_goes_to_setup() -> None:
    told = of_steps("- run: |\n    pip install flake8\n    flake8 a\n    flake8 b")

    assert setup(told)[1:] == [f"{PYTHON}pip install flake8"]
    assert runs(told) == {"tests": "set -e\n. ~/.venv/bin/activate\nflake8 a\nflake8 b"}


@pytest.mark.parametrize(
    ("step", "run"),
    [
        ("- run: '[[ -e a ]] && go test'", "bash -e -c '[[ -e a ]] && go test'"),
        ("- run: go test | tee log\n  shell: bash", "bash -eo pipefail -c 'go test | tee log'"),
        ("- run: go test | tee log", "go test | tee log"),
        ("- run: go test --source=x", "go test --source=x"),
    ],
)
def test_bash_runs_what_only_bash_understands(step: str, run: str) -> None:
    assert list(runs(of_steps(step)).values()) == [run]


def test_of_a_matrix_the_combination_for_this_machine_is_taken() -> None:
    told = of_steps(
        "- run: tox -e ${{ matrix.env || format('py{0}', matrix.py) }}",
        job="strategy: {matrix: {py: ['3.14', '3.11', 'pypy-3.11'], os: [windows-latest, ubuntu-latest]}}",
    )

    assert runs(told) == {"tests": f"{PYTHON}{WHEELS} && tox -e py3.11"}


@pytest.mark.parametrize(
    ("steps", "what", "why"),
    [
        ("- run: pytest --key=${{ secrets.KEY }}", "tests", "`secrets.KEY` is known to the forge alone"),
        ("- run: pytest $KEY\n  env: {KEY: '${{ secrets.KEY }}'}", "tests", "`secrets.KEY` is known to the forge alone"),
        ("- run: pytest\n  env: {KEY: '${{ secrets.KEY }}'}", "KEY of step 1",
         "`secrets.KEY` is known to the forge alone: it is left out"),
        ("- name: Ship\n  run: twine upload dist/*", "Ship", "it publishes: `twine upload dist/*`"),
        ("- run: sudo apt-get install -y x", "tests", "it changes the machine: have `sudo apt-get install -y x` done in the "
         "image, or here"),
        ("- uses: some/action@v1", "some/action@v1", "some/action is not known here"),
        ("- run: pytest\n  shell: pwsh", "step 1", "its shell is pwsh"),
        ("- run: git diff ${{ github.sha }}", "step 1", "`github.sha` is known to the forge alone"),
        ("- run: pytest --since $GITHUB_BASE_REF", "step 1", "$GITHUB_BASE_REF is known to the forge alone"),
        ("- run: echo X=$(date) >> $GITHUB_ENV", "step 1", "it sets variables for the steps after it when it runs"),
        ("- uses: actions/download-artifact@v4\n  with: {path: dist}\n- run: pytest dist/x", "step 2",
         "it needs what another job made"),
        ("- uses: actions/checkout@v4\n  with: {repository: a/b}\n- run: pytest", "step 2",
         "it works on another repository, a/b"),
    ],
)  # fmt: skip
def test_says_what_it_cannot_translate(steps: str, what: str, why: str) -> None:
    told = notes(of_steps(steps))

    assert why in told.values()
    assert what in told or what == "tests"


@pytest.mark.parametrize(
    ("job", "why"),
    [
        ("services: {db: {image: postgres}}", "it needs services beside it"),
        ("if: startsWith(github.ref, 'refs/tags/')", "its condition does not hold for a change"),
        ("strategy: {matrix: '${{ fromJSON(needs.a.outputs.b) }}'}", "its matrix is made when it runs: `needs.a.outputs.b` "
         "is known to the forge alone"),
        ("strategy: {matrix: {os: [macos-latest]}}\nname: ${{ matrix.os }}", ""),
    ],
)  # fmt: skip
def test_a_job_that_cannot_run_here_is_left_out(job: str, why: str) -> None:
    told = of_steps("- run: pytest", job=job)

    assert why in {"", *notes(told).values()}
    assert not told.steps or not why


def test_a_job_that_releases_is_left_out() -> None:
    told = found({CI: "on: push\njobs: {publish-docs: {runs-on: x, steps: [{run: pytest}]}}\n"})

    assert (told.steps, notes(told)) == ((), {"job publish-docs": "it deploys or releases"})


def test_variables_for_later_steps_are_followed() -> None:
    told = of_steps('- run: echo "MODE=x" >> $GITHUB_ENV\n- run: echo "$HOME/bin" >> "$GITHUB_PATH"\n- run: go test')

    assert runs(told) == {"tests": 'export MODE=x PATH="$HOME/bin:$PATH" && go test'}


def test_jobs_that_install_otherwise_do_not_disturb_each_other() -> None:
    job = "{runs-on: x, steps: [{run: 'pip install %s'}, {run: '%s'}]}"
    told = found(
        {
            CI: f"on: push\njobs:\n  a: {job % ('a', 'pytest a')}\n  b: {job % ('b', 'pytest b')}\n  c: {job % ('a', 'pytest c')}\n"
        }
    )

    assert runs(told) == {
        "a": f"{PYTHON}pytest a",
        "b": ". ~/.venv-b/bin/activate && pytest b",
        "c": f"{PYTHON}pytest c",
    }
    assert setup(told) == [
        "python3 -m venv ~/.venv", f"{PYTHON}pip install a", "{ python3 -m venv ~/.venv-b; } || true",
        "{ . ~/.venv-b/bin/activate && pip install b; } || true",
    ]  # fmt: skip


def test_of_a_script_that_is_translated_in_part_only_what_installs_is_kept() -> None:
    told = of_steps("- run: |\n    sudo apt-get install x\n    npm ci\n    chmod +x y\n- run: npm test")

    assert setup(told) == ["npm ci"]


def test_a_build_is_a_step_and_runs_before_those_after_it() -> None:
    told = of_steps("- run: npm ci\n- run: npm run build\n- run: npm test")

    assert runs(told) == {"tests": "npm run build", "tests-2": "npm test"}
    assert [step.build for step in told.steps] == [(), ("npm run build",)]
    assert setup(told) == ["npm ci", "{ npm run build; } || true"]


@pytest.mark.parametrize(
    ("run", "fetches", "step"),
    [
        ("tox -e py -- -q", "tox -e py --notest", f"{WHEELS} && tox -e py -- -q"),
        ("nox -s tests", "nox -s tests --install-only", "nox -R -s tests"),
        ("uv run --group dev pytest", "uv run --group dev true", "export UV_OFFLINE=1 && uv run --group dev pytest"),
        ("uv run -p 3.11 python -m pytest", "uv run -p 3.11 true", "export UV_OFFLINE=1 && uv run -p 3.11 python -m pytest"),
        ("uvx --with x tox -e a", "uvx --with x tox -e a --notest", "export UV_OFFLINE=1 && uvx --with x tox -e a"),
        ("pre-commit run -a", "pre-commit install-hooks", "pre-commit run -a"),
        ("cargo test", "cargo fetch", "export CARGO_NET_OFFLINE=true && cargo test"),
        ("go test ./...", "go mod download", "go test ./..."),
        ("mvn -B verify", "mvn -B verify || true", "mvn -o -B verify"),
    ],
)
def test_what_a_step_would_fetch_is_fetched_in_setup(run: str, fetches: str, step: str) -> None:
    told = of_steps(f"- run: {run}")
    python = PYTHON if setup(told)[0].endswith("/.venv") else ""

    assert setup(told)[-1] == f"{{ {python}{fetches}; }} || true"
    assert list(runs(told).values()) == [python + step]


def test_actions_and_workflows_of_the_repository_are_followed() -> None:
    told = found({
        CI: "on: push\njobs:\n  a:\n    uses: ./.github/workflows/each.yml\n    with: {what: unit}\n",
        ".github/workflows/each.yml": "on: {workflow_call: {inputs: {what: {default: x}, more: {default: '-q'}}}}\njobs:\n  go:\n"
        "    runs-on: ubuntu-latest\n    steps:\n      - uses: ./tools/ready\n        with: {extra: dev}\n"
        "      - run: pytest ${{ inputs.more }} ${{ inputs.what }}\n",
        "tools/ready/action.yml": "inputs: {extra: {default: x}}\nruns:\n  using: composite\n  steps:\n"
        "    - run: pip install .[${{ inputs.extra }}]\n      shell: bash\n",
    })  # fmt: skip

    assert runs(told) == {"go": f"{PYTHON}pytest -q unit"}
    assert told.setup[1] == Line(f"{PYTHON}pip install .[dev]", Origin("tools/ready/action.yml", 5))


def test_a_workflow_that_calls_itself_ends() -> None:
    calls = "".join(f"  a{number}: {{uses: ./{CI}}}\n" for number in range(500))
    began = time.monotonic()

    assert found({CI: f"on: [push, workflow_call]\njobs:\n{calls}"}).steps == ()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("piece", ["${{", "{,", "[ ", "`", "$(", "a;", "make x "])
def test_a_script_longer_than_anybody_writes_costs_nothing(piece: str) -> None:
    began = time.monotonic()
    told = of_steps(f'- run: "{piece * (200_000 // len(piece))}"')

    assert told.steps == ()
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("on", ["schedule: [{cron: x}]", "workflow_dispatch:", "push: {tags: ['*']}", "release:"])
def test_a_workflow_that_runs_for_no_change_is_left_out(on: str) -> None:
    told = found({CI: f"on:\n  {on}\njobs: {{a: {{runs-on: x, steps: [{{run: pytest}}]}}}}\n"})

    assert told.steps == ()
    assert notes(told)[CI].startswith("it runs for no change, only for ")


def test_a_broken_workflow_is_said_and_the_others_are_read() -> None:
    told = found(
        {CI: "a: [", ".github/workflows/other.yaml": "on: push\njobs: {a: {runs-on: x, steps: [{run: go test}]}}\n"}
    )

    assert runs(told) == {"a": "go test"}
    assert CI in notes(told)


@pytest.mark.parametrize(
    "text",
    [
        "on: push\njobs: []\n", "on: push\njobs: {a: 1, b: {steps: 3}, c: {steps: [1, {run: }, {run: {a: b}}, {uses: }]}}\n",
        "on: {push: 1}\njobs: {a: {strategy: {matrix: 3}, runs-on: {group: x}, steps: [{run: [a]}]}}\n",
        "on:\njobs:\n", "[]", "on: push\nenv: 3\ndefaults: x\njobs: {a: {container: [1], services: 3, env: [2], steps: {a: 1}}}\n",
    ],
)  # fmt: skip
def test_what_no_schema_allows_breaks_nothing(text: str) -> None:
    assert found({CI: text}).steps == ()
