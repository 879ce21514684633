"""Where a lakeFS server is and whose keys are used there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import SecretStr


@dataclass(frozen=True)
class LakeAccess:
    """A lakeFS server and the keys to it.

    Attributes:
        endpoint: Its URL, without a `/` at the end.
        access_key: The access key id.
        secret_key: The secret access key.
    """

    endpoint: str
    access_key: SecretStr
    secret_key: SecretStr

    @property
    def url(self) -> str:
        """Return the endpoint, under the name that access to Prefect has too."""
        return self.endpoint
