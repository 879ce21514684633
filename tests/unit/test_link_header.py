"""Link headers in every form that RFC 8288 allows, and in some invalid forms that APIs send."""

import time
from contextlib import suppress

import pytest

from orchestration.source.link_header import Link, parse_links


def following(header: str) -> list[str]:
    return [link.target for link in parse_links(header) if "next" in link.relations]


@pytest.mark.parametrize(
    "header",
    [
        '</p2>; rel="next"',
        "</p2>; rel=next",
        "</p2>;rel=next",
        '</p2> ; REL = "NEXT"',
        '</p2>; rel="next last"',
        '</p2>; rel="last\tnext"',
        '</p2>; rel="\\n\\e\\x\\t"',
        '</p1>; rel="prev", </p2>; rel="next"',
        '</p2>; rel="next",</p1>; rel="prev"',
        ',, </p2>; rel="next" ,',
        '</p2>; rel="next";',
        '</p2>;; rel="next"',
        '</p2>; rel="next"; rel="prev"',
        '</p2>; title="a, <b>; rel=\\"prev\\""; rel="next"',
        "</p2>; title*=UTF-8'de'n%c3%a4chste; rel=next",
        "</p2>; hidden; rel=next; title=",
        "</p2>; rel='next'",
        "</p2>; rel='last next'; title='it's'",
        "</p2>; title='tis; rel=next",
        "< /p2 >; rel=next",
        '</p2>; type=application/json; rel="next"',
    ],
)
def test_the_next_link_is_found(header: str) -> None:
    assert following(header) == ["/p2"]


@pytest.mark.parametrize("target", ["/a;v=1?q=a;b&p=2", "/a,b?p=1,2", "/a?x=<&p=2", '/a"b', "/e?rel=next", "", "?p=2"])
def test_a_target_ends_at_its_bracket(target: str) -> None:
    assert following(f'<{target}>; rel="next"') == [target]


@pytest.mark.parametrize(
    "header",
    [
        "",
        " , ",
        "</p2>",
        '</p1>; rel="prev"',
        '</p1>; rel="nextpage"',
        '</p1>; rel="prev"; rel="next"',
        "</p>; rev=next",
    ],
)
def test_a_header_without_a_next_link_has_none(header: str) -> None:
    assert following(header) == []


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("/p2; rel=next", "expected '<' at character 1, found '/p2; rel=next'"),
        ("</p2; rel=next", "expected '>' for the '<' at character 1 at character 15, found the end"),
        ('</p2> rel="next"', "expected ',' or ';' at character 7, found 'rel=\"next\"'"),
        ('</p2>; rel="next', "expected a value that ends at character 12, found '\"next'"),
        ('</p2>; rel=next"', "expected ',' or ';' at character 16"),
        ("</p2>; rel=next last", "expected ',' or ';' at character 17, found 'last'"),
        ('</p2>; "rel"=next', "expected the name of a parameter at character 8"),
        ("</p2>; rel=next, and so on", "expected '<' at character 18"),
        ('</p2>; rel="next"</p3>; rel="prev"', "expected ',' or ';' at character 18"),
    ],
)
def test_a_header_that_cannot_be_parsed_is_an_error_with_the_position(header: str, says: str) -> None:
    with pytest.raises(ValueError, match="expected") as error:
        parse_links(header)

    assert str(error.value).startswith(says)


def test_the_first_of_a_repeated_parameter_counts() -> None:
    assert parse_links('<a>; rel=next; Title="x"; title="y"') == (Link("a", {"rel": "next", "title": "x"}),)


@pytest.mark.parametrize(
    "piece", ["<", "<a>;", '<a>; b="', "<a>; b='", "<a>; b='c;", '<a>; b="\\', ",", ";", "\t", "<a>; b=c, "]
)
def test_a_long_header_takes_no_more_than_one_pass(piece: str) -> None:
    begun = time.process_time()
    with suppress(ValueError):
        parse_links(piece * (200_000 // len(piece)))
    # One pass takes well below a second; a pass for each character takes hours.
    assert time.process_time() - begun < 10
