"""Notify people of a failed run with one POST to a webhook: `ELT_NOTIFY_URL` or the Secret block `notify-url`.

The JSON body has the whole message in `text`, which chat services show. It has the parts in `subject`, `outcome`,
`cause` and `link`, and the `project`.
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
    """The content of a notification.

    Attributes:
        project: The project, since several may notify the same people.
        subject: The date, or `marts`, or `eda-report`.
        outcome: The name of the run's final state.
        cause: The message of that state.
        link: The URL of the flow run's page.
    """

    project: str
    subject: str
    outcome: str
    cause: str
    link: str

    @property
    def text(self) -> str:
        """Return the whole notice as text. A chat service reads no foreign part of it as a link or a mention."""
        return "\n".join(
            part
            for part in (f"{self.project} {_inert(self.subject)}: {self.outcome}", _inert(self.cause), self.link)
            if part
        )


def _inert(text: str) -> str:
    """Escape `<!channel>` and `<url|text>`, Markdown's links and images, and names that mention everyone."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _CALL.sub("@ ", escaped.replace("](", "] ("))


def send(url: str, notice: Notice) -> None:
    """Post a notice.

    Raises:
        PlatformFailed: The webhook did not accept it. The message leaves out its address, which may be a secret.
    """
    import httpx

    # The subject is a parameter of the flow run and was not validated.
    notice = replace(notice, subject=one_line(notice.subject), cause=indented(shortened(notice.cause, _CAUSE)))
    try:
        response = httpx.post(url, json={"text": notice.text, **asdict(notice)}, timeout=_TIMEOUT)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise PlatformFailed(
            f"the notification webhook does not answer: {type(error).__name__}", remedy="correct ELT_NOTIFY_URL"
        ) from None
    if not response.is_success:
        raise PlatformFailed(
            f"the notification webhook answered {response.status_code}", remedy="correct ELT_NOTIFY_URL"
        )
