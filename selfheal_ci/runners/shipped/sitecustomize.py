"""Python imports this by itself when it starts. Runs selfheal's hook, then the sitecustomize that this one hides.

Any Python may come here, so it is written for all of them.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def hook():
    # type: () -> None
    with open(os.path.join(HERE, "selfheal_hook")) as file:
        # Under a name that is no file's: coverage measures none of it.
        exec(compile(file.read(), "<selfheal_hook>", "exec"), {"FOLDER": HERE})


def hidden():
    # type: () -> None
    ours, path = sys.modules.pop("sitecustomize"), sys.path[:]
    sys.path[:] = [entry for entry in path if os.path.abspath(entry) != HERE]
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        sys.path[:] = path + [entry for entry in sys.path if entry not in path]
        sys.modules.setdefault("sitecustomize", ours)


if sys.version_info >= (3, 6) and os.environ.get("SELFHEAL_REPORTS"):
    hook()
hidden()
