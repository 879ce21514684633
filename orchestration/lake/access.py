"""Address of a lakeFS server and the keys to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import SecretStr


@dataclass(frozen=True)
class LakeAccess:
    """A lakeFS server and the keys to it.

    Attributes:
        endpoint: Its URL, without a trailing `/`.
        access_key: The access key id.
        secret_key: The secret access key.
    """

    endpoint: str
    access_key: SecretStr
    secret_key: SecretStr

    @property
    def url(self) -> str:
        """Return the endpoint. Prefect's access has a property of the same name."""
        return self.endpoint
