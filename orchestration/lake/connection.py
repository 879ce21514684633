"""How every call to lakeFS is made: time-outs, tries, and errors of ours.

A call that does the same however often it is made is tried again while lakeFS gives no clear answer. A write that must
happen once is settled by asking lakeFS what holds now, never by guessing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from orchestration.errors import LakeBusy, LakeError, LakeServerError, LakeUnreachable
from orchestration.lake.errors import translated

if TYPE_CHECKING:
    import httpx
    import lakefs_sdk

    from orchestration.lake.access import LakeAccess

_UNCLEAR = (LakeUnreachable, LakeServerError, LakeBusy)
_WAITS = (0.2, 1.0, 3.0)
PAGE = 1000

T = TypeVar("T")


class LakeConnection:
    """One lakeFS server and who we are there.

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
        """The SDK's client; its API classes take it as their argument."""
        import lakefs_sdk

        configuration = lakefs_sdk.Configuration(
            host=f"{self.access.endpoint}/api/v1",
            username=self.access.access_key.get_secret_value(),
            password=self.access.secret_key.get_secret_value(),
        )
        # urllib3's own retries would repeat requests whose effect is in doubt.
        configuration.retries = False
        return lakefs_sdk.ApiClient(configuration)

    @cached_property
    def http(self) -> httpx.Client:
        """For bodies that are streamed, which the SDK can't."""
        import httpx

        connect, read = self._timeouts
        return httpx.Client(
            base_url=f"{self.access.endpoint}/api/v1",
            auth=(self.access.access_key.get_secret_value(), self.access.secret_key.get_secret_value()),
            timeout=httpx.Timeout(read, connect=connect),
        )

    def once(self, action: str, call: Callable[..., T], *args: Any, **options: Any) -> T:
        """One call of the SDK; `action` says what it does in an error's text."""
        with translated(action, self.access.endpoint):
            return call(*args, **options, _request_timeout=self._timeouts)

    def safely(self, action: str, call: Callable[..., T], *args: Any, **options: Any) -> T:
        """A call of the SDK that does the same however often it is made."""
        return self.again(lambda: self.once(action, call, *args, **options))

    def again(self, call: Callable[[], T]) -> T:
        """Tries `call` again, a few seconds in all, while lakeFS gives no clear answer."""
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_chain, wait_fixed

        return Retrying(
            retry=retry_if_exception_type(_UNCLEAR),
            stop=stop_after_attempt(len(_WAITS) + 1),
            wait=wait_chain(*(wait_fixed(seconds) for seconds in _WAITS)),
            reraise=True,
        )(call)

    def settled(self, write: Callable[[], T], done: Callable[[], T | None]) -> T:
        """A write that must happen once: after an unclear answer, `done` gives its result if it did happen."""
        unclear = False

        def attempt() -> T:
            nonlocal unclear
            if unclear and (result := done()) is not None:
                return result
            try:
                return write()
            except LakeError as error:
                # The request before may still have been at work when `done` was asked.
                if unclear and (result := done()) is not None:
                    return result
                unclear = unclear or isinstance(error, _UNCLEAR)
                raise

        return self.again(attempt)

    def pages(self, action: str, call: Callable[..., Any], *args: Any, **options: Any) -> Iterator[Any]:
        """All results of a call that answers in pages."""
        after, more = "", True
        while more:
            found = self.safely(action, call, *args, after=after, amount=PAGE, **options)
            yield from found.results
            after, more = found.pagination.next_offset, found.pagination.has_more

    def close(self) -> None:
        """Gives back the connections."""
        if "http" in self.__dict__:
            self.http.close()
        if "sdk" in self.__dict__:
            self.sdk.rest_client.pool_manager.clear()
