"""Tell people that a run did not end well: one POST to a webhook, `ELT_NOTIFY_URL` or the Secret block `notify-url`.

The body is JSON with `text`, which chat services show, and the same apart: `subject`, `outcome`, `cause`, `link`.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace

from orchestration.errors import PlatformFailed
from orchestration.text import indented, one_line, shortened

_TIMEOUT = 10.0
_CAUSE = 1_500
_CALL = re.compile(r"@(?=(channel|here|all|everyone)\b)", re.IGNORECASE)


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
        """All of it, for a person; nothing foreign in it is a link or a mention to a chat service."""
        return "\n".join(
            part for part in (f"{_inert(self.subject)}: {self.outcome}", _inert(self.cause), self.link) if part
        )


def _inert(text: str) -> str:
    """Escape `<!channel>` and `<url|text>`, Markdown's links and images, and names that call everyone."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALL.sub("@ ", escaped.replace("](", "] ("))


def send(url: str, notice: Notice) -> None:
    """Posts a notice.

    Raises:
        PlatformFailed: The webhook did not take it; its address, which may be a secret, is not told.
    """
    import httpx

    # The subject is a parameter of the flow run, as it was given.
    notice = replace(notice, subject=one_line(notice.subject), cause=indented(shortened(notice.cause, _CAUSE)))
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
