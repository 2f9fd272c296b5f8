from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

import pytest

from selfheal_ci import redact
from selfheal_ci.redact import Redactor

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


def test_leaves_what_is_no_text_as_it_is() -> None:
    assert Redactor({"A": "abcdefgh"}).value((1, None, Colour)) == (1, None, Colour)
    assert Redactor({"A": "abcdefgh"}).restore("no placeholder", there="abcdefgh") == "no placeholder"


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


PAT = FAMILIES["github"] + "a1B2"
OTHER = "ghp" + "_" + "X9y8" * 9
UNKNOWN = f"+ git push https://{PAT}@example.com"


def test_masks_what_looks_like_a_secret() -> None:
    assert Redactor().text(UNKNOWN) == "+ git push https://<secret:github_token:1>@example.com"


def test_gives_the_same_unknown_value_the_same_placeholder() -> None:
    redactor = Redactor()
    first = redactor.text(f"TOKEN={PAT}\nNPM={FAMILIES['npm']}")
    second = redactor.text(f"{OTHER}, then {PAT}")

    assert first == "TOKEN=<secret:github_token:1>\nNPM=<secret:npm_token:1>"
    assert second == "<secret:github_token:2>, then <secret:github_token:1>"
    assert Redactor().text(f"TOKEN={PAT}\nNPM={FAMILIES['npm']}") == first


def test_masks_a_value_that_was_found_once_wherever_it_stands_later() -> None:
    redactor = Redactor()
    redactor.text("DB_PASSWORD=quartz-maple15")

    assert redactor.text("E   assert 'quartz-maple15' == ''") == "E   assert '<secret:password:1>' == ''"
    assert Redactor().text("E   assert 'quartz-maple15' == ''") == "E   assert 'quartz-maple15' == ''"


def test_looks_for_no_short_value_where_nothing_says_that_it_is_secret() -> None:
    redactor = Redactor()
    redactor.text("password=monday1")

    assert redactor.text("on monday1 all is well") == "on monday1 all is well"


def test_a_known_value_keeps_its_name() -> None:
    redactor = Redactor({"DEPLOY_TOKEN": PAT, "github_token": "s3cr3t-value"})

    assert redactor.text(f"{UNKNOWN}, s3cr3t-value") == (
        "+ git push https://<secret:DEPLOY_TOKEN:1>@example.com, <secret:github_token:1>"
    )
    assert redactor.text(OTHER) not in redactor._originals


def test_does_not_touch_what_stands_in_for_an_unknown_value() -> None:
    redactor = Redactor({"A": "abcdefgh"})
    once = redactor.text(f"token={PAT} password=hunter22x abcdefgh")

    assert redactor.text(once) == once
    assert Redactor().text(once) == once


def test_restores_an_unknown_value_where_it_stands_already() -> None:
    redactor = Redactor()
    source = f"TOKEN = '{PAT}'\nOTHER = '{OTHER}'\n"
    shown = redactor.text(source)

    assert redactor.restore(shown, there=source) == source
    assert redactor.restore(shown, there="TOKEN = ''") == shown
    assert Redactor().restore(shown, there=source) == shown


def test_numbers_only_so_many_unknown_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "MOST_FOUND", 1)
    redactor = Redactor()

    assert redactor.text(f"{PAT} {OTHER} {PAT}") == (
        "<secret:github_token:1> <secret:github_token:0> <secret:github_token:1>"
    )
    assert redactor.restore("<secret:github_token:0>", OTHER) == "<secret:github_token:0>"


def test_looks_only_for_so_many_unknown_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "MOST_SOUGHT", 1)
    redactor = Redactor()
    redactor.text("password=quartz-maple15 password=rocket-otter27")

    assert redactor.text("quartz-maple15 rocket-otter27") == "<secret:password:1> rocket-otter27"


def test_masks_unknown_values_in_bytes_and_in_every_text_of_a_value() -> None:
    redactor = Redactor()

    assert redactor.data(b"\xff " + PAT.encode()) == b"\xff <secret:github_token:1>"
    assert redactor.value((Leaf(PAT),)) == (Leaf("<secret:github_token:1>"),)


def test_a_patch_brings_in_known_values_alone() -> None:
    """What merely looks like a secret is no reason to refuse: it may be what is reverted to."""
    assert not Redactor().introduces(b"", PAT.encode())


def test_numbers_are_given_once_when_many_threads_redact() -> None:
    redactor = Redactor()
    with ThreadPoolExecutor(8) as pool:
        shown = set(pool.map(redactor.text, [PAT, OTHER] * 100))

    assert shown == {"<secret:github_token:1>", "<secret:github_token:2>"}


def test_is_fast_on_a_large_log_that_is_full_of_words() -> None:
    line = (
        "{number} key=value token check for tests/test_auth.py::test_password_{number} PASSED https://example.com/{number}\n"
    )
    log = "".join(line.format(number=number) for number in range(40_000))
    began = time.process_time()

    assert Redactor(FAMILIES).text(log) == log

    assert time.process_time() - began < 10  # 5 MB in 1 s on an ordinary machine
