from __future__ import annotations

import string
import subprocess
import sys
import time

import pytest

from selfheal_ci import secret_rules
from selfheal_ci.secret_rules import LONGEST_VALUE, PIECE, Found, find

# Put together here, so that no scanner takes this file for a leak.
RANDOM = "Zk7qWd3Rb9xVt2Ym5pLs8cNf4hJg6uTe1AoB"
GITHUB = "gh" + "p_" + RANDOM
MANY = RANDOM * 4


def values(text: str) -> list[str]:
    return [text[found.start : found.end] for found in find(text)]


SHAPES = {
    "anthropic_key": "sk-" + f"ant-api03-{MANY}",
    "openai_key": "sk-" + f"proj-{MANY}",
    "github_token": GITHUB,
    "github_pat": "github" + f"_pat_{RANDOM}_{MANY}",
    "gitlab_token": "gl" + "pat-" + RANDOM[:20],
    "google_key": "AI" + "za" + RANDOM[:35],
    "google_token": "ya" + f"29.{MANY}",
    "slack_token": "xo" + "xb-123456789012-123456789012-" + RANDOM[:24],
    "stripe_key": "sk" + "_live_" + RANDOM[:24],
    "twilio_key": "S" + "K" + "0123456789abcdef" * 2,
    "sendgrid_key": "S" + f"G.{RANDOM[:22]}.{RANDOM}{RANDOM[:7]}",
    "npm_token": "np" + f"m_{RANDOM}",
    "pypi_token": "py" + f"pi-AgEIcHlwaS5vcmc{MANY}",
    "docker_token": "dckr" + f"_pat_{RANDOM[:27]}",
    "huggingface_token": "h" + f"f_{RANDOM[:34]}",
    "vault_token": "hv" + f"s.{MANY[:95]}",
    "digitalocean_token": "do" + "p_v1_" + "0123456789abcdef" * 4,
    "databricks_token": "da" + "pi" + "0123456789abcdef" * 2,
    "age_key": "AGE-SECRET" + "-KEY-1" + "Q2W3E4R5T6Z7U8"[:14] * 4 + "QW",
    "jwt": "ey" + "JhbGciOiJIUzI1NiJ9." + "ey" + f"JzdWIiOiIxMjM0In0.{RANDOM}",
    "aws_key_id": "AK" + "IA" + "J5Q7W2E3R4T6Y2U5",
}


@pytest.mark.parametrize(
    "around", ["{}", "> {}.", "E   assert '{}' == ''", '{{"log": "first\\n{}\\n"}}', "a%3D{}&b=c", "pässe {} ß"]
)
@pytest.mark.parametrize("kind", SHAPES)
def test_knows_the_shapes_of_tokens(kind: str, around: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_rules, "_scanner", lambda: lambda _: ())  # our own rules alone, as without its wheel
    text = around.format(SHAPES[kind])

    assert [(text[found.start : found.end].rstrip("."), found.kind) for found in secret_rules._find(f"{text} ")] == [
        (SHAPES[kind], kind)
    ]


@pytest.mark.parametrize(
    "inside", [f"a{GITHUB}", "sk-ant-short", "eyJhbGciOi.eyJ", "ghp_" + RANDOM[:20], "AKIA" + "J5Q7W2E3R4T6Y2U5XX"]
)
def test_takes_no_part_of_a_word_for_a_token(inside: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secret_rules, "_scanner", lambda: lambda _: ())

    assert secret_rules._find(inside) == []


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("curl https://ada:s3cr3t-value@example.com/", "s3cr3t-value"),
        ("git clone https://ghx0123456789abcdef@example.com/a/b", "ghx0123456789abcdef"),
        ("psql: could not connect to postgresql://shop:t0p%2Fs3cret!@db:5432/shop", "t0p%2Fs3cret!"),
        ("POST https://hooks.slack" + ".com/services/T0/B0/" + RANDOM, "T0/B0/" + RANDOM),
        ("POST https://discord.com" + "/api/webhooks/123456789012345678/" + MANY[:68], MANY[:68]),
        ("> Authorization: Bearer abc.def-123", "abc.def-123"),
        ("> authorization: basic YWRhOnNlY3JldA==", "YWRhOnNlY3JldA=="),
        ('headers={"Authorization": "Token abcdefghijk"}', "abcdefghijk"),
        (f"> Authorization: {RANDOM}", RANDOM),
        (f"got Bearer {RANDOM} instead", RANDOM),
        (f"> X-Api-Key: {RANDOM}", RANDOM),
        (f"> Cookie: {RANDOM}; a=b", RANDOM),
        ("+ export DB_PASSWORD=hunter22x", "hunter22x"),
        ("DB_PASS='hunter!x'", "hunter!x"),
        ("the password is hunter22 indeed", "hunter22"),
        ("{'API_TOKEN': 'abcdefg-1234'}", "abcdefg-1234"),
        ('{\\"clientSecret\\": \\"abcdefg-1234\\"}', "abcdefg-1234"),
        ("token=abcdefg-1234&next=1", "abcdefg-1234"),
        ("assert token == 'abcdefg-1234'", "abcdefg-1234"),
        ("deploy --token abcdefg-1234 --wait", "abcdefg-1234"),
        ("['deploy', '--api-token', 'abcdefg-1234']", "abcdefg-1234"),
        ("token=\x1b[32mabcdefg-1234\x1b[0m", "abcdefg-1234"),
        ("token=abc\0defg-1234", None),
        (f"AccountName=shop;AccountKey={MANY}==;EndpointSuffix=x", f"{MANY}=="),
        (f"secret = {'aB3' * LONGEST_VALUE} and more", "aB3" * LONGEST_VALUE),
        ("aws_access_key_id,aws_secret\n" + SHAPES["aws_key_id"] + f",{RANDOM}wJ4/", f"{RANDOM}wJ4/"),
    ],
)  # fmt: skip
def test_knows_what_stands_where_secrets_stand(text: str, secret: str | None) -> None:
    assert [value for value in values(text) if value != SHAPES["aws_key_id"]] == ([secret] if secret else [])


@pytest.mark.parametrize(
    "text",
    [
        "token = next_token2(stream)", "password: str", "password = password", "if secret_key is None:", "max_tokens=200000",
        "token=$DEPLOY_TOKEN1", "token: ${{ secrets.DEPLOY_TOKEN1 }}", "password=***", "token=xxxxxxxx1234", "token=abc...123",
        "PASSED tests/test_password.py::test_1", "KeyError: 'abc123def456'", "PASS: test_12345", "cache_key=linux-py311-d0b6a1c2e3f4",
        "key: setup-python-3.11.9-d0b6a1c2e3f40596", "author: ada-1234-5678-9012-lovelace", "token_type: bearer-1234567",
        "https://ada:password@example.com/", "https://ada:ada@example.com", "https://ada@example.com", "mailto://a@b",
        "https://ada:$PASSWORD1@example.com/", "token=/run/secrets/token1", "secret: 2026-01-01T00:00:00Z", "token: 0x7f3a2b1c",
        "TOKEN_FILE=/run/secrets/abc123def456", "commit 3b18e512dba79e4c8300dd08aeb37f8e728b8dad", "password=%(password1)s",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "password={password1}", "api_key=os.environ1",
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "-----BEGIN CERTIFICATE-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC", "bearer of news",
        "-----BEGIN PRIVATE KEY-----", "<secret:token:1> token=<secret:token:1>", "--password", "credentials", "auth=none",
        "SK" + "0123456789abcdef",
        SHAPES["aws_key_id"].lower(), "signature=sig1234", "cookie=aaaaaaaaaaaaaaaaaaaaaaaa1",
    ],
)  # fmt: skip
def test_leaves_ordinary_text_alone(text: str) -> None:
    assert find(text) == []


BODY = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"


@pytest.mark.parametrize("kind", ["", "RSA ", "OPENSSH ", "ENCRYPTED "])
def test_finds_what_is_between_the_lines_of_a_private_key(kind: str) -> None:
    head, end = f"-----BEGIN {kind}" + "PRIVATE KEY-----", f"-----END {kind}" + "PRIVATE KEY-----"

    assert [BODY in value for value in values(f"{head}\n{BODY}\n{end}\n")] == [True]
    assert [BODY.replace("\n", "\\n") in value for value in values(f"'{head}\n{BODY}\n{end}'".replace("\n", "\\n"))] == [
        True
    ]
    assert values(f"{head}\n{BODY}\n\nthe output ends in it...")[0].startswith(BODY)


def test_says_where_and_what() -> None:
    assert find(f"a {GITHUB} b") == [Found(2, 2 + len(GITHUB), "github_token")]


def test_makes_one_of_what_several_rules_find() -> None:
    assert find(f"{GITHUB}:{GITHUB}@") == [Found(0, 40, "github_token"), Found(41, 81, "github_token")]
    assert len(find(f"https://{GITHUB}:x-oauth-basic1@example.com")) == 2
    assert find(f"token='{GITHUB}'") == [Found(7, 7 + len(GITHUB), "github_token")]


BEYOND_OURS = "pul-" + "0123456789abcdef" * 2 + "01234567"  # a shape that betterleaks alone knows


@pytest.mark.parametrize(
    "before", ["", "\0", "x\n" * PIECE, "y" * (PIECE - 20), "ü\x1b[31m", "\r\n", "gitleaks:allow ", "betterleaks:allow "]
)
def test_asks_betterleaks_about_every_part_of_a_text(before: str) -> None:
    text = f"{before} {BEYOND_OURS}\n"

    assert values(text) == [BEYOND_OURS]
    assert find(text)[0].kind.startswith("pulumi")


def test_takes_no_commit_id_beside_an_aws_key_for_its_secret() -> None:
    assert values(f"{SHAPES['aws_key_id']} 3b18e512dba79e4c8300dd08aeb37f8e728b8dad") == [SHAPES["aws_key_id"]]


def test_stands_alone_where_betterleaks_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    secret_rules._scanner.cache_clear()
    monkeypatch.setitem(sys.modules, "betterleaks", None)

    assert values(f"{GITHUB} {BEYOND_OURS}  {'.' * secret_rules.SAMPLE}") == [GITHUB]

    secret_rules._scanner.cache_clear()


def test_betterleaks_is_loaded_with_the_first_text_alone() -> None:
    code = (
        "import sys, selfheal_ci.redact, selfheal_ci.cli; print('betterleaks' in sys.modules);"
        " selfheal_ci.redact.Redactor().text('a'); print('betterleaks' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.split() == [
        b"False",
        b"True",
    ]


LINE = string.ascii_letters + string.digits
HOSTILE = [
    "token=", "token=abcdefgh1234 ", 'token="', "password=\\", "password: ", "-----BEGIN " + "PRIVATE KEY-----",
    "-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBgkq\n", "://", "://ada:", "://ada:s3cr3t@", "sk-" + "proj-", "-eyJ",
    "-eyJabcdefgh.eyJabcdefgh", "github" + "_pat_", "xo" + "xb-1-", "AK" + "IA" + "ABCDEFGHIJKLMNOP ", "Bearer ", "key-", "_",
    " ", "\n", "\x1b[", "token=\x1b[1m", "<secret:a:1>", "<secret:", LINE, "%3D",
]  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
def test_takes_time_that_is_linear_in_the_text(part: str) -> None:
    def seconds(size: int) -> float:
        text = (part * (size // len(part) + 1))[:size]
        began = time.process_time()
        secret_rules._find(text)
        return time.process_time() - began

    seconds(1000)
    once = seconds(5_000)

    assert seconds(20_000) < 16 * max(once, 0.02)  # four times the text


def test_a_megabyte_of_hostile_lines_takes_seconds() -> None:
    text = "\n".join((part * (40_000 // len(part)))[:40_000] for part in HOSTILE)
    began = time.process_time()

    find(text)

    assert len(text) > 1_000_000
    assert time.process_time() - began < 40  # 2 s on an ordinary machine
