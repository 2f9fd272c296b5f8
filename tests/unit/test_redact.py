from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

import pytest

from selfheal_ci.redact import Redactor, known_secrets

# What such secrets look like, put together here so that no scanner takes this file for a leak.
BODY = "Zk7q/Wd3+Rb9xVt2Ym5pLs8cNf4hJg6u"
FAMILIES: Mapping[str, str] = {
    "anthropic": "sk-ant-" + "api03-" + BODY,
    "openai": "sk-" + "proj-" + BODY,
    "github": "ghp" + "_" + "a1B2" * 9,
    "github_fine": "github" + "_pat_" + "11AB" * 8,
    "gitlab": "glpat" + "-" + "x9Y8z7W6v5U4t3S2r1Q0",
    "aws_id": "AKIA" + "J5Q7W2E9R4T6Y8U1",
    "aws_secret": "wJalr" + "XUtnFEMI/K7MDENG+bPxRfiCYzzKEY9Q2w",
    "google": "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMB",
    "azure": "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey=" + BODY + "==",
    "slack": "xoxb" + "-123456789012-1234567890123-" + "AbCdEf" * 4,
    "slack_hook": "https://hooks.example.com/services/T000/B000/" + "XyZ1" * 6,
    "stripe": "sk" + "_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "twilio": "SK" + "0123456789abcdef" * 2,
    "sendgrid": "SG." + "ngeVfQFYQlKU0ufo8x5d1A." + "TwL2iGABf9DHoTf09kqeF8tAmbihYzrnopKc1s5cr",
    "npm": "npm" + "_" + "Q1w2" * 9,
    "pypi": "pypi-" + "AgEIcHlwaS5vcmc" + BODY,
    "docker": "dckr" + "_pat_" + "AbCdEfGhIjKlMnOpQrStUvWxYz1",
    "jwt": "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NTY3ODkwIn0." + "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "pem": "-----BEGIN "
    + "PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----",
    "password": "correct horse \"battery\" 'staple'",
    "password_umlaut": "Zwölf-Boxkämpfer\\jagen&<Viktor>",
    "dsn": "postgresql://shop:" + "t0p%2Fs3cret!" + "@db.example.com:5432/shop?sslmode=require",
    "uuid": "3f2504e0-4f89-11d3-9a0c-" + "0305e82c3301",
    "hex": "9f86d081884c7d659a2feaa0c55ad015" + "a3bf4f1b2b0b822c",
    "short": "q7!xZ2",
}


def core_of_base64(value: str, offset: int) -> str:
    """The characters that depend on the value alone, whatever stands `offset` bytes before it."""
    encoded = base64.b64encode(b"x" * offset + value.encode()).decode()
    return encoded[-(-8 * offset // 6) : 8 * (offset + len(value.encode())) // 6]


FORMS: Mapping[str, Callable[[str], str]] = {
    "raw": lambda value: value,
    "percent": lambda value: quote(value, safe=""),
    "json": lambda value: json.dumps(value)[1:-1],
    "repr": lambda value: repr(value)[1:-1],
    "hex": lambda value: value.encode().hex(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64_urlsafe": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64_offset_1": lambda value: base64.b64encode(b"x" + value.encode()).decode(),
    "base64_offset_2": lambda value: base64.b64encode(b"xy" + value.encode()).decode(),
    "base64_user": lambda value: "Authorization: Basic " + base64.b64encode(f"deploy:{value}".encode()).decode(),
    "reversed": lambda value: value[::-1],
    "split_by_colour": lambda value: "\x1b[0m".join(value[at : at + 5] for at in range(0, len(value), 5)),
    "split_by_space": lambda value: "\n   ".join(value[at : at + 5] for at in range(0, len(value), 5)),
}  # fmt: skip


def traces(value: str) -> list[str]:
    """What must not be left of a value: itself in every form that can be searched for."""
    whole = [FORMS[form](value) for form in ("raw", "percent", "json", "repr", "hex", "reversed")]
    cores = [core_of_base64(value, offset) for offset in range(3)]
    return [*whole, *cores, *(core.translate(str.maketrans("+/", "-_")) for core in cores)]


def squeezed(text: str) -> str:
    return "".join(text.replace("\x1b[0m", "").split())


# A short value with gaps in it is found everywhere by chance: not promised.
PROMISED = [(family, form) for family in FAMILIES for form in FORMS if family != "short" or not form.startswith("split")]


@pytest.mark.parametrize(("family", "form"), PROMISED)
def test_masks_every_family_in_every_form(family: str, form: str) -> None:
    value = FAMILIES[family]
    redactor = Redactor({name.upper(): known for name, known in FAMILIES.items()})

    shown = redactor.text(f"E   HTTPError: 401 for {FORMS[form](value)}, see the log")

    assert f"<secret:{family.upper()}:" in shown
    assert shown.startswith("E   HTTPError: 401 for ")
    assert shown.endswith(", see the log")
    assert [trace for trace in traces(value) if squeezed(trace) in squeezed(shown)] == []


ORDINARY = """
tests/test_cart.py::test_total PASSED                                    [ 42%]
E       AssertionError: assert 'd41d8cd98f00b204e9800998ecf8427e' == 'd41d8cd98f00b204e9800998ecf8427f'
commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad  (HEAD -> main)
  File "/work/shop/cart.py", line 41, in total
    return sum(item.price * item.count for item in items)
data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==
\x1b[31mFAILED\x1b[0m tests/test_login.py - KeyError: 'user'
<secret:GITHUB:1> stays what it is
""".splitlines()


@pytest.mark.parametrize("line", ORDINARY)
def test_leaves_ordinary_lines_alone(line: str) -> None:
    assert Redactor({name.upper(): value for name, value in FAMILIES.items()}).text(line) == line


@pytest.mark.parametrize("form", [form for form in FORMS if not form.startswith("split")])
@pytest.mark.parametrize("family", FAMILIES)
def test_restores_what_it_masked(family: str, form: str) -> None:
    redactor = Redactor({name.upper(): value for name, value in FAMILIES.items()})
    text = f"token = '{FORMS[form](FAMILIES[family])}'\n"

    assert redactor.restore(redactor.text(text), there=text) == text


def test_gives_the_same_spelling_the_same_placeholder() -> None:
    redactor = Redactor({"DEPLOY_TOKEN": "s3cr3t-value", "OTHER": "another-one"})

    assert redactor.text("s3cr3t-value, another-one, s3cr3t-value") == (
        "<secret:DEPLOY_TOKEN:1>, <secret:OTHER:1>, <secret:DEPLOY_TOKEN:1>"
    )
    assert Redactor({"DEPLOY_TOKEN": "s3cr3t-value"}).text("s3cr3t-value") == "<secret:DEPLOY_TOKEN:1>"


def test_masks_the_longer_of_two_secrets_that_begin_alike() -> None:
    assert Redactor({"A": "abcdefgh", "B": "abcdefghijkl"}).text("abcdefghijkl") == "<secret:B:1>"


def test_does_not_touch_its_own_placeholders() -> None:
    redactor = Redactor({"PASSPHRASE": "secret", "TOKEN": "PASSPHRASE"})
    once = redactor.text("it is secret")

    assert redactor.text(once) == once == "it is <secret:PASSPHRASE:1>"


def test_leaves_a_placeholder_that_it_did_not_give_alone() -> None:
    assert Redactor({"A": "abcdefgh"}).restore("<secret:A:99> <secret:B:1>", "abcdefgh") == ("<secret:A:99> <secret:B:1>")


@pytest.mark.parametrize(
    ("there", "restored"),
    [
        ("key = 'abcdefgh'", "abcdefgh <secret:B:1>"),
        ("key = 'abcd\r\n  efgh'", "abcdefgh <secret:B:1>"),
        (b"hgfedcba".decode(), "<secret:A:1> <secret:B:1>"),  # another spelling has a number of its own
        ("key = os.environ['A']", "<secret:A:1> <secret:B:1>"),
        ("", "<secret:A:1> <secret:B:1>"),
    ],
)
def test_restores_only_what_is_there_already(there: str, restored: str) -> None:
    redactor = Redactor({"A": "abcdefgh", "B": "ijklmnop"})

    assert redactor.restore("<secret:A:1> <secret:B:1>", there) == restored


@pytest.mark.parametrize("value", ["", "short", "     \n      ", "a b c"])
def test_ignores_values_that_are_found_everywhere(value: str) -> None:
    assert Redactor({"A": value}).text("short a b c     \n      end") == "short a b c     \n      end"


def test_masks_each_line_of_a_key_that_is_printed_without_its_head() -> None:
    assert Redactor({"PEM": FAMILIES["pem"]}).text("> MIIEvQIBADANBgkqhkiG9w0BAQEFAASC") == "> <secret:PEM:13>"


def test_masks_bytes_and_keeps_what_is_not_utf8() -> None:
    assert Redactor({"A": "pässword"}).data(b"\xff p\xc3\xa4ssword \xe9\n") == b"\xff <secret:A:1> \xe9\n"


class Colour(StrEnum):
    RED = "abcdefgh"


@dataclass(frozen=True)
class Leaf:
    text: str


@dataclass(frozen=True)
class Branch:
    leaves: tuple[Leaf, ...]
    names: Mapping[str, str]
    kept: bytes
    colour: Colour


def test_masks_every_text_in_a_value() -> None:
    value = Branch((Leaf("abcdefgh"),), {"abcdefgh": "abcdefgh"}, b"abcdefgh", Colour.RED)

    masked = Redactor({"A": "abcdefgh"}).value(value)

    assert masked == Branch((Leaf("<secret:A:1>"),), {"<secret:A:1>": "<secret:A:1>"}, b"abcdefgh", Colour.RED)


def test_does_not_walk_into_what_is_to_be_kept() -> None:
    value = (Leaf("abcdefgh"), "abcdefgh")

    assert Redactor({"A": "abcdefgh"}).value(value, keep=(Leaf,)) == (Leaf("abcdefgh"), "<secret:A:1>")


@pytest.mark.parametrize(
    ("before", "after", "introduced"),
    [
        (b"key = os.environ['A']\n", b"key = 'abcdefgh'\n", True),
        (b"", base64.b64encode(b"user:abcdefgh"), True),
        (b"key = 'abcdefgh'\n", b"KEY = 'abcdefgh'\n", False),
        (b"key = 'abcdefgh'\n", b"a = b = 'abcdefgh'; c = 'abcdefgh'\n", True),
        (b"key = 'abcdefgh'\n", b"key = ''\n", False),
        (b"", b"<secret:A:1>\n", False),
    ],
)
def test_knows_whether_a_patch_brings_a_secret_in(before: bytes, after: bytes, introduced: bool) -> None:
    assert Redactor({"A": "abcdefgh"}).introduces(before, after) is introduced


def test_is_fast_on_a_large_log() -> None:
    log = "2026-01-01T00:00:00 tests/test_cart.py::test_total[3-4] PASSED in 0.03 s\n" * 220_000
    redactor = Redactor(FAMILIES)
    began = time.process_time()

    assert redactor.text(log) == log

    assert time.process_time() - began < 8  # 0.5 s on an ordinary machine


@pytest.mark.parametrize(
    "name",
    [
        "ANTHROPIC_API_KEY", "SELFHEAL_TOKEN", "GITHUB_TOKEN", "GITLAB_TOKEN", "GH_TOKEN", "CI_JOB_TOKEN", "PGPASSWORD",
        "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "DB_PASSWORD", "db_password", "MY_SECRET", "SENTRY_DSN", "DEPLOY_KEY",
        "SSH_PRIVATE_KEY", "npm_config__authToken", "GOOGLE_CREDENTIALS", "DOCKER_AUTH_CONFIG", "SIGNING_PASSPHRASE",
        "GITHUB_PAT", "SSHPASS", "COOKIE", "SESSION_COOKIE", "AUTH_HEADER", "AUTHORIZATION", "SENTRY_AUTH", "npm_config__auth",
        "SONAR_LOGIN", "STRIPE_SK", "KUBECONFIG_DATA", "KUBE_CONFIG_DATA", "VAULT_UNSEAL", "VAULT_UNSEAL_1", "MYSQL_PASS",
        "DBPASS", "ENCRYPTION_SALT",
    ],
)  # fmt: skip
def test_knows_secrets_by_the_names_of_their_variables(name: str) -> None:
    assert known_secrets({name: "s3cr3t-value"}) == {name: "s3cr3t-value"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATH", "/usr/local/bin:/usr/bin"), ("PWD", "/work/shop"), ("OLDPWD", "/work/shop"), ("HOME", "/home/ada"),
        ("SSH_AUTH_SOCK", "/tmp/agent.123"), ("GIT_ASKPASS", "/usr/bin/askpass"), ("KEYBOARD", "german-layout"),
        ("MONKEY", "business-as-usual"), ("MAX_TOKENS", "200000"), ("TOKEN_FILE", "/run/secrets/token"),
        ("DB_PASSWORD", "password"), ("DB_PASSWORD", "postgres"), ("DEPLOY_KEY", "short"), ("TOKEN", ""),
        ("PROXY", "http://proxy.example.com:3128"), ("URL", "https://ada@example.com/"), ("URL", "http://[broken"),
        ("DATABASE_URL", "postgres://shop:shop@localhost/shop"), ("KUBECONFIG", "/home/ada/.kube/config"),
        ("BYPASS", "everything"), ("COMPASS", "north-by-northwest"), ("COOKIE_DOMAIN", "shop.example.com"),
        ("SESSION_COOKIE_NAME", "shop-session"), ("AUTH_HEADER_NAME", "X-Shop-Auth"), ("AUTH_URL", "https://id.example.com"),
        ("PROXY_AUTH", "negotiate"), ("GITLAB_USER_LOGIN", "ada-lovelace"), ("LOGIN_URL", "/accounts/login"),
        ("DISK", "/dev/sda1-x"), ("SALT_MASTER", "salt.example.com"),
    ],
)  # fmt: skip
def test_takes_nothing_else_for_a_secret(name: str, value: str) -> None:
    assert known_secrets({name: value}) == {}


@pytest.mark.parametrize("value", ["Bearer s3cr3t-value", "Authorization: Basic s3cr3t-value", "deploy:s3cr3t-value"])
def test_knows_what_is_secret_of_a_header(value: str) -> None:
    assert known_secrets({"AUTH_HEADER": value}) == {"AUTH_HEADER": value, "AUTH_HEADER.part": "s3cr3t-value"}


def test_finds_the_passwords_in_addresses() -> None:
    environ = {
        "DATABASE_URL": "postgres://shop:hunter2%21x@db/shop",
        "CI_REPOSITORY_URL": "https://gitlab-ci-token:glcbt-64_abcdef@gitlab.com/a/b.git",
        "REMOTE": "https://ghx_0123456789abcdef@github.com/a/b",
    }

    assert known_secrets(environ) == {
        "DATABASE_URL.password": "hunter2%21x",
        "DATABASE_URL.password.2": "hunter2!x",
        "CI_REPOSITORY_URL.password": "glcbt-64_abcdef",
        "REMOTE.password": "ghx_0123456789abcdef",
    }
