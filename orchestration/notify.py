"""Tell people that a run did not end well: one POST to a webhook, `ELT_NOTIFY_URL` or the Secret block `notify-url`.

The body is JSON with `text`, which chat services show, and the same apart: `subject`, `outcome`, `cause`, `link`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from orchestration.errors import PlatformFailed

_TIMEOUT = 10.0
_CAUSE = 1_500


@dataclass(frozen=True)
class Notice:
    """What is told.

    Attributes:
        subject: The date, or `marts`, or `eda-report`.
        outcome: The name of the run's final state.
        cause: Its message.
        link: The flow run's page.
    """

    subject: str
    outcome: str
    cause: str
    link: str

    @property
    def text(self) -> str:
        """All of it, for a person."""
        return "\n".join(part for part in (f"{self.subject}: {self.outcome}", self.cause, self.link) if part)


def send(url: str, notice: Notice) -> None:
    """Posts a notice.

    Raises:
        PlatformFailed: The webhook did not take it; its address, which may be a secret, is not told.
    """
    import httpx

    notice = Notice(notice.subject, notice.outcome, notice.cause[:_CAUSE], notice.link)
    try:
        answer = httpx.post(url, json={"text": notice.text, **asdict(notice)}, timeout=_TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise PlatformFailed(
            f"the webhook of notifications does not answer: {type(error).__name__}", remedy="correct ELT_NOTIFY_URL"
        ) from None
    if not answer.is_success:
        raise PlatformFailed(
            f"the webhook of notifications answered {answer.status_code}", remedy="correct ELT_NOTIFY_URL"
        )
