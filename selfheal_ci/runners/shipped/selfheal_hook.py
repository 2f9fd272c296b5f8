"""Loads selfheal's modules where a Python process turns out to run tests. Until then it costs nothing: it imports next to
nothing, not even `typing`.

They are found by this alone, and have no file name: coverage measures none of them, and nobody imports them by accident.
"""

import os
import sys
from importlib.machinery import ModuleSpec

FOLDER: str = globals().get("FOLDER", "")
PLUGIN = "selfheal_pytest"
OURS = {PLUGIN, "selfheal_unittest", "selfheal_report", "selfheal_trace"}


class Finder:
    """Stands first among those who find modules."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> "ModuleSpec | None":
        if name == "_pytest.config":
            # In the environment only now: whoever hides our folder from a process does not hear of the plugin either.
            named = os.environ.get("PYTEST_PLUGINS", "").split(",")
            os.environ["PYTEST_PLUGINS"] = ",".join([name for name in named if name not in ("", PLUGIN)] + [PLUGIN])
        elif name == "unittest.runner":
            __import__("selfheal_unittest")
        elif name == "tox":
            pass_on()
        return ModuleSpec(name, Loader()) if name in OURS else None  # type: ignore[arg-type]


class Loader:
    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: object) -> None:
        name = str(module.__name__)  # type: ignore[attr-defined]
        with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
            exec(compile(file.read(), "<{}>".format(name), "exec"), module.__dict__)


def pass_on() -> None:
    """Give what this process starts our variables: tox takes away all that the project does not name."""
    import subprocess  # noqa: PLC0415  it costs more than the rest of this

    original = subprocess.Popen.__init__

    def init(self, *args, **named):  # type: ignore[no-untyped-def]
        env = named.get("env")
        if env is not None and "SELFHEAL_SESSION" not in os.environ:
            ours = {name: value for name, value in os.environ.items() if name.startswith("SELFHEAL_")}
            path = [FOLDER, *(entry for entry in env.get("PYTHONPATH", "").split(os.pathsep) if entry not in ("", FOLDER))]
            named["env"] = {**env, **ours, "PYTHONPATH": os.pathsep.join(path)}
        original(self, *args, **named)

    subprocess.Popen.__init__ = init  # type: ignore[method-assign]


sys.meta_path.insert(0, Finder())
