"""Settings from environment variables. A git-ignored `.env` in the project folder has lower precedence.

`read_settings` reads them at call time and they are passed on. Nothing reads the environment at import. `.env.example`
lists every variable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from platformdirs import user_cache_path
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from orchestration.errors import UsageError
from orchestration.log import Log
from orchestration.private import readable_by_others
from orchestration.project import dashed, project_name
from orchestration.project_version import require_supported
from orchestration.source_names import source_names

PROJECT_DIR = Path(__file__).resolve().parents[1]
"""The folder of this package: in a checkout also that of the sample project."""

PROJECT_FILE = "dbt_project.yml"

EngineName = Literal["duckdb", "spark"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
"""The engines of dbt builds."""

_COMMON = SettingsConfigDict(extra="ignore", env_ignore_empty=True, frozen=True)


class LakeSettings(BaseSettings):
    """Address and keys of lakeFS. Without an endpoint, the local server of `elt up` is used."""

    model_config = SettingsConfigDict(**_COMMON, env_prefix="LAKEFS_")

    endpoint: str | None = Field(None, pattern=r"^https?://[^/\s@?#]+/?$")
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None


class PrefectSettings(BaseSettings):
    """Address and login of the Prefect API. Without an address, the local server of `elt up` is used."""

    model_config = SettingsConfigDict(**_COMMON, env_prefix="PREFECT_")

    api_url: str | None = Field(None, pattern=r"^https?://[^\s@?#]+$")
    api_auth_string: SecretStr | None = None


class SparkSettings(BaseSettings):
    """Address of a Spark cluster, for ELT_ENGINE=spark. Without one, Spark runs on this machine."""

    model_config = SettingsConfigDict(**_COMMON, env_prefix="SPARK_")

    master_url: str | None = Field(None, pattern=r"^(local(\[([1-9][0-9]*|\*)\])?|spark://[^\s/:@?#]+(:[0-9]+)?)$")


class SourceSettings(BaseSettings):
    """The API of one source: `<SOURCE>_API_URL`, and the secrets that `fetch.auth` of its tables needs."""

    model_config = _COMMON

    url: str | None = Field(None, pattern=r"^https?://[^\s@?#]+$", description="No user, password or query in it.")
    token: SecretStr | None = None
    user: SecretStr | None = None
    password: SecretStr | None = None
    client_id: SecretStr | None = None
    client_secret: SecretStr | None = None

    @property
    def secrets(self) -> dict[str, SecretStr]:
        """Return the secrets that are set, by the names of their fields."""
        return {name: value for name, value in self if isinstance(value, SecretStr) and value}


class EltSettings(BaseSettings):
    """Settings of this project itself: `ELT_…`."""

    model_config = SettingsConfigDict(**_COMMON, env_prefix="ELT_")

    state_dir: Path = Field(Path(".elt"), description="Local servers' data, logs and pid files; work directories.")
    repository: str | None = Field(
        None, pattern=r"^[a-z0-9][a-z0-9-]{2,62}$", description="Default: the project's name, with - for _."
    )
    bucket: str = Field("lakefs", description="The storage bucket of the repository.")
    lake_timeout: float = Field(60.0, gt=0, description="Seconds without a byte from lakeFS.")
    source_timeout: float = Field(60.0, gt=0, description="Seconds without a byte from the source.")
    fetch_timeout: float = Field(
        3600.0, gt=0, description="Seconds for one table and date of the source, waits included."
    )
    page_timeout: float = Field(900.0, gt=0, description="Seconds for one try to fetch one page.")
    run_timeout: float = Field(21_600.0, gt=0, le=2_592_000, description="Seconds for one whole run.")
    retries: int = Field(3, ge=0, description="Retries per page of the source.")
    retry_wait: float = Field(30.0, ge=0, description="Seconds before each retry of a page.")
    retry_after_limit: float = Field(600.0, ge=0, description="The longest Retry-After that is honoured, in seconds.")
    engine: EngineName = Field("duckdb", description="The engine of dbt builds: duckdb or spark.")
    spark_memory: str = Field("2g", description="Memory of Spark's driver and of each executor.")
    duckdb_memory: str = Field("2GB", description="DuckDB's memory limit; beyond it, it spills to the state folder.")
    duckdb_threads: int = Field(2, ge=1, description="DuckDB's threads; the bytes written do not depend on them.")
    catch_up_days: int = Field(7, ge=0, le=366, description="Earlier days whose missed dates the nightly run starts.")
    report_dates: int = Field(366, ge=1, description="The EDA report profiles the rows of so many of the latest dates.")
    dbt_task_runs: bool = Field(False, description="Show each dbt node of a daily run as a Prefect task run.")
    notify_url: SecretStr | None = Field(
        None, description="The webhook to notify of failed, crashed and cancelled runs."
    )
    code_version: str = Field("", description="The git commit, for the container image, which has no git repository.")
    max_pages: int = Field(10_000, ge=1, le=99_999, description="Pages of one table and date.")
    max_page_bytes: int = Field(5_000_000_000, ge=1, description="Bytes of one page.")
    max_date_bytes: int = Field(20_000_000_000, ge=1, description="Bytes of all pages of one date.")


@dataclass(frozen=True)
class Settings:
    """All settings of one call.

    Attributes:
        project_dir: The folder of dbt_project.yml.
        cache_dir: The user's folder for what is built once, such as the lakeFS server.
        elt: Settings of this project itself.
        lake: The settings of lakeFS, which may be empty.
        prefect: The settings of the Prefect API, which may be empty.
        spark: The settings of a Spark cluster, which may be empty.
        sources: The configured APIs, by the dbt source's name.
    """

    project_dir: Path
    cache_dir: Path
    elt: EltSettings
    lake: LakeSettings
    prefect: PrefectSettings
    spark: SparkSettings = field(default_factory=SparkSettings)
    sources: Mapping[str, SourceSettings] = field(default_factory=dict)

    @property
    def state_dir(self) -> Path:
        """Return the absolute folder of local servers' data, logs and pid files, and of the work directories."""
        return self.project_dir / self.elt.state_dir

    @property
    def project(self) -> str:
        """Return the name of the project.

        Raises:
            UsageError: dbt_project.yml does not have it.
        """
        return project_name(self.project_dir)

    @property
    def repository(self) -> str:
        """Return the name of the lakeFS repository.

        Raises:
            UsageError: No name is set, and dbt_project.yml does not have the project's.
        """
        return self.elt.repository or dashed(self.project)

    def with_elt(self, **values: Any) -> Settings:
        """Return these settings with other values of `elt`; None leaves a value as it is."""
        given = {name: value for name, value in values.items() if value is not None}
        return replace(self, elt=self.elt.model_copy(update=given))


S = TypeVar("S", bound=BaseSettings)

_SECRET = re.compile(r"(KEY|TOKEN|AUTH_STRING|NOTIFY_URL|PASSWORD|SECRET)$")


def _read(kind: type[S], prefix: str, project_dir: Path) -> S:
    try:
        return kind(_env_prefix=prefix, _env_file=project_dir / ".env")
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        setting = "_".join(str(part) for part in first["loc"])
        name = f"{prefix}{setting}".upper()
        # A URL may contain a password or a key anywhere, even if it cannot be parsed.
        shown = "" if _may_hold_a_secret(kind, setting) else f"={first['input']!r}"
        raise UsageError(
            f"{name}{shown}: {first['msg']}",
            remedy=f"correct {name} in the environment or in .env (see .env.example)",
        ) from None


def _may_hold_a_secret(kind: type[BaseSettings], setting: str) -> bool:
    field = kind.model_fields.get(setting)
    return field is None or setting.endswith(("url", "endpoint")) or "SecretStr" in str(field.annotation)


def _require_text(env: Path) -> None:
    try:
        if env.is_file():
            env.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{env} cannot be read: {error}", remedy="save it as text in UTF-8") from error


def find_project() -> Path:
    """Return the project's folder.

    It is ELT_PROJECT_DIR; else the working folder or the nearest folder above it that has a dbt_project.yml, as dbt
    looks for it; else the checkout that this package runs from.

    Raises:
        UsageError: No folder is a project.
    """
    if named := os.environ.get("ELT_PROJECT_DIR"):
        if not Path(named).is_dir():
            raise UsageError(f"ELT_PROJECT_DIR={named} is not a folder", remedy="set it to the project's folder")
        return Path(named).resolve()
    try:
        here = Path.cwd()
    except FileNotFoundError as error:
        raise UsageError("the working folder was deleted", remedy="change to the project's folder") from error
    for folder in (here, *here.parents, PROJECT_DIR):
        if (folder / PROJECT_FILE).is_file():
            return folder.resolve()
    raise UsageError(
        f"{here} is not in a project: neither it nor a folder above it has a {PROJECT_FILE}",
        remedy="change to the project's folder, name it in ELT_PROJECT_DIR, or begin one: elt new DIR",
    )


def read_settings(project_dir: Path | None = None) -> Settings:
    """Return the current settings of a project, without an argument of `find_project`, from the environment and `.env`.

    Raises:
        UsageError: There is no project, it is of a newer version, or a value is not valid for its setting; then the
            message names the variable.
    """
    project_dir = project_dir or find_project()
    require_supported(project_dir)
    _require_text(project_dir / ".env")
    return Settings(
        project_dir=project_dir,
        cache_dir=user_cache_path("ingest-clean"),
        elt=_read(EltSettings, "ELT_", project_dir),
        lake=_read(LakeSettings, "LAKEFS_", project_dir),
        prefect=_read(PrefectSettings, "PREFECT_", project_dir),
        spark=_read(SparkSettings, "SPARK_", project_dir),
        sources=_sources(project_dir),
    )


def warn_of_readable_secrets(settings: Settings, log: Log) -> None:
    """Report a `.env` that contains a secret and that other users may read."""
    env_file = settings.project_dir / ".env"
    if secrets := readable_secrets(env_file):
        log.warning(f"{env_file} contains {', '.join(secrets)}, and other users can read it: chmod 600 {env_file}")


def readable_secrets(env_file: Path) -> list[str]:
    """Return the names of the secrets in a `.env` that other users may read."""
    from dotenv import dotenv_values

    if not readable_by_others(env_file):
        return []
    return sorted(name for name, value in dotenv_values(env_file).items() if value and _SECRET.search(name))


def origins_of(variable: str, project_dir: Path) -> tuple[str, ...]:
    """Return where a variable has a value: in the environment, in `.env` or in both. The first takes precedence."""
    from dotenv import dotenv_values

    places: dict[str, Mapping[str, str | None]] = {
        "the environment": os.environ,
        ".env": dotenv_values(project_dir / ".env"),
    }
    # Settings are read without regard to case.
    return tuple(
        place
        for place, values in places.items()
        if any(value and name.upper() == variable for name, value in values.items())
    )


def _sources(project_dir: Path) -> dict[str, SourceSettings]:
    """Return the settings of the dbt sources. Any other variable that ends in `_API_URL` is ignored."""
    found = {name: source_settings(name, project_dir) for name in source_names(project_dir)}
    return {name: source for name, source in found.items() if source.url}


def source_settings(name: str, project_dir: Path) -> SourceSettings:
    """Return the settings of a source, which need not be declared yet.

    Raises:
        UsageError: A value is not valid for its setting; the message names the variable.
    """
    return _read(SourceSettings, f"{name.upper()}_API_", project_dir)
