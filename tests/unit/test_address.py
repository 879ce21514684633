"""How addresses are sent, and which of them are the same request or the same origin."""

import pytest

from orchestration.source.address import Request, identity, resolve, same_origin


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://h/e", "http://h/e?date=d&q=a+b%26"),
        ("http://h/e?", "http://h/e?date=d&q=a+b%26"),
        ("http://h/e?type=sale;x&z=%2F", "http://h/e?type=sale;x&z=%2F&date=d&q=a+b%26"),
    ],
)
def test_parameters_are_added_to_the_query(url: str, address: str) -> None:
    assert Request(url, {"date": "d", "q": "a b&"}).address == address


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://h/e?a=1&b=2", "http://h/e?b=2&a=1"),
        ("http://h/e?a=%2f", "http://h/e?a=%2F"),
        ("http://h/e?a=x+y", "http://h/e?a=x%20y"),
        ("http://h/%c3%a9", "http://H:80/%C3%A9#part"),
        ("https://h/", "HTTPS://h:443"),
    ],
)
def test_the_same_request_in_another_spelling_is_recognized(one: str, other: str) -> None:
    assert identity(one) == identity(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://h/e?a=1", "http://h/e?a=2"),
        ("http://h/e?a=1", "http://h/e?A=1"),
        ("http://h/e?a=1&a=2", "http://h/e?a=2&a=1"),
        ("http://h/e?a=%ff", "http://h/e?a=%fe"),
        ("http://h/e", "http://h/e?a="),
        ("http://h/a/b", "http://h/a%2Fb"),
        ("http://h/e", "http://h/E"),
        ("http://h/e", "https://h/e"),
    ],
)
def test_different_requests_are_distinguished(one: str, other: str) -> None:
    assert identity(one) != identity(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://h/e", "http://h:80/e"),
        ("https://h/e", "https://h:443/e"),
        ("http://localhost/e", "http://LOCALHOST/e"),
        ("http://h:8000/e", "HTTP://H:8000/x?y"),
        ("http://[::1]/e", "http://[::1]:80/e"),
        ("http://xn--bcher-kva.example/", "http://BÜCHER.example/"),
    ],
)
def test_addresses_of_one_origin_are_recognized(one: str, other: str) -> None:
    assert same_origin(one, other)
    assert same_origin(other, one)


@pytest.mark.parametrize(
    "other",
    [
        "http://[bad/e",
        "http:e",
        "http:///e",
        "http://h:81/e",
        "https://h/e",
        "https://h:80/e",
        "http://h.example/e",
        "http://me@h/e",
        "http://:x@h/e",
        "//h/e",
    ],
)
def test_addresses_of_different_origins_are_distinguished(other: str) -> None:
    assert not same_origin("http://h/e", other)


@pytest.mark.parametrize(
    ("link", "address"),
    [
        ("?p=2", "http://h/a/e;v=1?p=2"),
        ("f?p=2", "http://h/a/f?p=2"),
        ("/f;?p=a;b#c", "http://h/f;?p=a;b#c"),
        ("//h/f", "http://h/f"),
        ("#c", "http://h/a/e;v=1?p=1#c"),
        ("http://h//f;?", "http://h//f;?"),
        ("", "http://h/a/e;v=1?p=1"),
    ],
)
def test_a_link_is_resolved_as_given(link: str, address: str) -> None:
    assert resolve("http://h/a/e;v=1?p=1", link) == address


@pytest.mark.parametrize("link", ["/e\n?p=2", "/e\x7f", "/" + "x" * 70_000, "http://h:many/"])
def test_a_link_that_cannot_be_sent_is_an_error(link: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        resolve("http://h/e", link)
