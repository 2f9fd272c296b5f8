"""Reports are read as what they may be: made by the tests to mislead, to break or to spy."""

from __future__ import annotations

import random
import sys
import threading
import time
from pathlib import Path

import pytest

from selfheal_ci.detect.document import CASES, DEPTH, PARTS, SIZE
from selfheal_ci.detect.document import CHUNK as DOCUMENT_CHUNK
from selfheal_ci.detect.junit import ID, TEXT, Outcome, ReportCase, parse, read_reports
from selfheal_ci.errors import ReportError

GOLDEN = Path(__file__).parents[2] / "golden" / "junit"
SEEDS = sorted(GOLDEN.glob("*.xml"))
FILES = [(path, path.read_bytes()) for path in SEEDS]


def suite(inner: str) -> bytes:
    return f'<testsuites><testsuite name="pytest">{inner}</testsuite></testsuites>'.encode()


def one(inner: str, root: str = "") -> ReportCase:
    (case,) = parse(suite(inner), root)
    return case


def test_reads_what_pytest_writes() -> None:
    cases = {case.id: case.outcome for case in parse((GOLDEN / "pytest-xunit1.xml").read_bytes())}

    assert cases == {
        "tests/test_broken.py": Outcome.ERROR,
        "tests/test_cart.py::test_empty": Outcome.PASSED,
        "tests/test_cart.py::TestTotal::test_one": Outcome.FAILED,
        "tests/test_cart.py::test_param[a::b]": Outcome.PASSED,
        "tests/test_cart.py::test_param[x]y]": Outcome.FAILED,
        "tests/test_cart.py::test_param[gr\\xfcn]": Outcome.FAILED,
        "tests/test_cart.py::test_param[two\\nlines]": Outcome.FAILED,
        "tests/test_cart.py::test_setup": Outcome.ERROR,
        "tests/test_cart.py::test_skip": Outcome.SKIPPED,
        "tests/test_cart.py::test_xfail": Outcome.SKIPPED,
    }


def test_what_our_plugin_writes_has_the_same_ids_and_the_types_too() -> None:
    ours = parse((GOLDEN / "selfheal.xml").read_bytes())
    theirs = parse((GOLDEN / "pytest-xunit1.xml").read_bytes())

    assert {(case.id, case.outcome, case.path) for case in ours} == {(case.id, case.outcome, case.path) for case in theirs}
    assert {case.type for case in ours if case.outcome is Outcome.FAILED} == {"KeyError", "AssertionError"}
    assert next(case.output for case in ours if case.id.endswith("[x]y]")).endswith("printed x]y\n\n")


def test_a_case_says_where_it_is_and_what_failed() -> None:
    said = '<failure type="KeyError" message="KeyError: 1">trace</failure><system-out>printed</system-out>'

    case = one(
        f'<testcase classname="tests.test_a.TestA.TestB" name="t[1]" file="tests/test_a.py" line="4">{said}</testcase>'
    )

    assert case == ReportCase(
        "tests/test_a.py::TestA::TestB::t[1]",
        Outcome.FAILED,
        path="tests/test_a.py",
        line=5,
        type="KeyError",
        message="KeyError: 1",
        text="trace",
        output="printed",
    )


@pytest.mark.parametrize(
    ("attributes", "id_"),
    [
        ('classname="pkg.CartTest" name="adds"', "pkg.CartTest::adds"),
        ('name="adds"', "adds"),
        ("", "(no name)"),
        ('classname="" name="tests.test_a" file="tests/test_a.py"', "tests/test_a.py"),
        ('classname="tests.test_a" name="t" file="/home/dev/shop/tests/test_a.py"', "tests/test_a.py::t"),
        ('classname="tests.test_a" name="t" file="./tests/../tests/test_a.py"', "tests/test_a.py::t"),
        ('classname="tests.test_a" name="t" file="tests\\test_a.py"', "tests/test_a.py::t"),
        ('classname="test_ab" name="t" file="test_a.py"', "test_a.py::test_ab::t"),
    ],
)
def test_ids_are_relative_to_the_tree(attributes: str, id_: str) -> None:
    assert one(f"<testcase {attributes}/>", "/home/dev/shop").id == id_


@pytest.mark.parametrize("file", ["/etc/passwd", "../x.py", "../../../etc/passwd", "/home/dev/shopping/x.py"])
def test_a_file_outside_of_the_tree_is_no_path_of_ours(file: str) -> None:
    assert one(f'<testcase classname="a" name="b" file="{file}"/>', "/home/dev/shop").path is None


@pytest.mark.parametrize("id_", ["a.py::b\\nc", "a.py::[\\u0000\\udc80]", "gr\\u00fcn::\\ud83d\\ude00"])
def test_an_id_that_our_plugin_gives_is_taken_as_it_is(id_: str) -> None:
    case = one(
        f'<testcase name="x"><properties><property name="selfheal_id" value="&quot;{id_}&quot;"/></properties></testcase>'
    )

    assert case.id == id_.encode().decode("unicode_escape").encode("utf-16", "surrogatepass").decode(
        "utf-16", "surrogatepass"
    )


@pytest.mark.parametrize("value", ["", "x", "3", "[1]", "&quot;&quot;", "[" * 5000, "&quot;" + "x" * 5000 + "&quot;"])
def test_an_id_that_is_none_is_not_taken(value: str) -> None:
    case = one(
        f'<testcase name="x"><properties><property name="selfheal_id" value="{value}"/><property/></properties></testcase>'
    )

    assert case.id == "x"


def test_of_several_results_the_worst_counts_and_the_first_of_them_tells() -> None:
    said = '<skipped/><failure message="first"/><error message="second"/>'
    assert (one(f'<testcase name="a">{said}</testcase>').outcome, one(f'<testcase name="a">{said}</testcase>').message) == (
        Outcome.FAILED,
        "first",
    )

    data = suite('<testcase name="a"/><testcase name="a"><error message="x"/></testcase><testcase name="a"/>')
    assert [(case.outcome, case.message) for case in read_reports({"a": data}).cases] == [(Outcome.ERROR, "x")]


def test_counts_itself_and_bears_with_odd_numbers() -> None:
    data = b'<testsuite tests="-5" failures="9" time="1e999"><testcase name="a" time="abc" line="x"/></testsuite>'

    assert parse(data) == (ReportCase("a", Outcome.PASSED),)


@pytest.mark.parametrize(
    "data",
    [
        suite('<testsuite><testsuite><testcase name="a"/></testsuite></testsuite>'),
        b'<j:testsuite xmlns:j="urn:x"><j:testcase name="a"/></j:testsuite>',
        b'\n  <?xml version="1.0"?><testsuite><testcase name="a"/></testsuite>',
        b'\xef\xbb\xbf<testsuite><testcase name="a"/></testsuite>',
        '<?xml version="1.0" encoding="utf-16"?><testsuite><testcase name="a"/></testsuite>'.encode("utf-16"),
        b'<?xml version="1.0" encoding="utf-16"?><testsuite><testcase name="a"/></testsuite>',
        b'<?xml version="1.0" encoding="ISO-8859-1"?><testsuite name="gr\xfcn"><testcase name="a"/></testsuite>',
    ],
)
def test_reads_every_dialect_and_encoding(data: bytes) -> None:
    assert [case.id for case in parse(data)] == ["a"]


def test_what_breaks_in_a_suite_itself_is_a_failure_of_the_suite() -> None:
    data = b'<testsuites><testsuite name="pkg.A"><error message="no" type="OSError">trace</error></testsuite></testsuites>'

    assert parse(data) == (ReportCase("pkg.A", Outcome.ERROR, type="OSError", message="no", text="trace"),)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("surefire-class.xml", {"shop.StoreTest": Outcome.ERROR}),
        ("xmlrunner-class.xml", {"setUpClass (tests.test_cart.BrokenTest)": Outcome.ERROR}),
        ("xmlrunner-module.xml", {"unittest.loader._FailedTest.tests::test_broken": Outcome.ERROR}),
        ("surefire-flaky.xml", {"shop.CartTest::sometimes": Outcome.PASSED, "shop.CartTest::never": Outcome.FAILED}),
        ("gtest.xml", {"cart_test.cc::Cart::Adds": Outcome.FAILED, "cart_test.cc::Cart::DISABLED_Later": Outcome.SKIPPED}),
        ("several-results.xml", {"a.A::torn": Outcome.FAILED, "a.A::twice": Outcome.FAILED}),
        ("nested.xml", {"a.A::deep": Outcome.FAILED}),
        ("ruff.xml", None),
        ("eslint.xml", {"cart::org.eslint.no-undef": Outcome.FAILED}),
        ("phpunit.xml", {"tests/CartTest.php::CartTest::testAdds": Outcome.FAILED,
                         "tests/CartTest.php::CartTest::testMany with data set #0": Outcome.PASSED}),
    ],
)  # fmt: skip
def test_reads_what_other_tools_write(name: str, expected: dict[str, Outcome] | None) -> None:
    cases = read_reports({name: (GOLDEN / name).read_bytes()}, "/home/dev/shop").cases

    assert expected is None or {case.id: case.outcome for case in cases} == expected
    assert not any("/home" in case.id or "/usr" in case.id for case in cases)


def test_nothing_but_the_bytes_is_read() -> None:
    read_reports({path.name: data for path, data in FILES})  # Python loads a codec when it is first used
    touched = []
    watching, here = True, threading.get_ident()

    def watch(event: str, _: object) -> None:
        if watching and threading.get_ident() == here and event.startswith(("open", "socket", "subprocess")):
            touched.append(event)

    sys.addaudithook(watch)

    read_reports({path.name: data for path, data in FILES})
    watching = False

    assert touched == []


def test_an_empty_suite_has_no_cases() -> None:
    assert parse(b"<testsuites/>") == ()


def test_characters_that_xml_has_not_are_replaced() -> None:
    case = one('<testcase name="a\x00b\x1b[31m&#0;&#x1B;&#xD800;&#99999999;c"/>')

    assert case.id == "a\ufffdb\ufffd[31m\ufffd\ufffd\ufffd\ufffdc"
    assert parse(suite('<testcase name="@"/>').replace(b"@", b"\xff\xc3"))[0].id == "\ufffd\ufffd"


def test_long_texts_keep_head_and_tail() -> None:
    text = one(f'<testcase name="a"><failure>{"a" * 500_000}{"z" * 500_000}</failure></testcase>').text

    assert (text[0], text[-1]) == ("a", "z")
    assert len(text) < TEXT + 100


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BROKEN = {
    "empty": (b"", "not XML"),
    "html": (b"<html><body>502</body></html>", "not JUnit"),
    "doctype": (b"<!DOCTYPE html><html></html>", "forbidden"),
    "no xml": (b"500 Internal Server Error", "not XML"),
    "cut": (suite('<testcase name="a"/>')[:-20], "not XML"),
    "laughs": (f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]><testsuite>&l9;</testsuite>'.encode(), "forbidden"),
    "xxe": (b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><testsuite>&f;</testsuite>', "forbidden"),
    "dtd": (b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><testsuite/>', "forbidden"),
    "entity": (b"<testsuite>&nothing;</testsuite>", "not XML"),
    "deep": (b"<testsuite>" * (DEPTH + 1), "too deep"),
    "very deep": (b"<testsuite>" * 100_000, "too deep"),
    "large": (b"<" * (SIZE + 1), "too large"),
    "cases": (suite("<testcase/>" * (CASES + 1)), "too many cases"),
    "parts": (suite(f"<testcase>{'<a/>' * (PARTS + 1)}</testcase>"), "too many elements"),
    "utf-7": (b'<?xml version="1.0" encoding="utf-7"?><testsuite/>', "not XML"),
    "no encoding": (b'<?xml version="1.0" encoding="zlib_codec"?><testsuite/>', "not XML"),
    "prefix": (b"<a:testsuite/>", "not XML"),
    "two roots": (b"<testsuite/><testsuite/>", "not XML"),
}


@pytest.mark.parametrize(("data", "kind"), BROKEN.values(), ids=BROKEN.keys())
def test_refuses_with_one_error_that_says_why(data: bytes, kind: str) -> None:
    with pytest.raises(ReportError) as refused:
        parse(data)

    assert refused.value.kind == kind
    assert refused.value.message.startswith(f"{kind}: ")


@pytest.mark.parametrize(
    "inner",
    [
        '<testcase name="' + "a" * 12_000_000 + '"/>',
        "<testcase " + " ".join(f"a{n}='1'" for n in range(200_000)) + "/>",
        "<!--" + "a" * 12_000_000 + "-->",
        '<testcase name="a"><failure>' + "a b\n" * 4_000_000 + "</failure></testcase>",
    ],
    ids=["attribute", "attributes", "comment", "text"],
)
def test_large_pieces_take_little_time(inner: str) -> None:
    data = suite(inner)
    began = time.process_time()

    parse(data)

    assert time.process_time() - began < 5


def test_of_several_reports_of_a_step_the_worst_word_on_a_test_counts() -> None:
    passes, fails = suite('<testcase name="a"/><testcase name="b"/>'), suite('<testcase name="a"><failure/></testcase>')

    for reports in ({"1.xml": passes, "2.xml": fails}, {"1.xml": fails, "2.xml": passes}):
        cases = read_reports(reports).cases

        assert {case.id: case.outcome for case in cases} == {"a": Outcome.FAILED, "b": Outcome.PASSED}


@pytest.mark.parametrize("cut", range(DOCUMENT_CHUNK - 8, DOCUMENT_CHUNK + 2))
def test_a_reference_may_lie_where_pieces_meet(cut: int) -> None:
    head = b'<testsuite><testcase name="'
    data = head + b"a" * (cut - len(head)) + b'&#x1b;&amp;&#233;"/></testsuite>'

    (case,) = parse(data)

    assert case.id == "a" * ID
    assert len(data) > DOCUMENT_CHUNK


def test_a_broken_report_does_not_hide_another() -> None:
    reports = read_reports({"b.xml": b"nothing", "x/a.xml": suite('<testcase name="a"/>')})

    assert ([case.id for case in reports.cases], reports.broken[:16]) == (["a"], "b.xml: not XML: ")


def test_mutants_of_real_reports_are_read_or_refused() -> None:
    assert len(SEEDS) >= 40
    chance = random.Random(3)
    pieces = [
        b"<",
        b">",
        b"&",
        b'"',
        b"\0",
        b"\xff",
        b"]]>",
        b"<!DOCTYPE a>",
        b"&#0;",
        b"<testcase>",
        b"</testcase>",
        b"<![CDATA[",
    ]
    read = 0
    for number in range(2000):
        mutant = bytearray(SEEDS[number % len(SEEDS)].read_bytes())
        for _ in range(chance.randint(1, 4)):
            start = chance.randrange(len(mutant) + 1)
            end = start + chance.choice([0, 0, 1, 5, 400])
            mutant[start:end] = chance.choice([*pieces, bytes(mutant[end : end + 50]), chance.randbytes(3)])
        try:
            parse(bytes(mutant))
            read += 1
        except ReportError:
            pass

    assert 100 < read < 1900
