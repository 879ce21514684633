"""Timeouts, retries and error translation for calls to lakeFS.

Idempotent calls are retried after an unclear response. Other writes are retried only if a check shows that the first
attempt did not take effect.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from orchestration.errors import LakeBusy, LakeError, LakeServerError, LakeUnreachable
from orchestration.imports import heavy_imports
from orchestration.lake.errors import response_error, translate_errors

if TYPE_CHECKING:
    import httpx
    import lakefs_sdk

    from orchestration.lake.access import LakeAccess

_UNCLEAR = (LakeUnreachable, LakeServerError, LakeBusy)
_WAITS = (0.2, 1.0, 3.0)
PAGE = 1000

T = TypeVar("T")


class LakeConnection:
    """A connection to one lakeFS server, with its credentials.

    Args:
        access: Endpoint and keys.
        timeout: Seconds without a byte from lakeFS before a call is given up.
    """

    def __init__(self, access: LakeAccess, timeout: float) -> None:
        self.access = access
        self.timeout = timeout
        self._timeouts = (min(5.0, timeout), timeout)

    @cached_property
    def sdk(self) -> lakefs_sdk.ApiClient:
        """Return the SDK's client, which its API classes take as their argument."""
        with heavy_imports():
            import lakefs_sdk

        configuration = lakefs_sdk.Configuration(
            host=f"{self.access.endpoint}/api/v1",
            username=self.access.access_key.get_secret_value(),
            password=self.access.secret_key.get_secret_value(),
        )
        # urllib3's own retries would repeat requests whose effect is unknown.
        configuration.retries = False
        return lakefs_sdk.ApiClient(configuration)

    @cached_property
    def http(self) -> httpx.Client:
        """Return an HTTP client for streamed bodies, which the SDK does not support, and for long listings."""
        import httpx

        connect, read = self._timeouts
        client = httpx.Client(
            base_url=f"{self.access.endpoint}/api/v1",
            auth=(self.access.access_key.get_secret_value(), self.access.secret_key.get_secret_value()),
            timeout=httpx.Timeout(read, connect=connect),
        )
        # httpx leaves its sockets open to the end of the process, if nobody closes it.
        weakref.finalize(self, client.close)
        return client

    def call(self, action: str, function: Callable[..., T], *args: Any, **options: Any) -> T:
        """Call a function of the SDK once. `action` describes the call in the text of an error."""
        with translate_errors(action, self.access.endpoint):
            return function(*args, **options, _request_timeout=self._timeouts)

    def call_with_retry(self, action: str, function: Callable[..., T], *args: Any, **options: Any) -> T:
        """Call a function of the SDK with `retry`. The call must be idempotent."""
        return self.retry(lambda: self.call(action, function, *args, **options))

    def retry(self, call: Callable[[], T]) -> T:
        """Return the result of `call`, which is repeated for a few seconds after unclear responses.

        After a lost connection or 5xx, the request may or may not have taken effect; after 429 it did not. So `call`
        must be idempotent: a read, a delete, or the upload of an object, which replaces an earlier upload by the same
        bytes.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_chain, wait_fixed

        return Retrying(
            retry=retry_if_exception_type(_UNCLEAR),
            stop=stop_after_attempt(len(_WAITS) + 1),
            wait=wait_chain(*(wait_fixed(seconds) for seconds in _WAITS)),
            reraise=True,
        )(call)

    def retry_unless_done(self, write: Callable[[], T], done: Callable[[], T | None]) -> T:
        """Return the result of a write that must not take effect twice, such as a commit, a merge or a new branch.

        After an unclear response, the write is repeated only if `done` finds that it did not take effect. `done`
        returns the result of a write that took effect, else None.
        """
        unclear = False

        def attempt() -> T:
            nonlocal unclear
            if unclear and (result := done()) is not None:
                return result
            try:
                return write()
            except LakeError as error:
                # The first request may still have been in progress when `done` was called.
                if unclear and (result := done()) is not None:
                    return result
                unclear = unclear or isinstance(error, _UNCLEAR)
                raise

        return self.retry(attempt)

    def iterate_results(self, action: str, function: Callable[..., Any], *args: Any, **options: Any) -> Iterator[Any]:
        """Yield the results of a paginated function of the SDK, from all its pages."""
        after, more = "", True
        while more:
            found = self.call_with_retry(action, function, *args, after=after, amount=PAGE, **options)
            yield from found.results
            after, more = found.pagination.next_offset, found.pagination.has_more

    def iterate_json(
        self, action: str, path: str, convert: Callable[[Any], T], *, first: int | None = None, **params: str
    ) -> Iterator[T]:
        """Yield the converted results of a paginated GET request, from all its pages.

        The SDK takes several times as long, because it checks each field of each result. This is for long listings.

        Args:
            action: What is requested, for messages.
            path: The path below the API's root.
            convert: Converts one result from its JSON.
            first: The number of results of the first page, if few may be enough.
            params: The parameters of the request.
        """

        def page(after: str, amount: int) -> tuple[list[T], str]:
            with translate_errors(action, self.access.endpoint):
                response = self.http.get(path, params={**params, "after": after, "amount": str(amount)})
                if response.status_code != 200:
                    raise response_error(action, self.access.endpoint, response.status_code, response.content)
                try:
                    found = response.json()
                    pagination = found["pagination"]
                    following = str(pagination["next_offset"]) if pagination["has_more"] else ""
                    return [convert(one) for one in found["results"]], following
                except (KeyError, TypeError) as error:
                    raise ValueError(f"a page of results without {error}") from error

        results, after = self.retry(lambda: page("", min(first or PAGE, PAGE)))
        yield from results
        while after:
            results, after = self.retry(lambda following=after: page(following, PAGE))  # type: ignore[misc]
            yield from results

    def close(self) -> None:
        """Close the connections."""
        if "http" in self.__dict__:
            self.http.close()
        if "sdk" in self.__dict__:
            self.sdk.rest_client.pool_manager.clear()
