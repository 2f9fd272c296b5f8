"""The names by which signs are known in Python."""

from __future__ import annotations

import re

from selfheal_ci.gate.suspicion.signs import Sign

# Names by which a sign is known, whole or as the beginning of a longer one.
REFERENCES = {
    Sign.LEAVES: (
        "os._exit", "os.abort", "os.kill", "os.killpg", "signal.raise_signal", "signal.pthread_kill", "faulthandler",
        "_thread.interrupt_main",
    ),
    Sign.LOOKS_AROUND: (
        "sys._getframe", "sys._getframemodulename", "sys._current_frames", "sys._current_exceptions", "inspect.stack",
        "inspect.currentframe", "inspect.getouterframes", "inspect.getinnerframes", "inspect.trace",
        "traceback.extract_stack", "traceback.format_stack", "traceback.walk_stack", "traceback.StackSummary",
        "gc.get_objects", "gc.get_referrers", "gc.get_referents",
    ),
    Sign.HOOKS: (
        "atexit", "sys.settrace", "sys.setprofile", "threading.settrace", "threading.setprofile",
        "threading.settrace_all_threads", "threading.setprofile_all_threads", "sys.meta_path",
        "sys.path_hooks", "sys.path_importer_cache", "sys.excepthook", "threading.excepthook", "sys.unraisablehook",
        "sys.addaudithook", "sys.monitoring", "sys.displayhook", "builtins", "__builtins__", "site", "codecs.register",
        "weakref.finalize", "threading._shutdown", "threading._register_atexit", "gc.callbacks", "importlib.abc",
        "importlib.machinery", "sys.breakpointhook",
    ),
    Sign.BUILDS: (
        "exec", "eval", "compile", "marshal", "runpy", "code.interact", "code.InteractiveInterpreter", "types.CodeType",
        "types.FunctionType", "importlib.reload", "importlib.util.spec_from_file_location",
    ),
    Sign.STARTS: (
        "subprocess", "os.system", "os.popen", "os.posix_spawn", "os.fork", "os.startfile", "pty", "multiprocessing",
        "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell", "socket", "socketserver", "ssl",
        "http.client", "http.server", "urllib.request", "urllib3", "requests", "httpx", "aiohttp", "ftplib", "smtplib",
        "poplib", "imaplib", "telnetlib", "xmlrpc", "websockets", "websocket", "paramiko", "asyncio.open_connection",
        "asyncio.start_server", "boto3", "grpc", "webbrowser", "pickle.load", "pickle.loads", "pickle.Unpickler", "_pickle",
        "cPickle", "dill", "cloudpickle", "shelve", "joblib.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load",
        "ctypes", "cffi", "threading.Thread", "threading.Timer", "_thread.start_new_thread",
    ),
    Sign.ENVIRONMENT: (
        "os.environ", "os.environb", "os.getenv", "os.putenv", "getpass", "platform.node",
    ),
    Sign.ASKS: ("sys.argv", "sys.orig_argv", "sys.flags", "__debug__"),
    Sign.WRITES: (
        "os.remove", "os.unlink", "os.rename", "os.replace", "os.rmdir", "os.removedirs", "os.chmod", "os.chown",
        "os.symlink", "os.link", "os.truncate", "os.write", "shutil.rmtree", "shutil.move", "shutil.copy", "shutil.chown",
    ),
    Sign.TIME: (
        "time.sleep", "time.time", "time.monotonic", "time.perf_counter", "datetime.datetime.now",
        "datetime.datetime.today", "datetime.datetime.utcnow", "datetime.date.today", "random", "secrets", "uuid.uuid1",
        "uuid.uuid4", "os.urandom",
    ),
    Sign.WIDE: (
        "warnings.simplefilter", "warnings.filterwarnings", "warnings.resetwarnings", "warnings.showwarning",
        "warnings.catch_warnings", "signal.signal", "signal.alarm", "signal.setitimer", "sys.path",
        "sys.setrecursionlimit", "gc.disable", "locale.setlocale", "os.chdir", "os.umask", "logging.disable",
    ),
    Sign.SILENCES: ("typing.cast", "typing.no_type_check", "typing_extensions.cast"),
    Sign.SILENCES_JUDGE: ("typing.Any", "typing_extensions.Any", "typing.TYPE_CHECKING", "sys.platform"),
}  # fmt: skip
ATTRIBUTES = {
    **dict.fromkeys(("f_back", "f_globals", "f_locals", "f_code", "tb_frame", "gi_frame", "cr_frame", "ag_frame"),
                    Sign.LOOKS_AROUND),
    **dict.fromkeys(("__subclasses__", "__globals__", "__code__", "__closure__"), Sign.LOOKS_AROUND),
    **dict.fromkeys(("write_text", "write_bytes", "unlink", "rmdir", "touch", "symlink_to", "hardlink_to"), Sign.WRITES),
}  # fmt: skip
TEST_TOOLS = frozenset(
    {"pytest", "_pytest", "unittest", "nose", "nose2", "hypothesis", "doctest", "pluggy", "conftest", "mock"}
)
TEST_WORDS = re.compile(
    r"\b_?pytest\b|PYTEST_|\bunittest\b|\bconftest\b|\bjunit|\btestsuites?\b|SELFHEAL|\btest_\w*\.py\b|(?:^|/)tests?/|"
    r"^(?:CI|CONTINUOUS_INTEGRATION|GITHUB_ACTIONS|GITLAB_CI|BUILD_NUMBER|TOX_ENV_NAME|NOX_SESSION)$", re.IGNORECASE
)  # fmt: skip
FOREIGN_FILES = re.compile(
    r"(?:^|[\s\"'=:])/(?:proc/\w+/(?:environ|mem|maps|cmdline|cwd|root|fd)|etc|root|dev/(?!null))\b|^/?environ$|/environ\b|(?:~|HOME\}?)/\.|\.ssh\b|\.netrc\b|\.pypirc\b|id_rsa|\.aws/|"
    r"\.docker/|\.git/|\.github/|authorized_keys"
)  # fmt: skip
# What decides comparisons; of the others only what always says the same does.
DECIDES = frozenset({"__eq__", "__ne__", "__bool__", "__instancecheck__", "__subclasscheck__"})
ANSWERS = DECIDES | {"__lt__", "__le__", "__gt__", "__ge__", "__contains__", "__hash__", "__len__", "__getattr__",
                     "__getattribute__", "__set_name__"}  # fmt: skip
EXITS = frozenset({"__exit__", "__aexit__"})
STEERING = frozenset({"__test__", "collect_ignore", "collect_ignore_glob", "pytest_plugins", "pytestmark", "load_tests"})
SYS_EXIT = frozenset({"sys.exit", "exit", "quit", "SystemExit"})
# Of every kind; and of those that a mistake in the code itself raises.
BROAD = frozenset(
    {"Exception", "BaseException", "builtins.Exception", "builtins.BaseException", "AssertionError", "NameError",
     "SyntaxError"}
)  # fmt: skip
OPENS = frozenset({"open", "io.open", "os.open", "os.fdopen", "codecs.open"})
IMPORTS = frozenset({"__import__", "importlib.import_module", "importlib.__import__"})
PACKED = re.compile(r"[^\s]{300}")
