"""What can be set on the API process; each value has its limits and a sentence."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1024 * 1024


class ApiSettings(BaseSettings):
    """Read once, by `app/main.py` or the command line, from arguments and `RATIONALE_...` variables."""

    model_config = SettingsConfigDict(env_prefix="RATIONALE_", frozen=True, extra="ignore")

    redis_url: str | None = Field(None, description="Redis, such as redis://host:6379/0 or unix:///path.")
    redis_seconds: float = Field(
        1.2, gt=0, le=60, description="How long Redis may take for an answer before requests end with 503."
    )
    namespace: str = Field(
        "rationale", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Hash tag of every key in Redis."
    )
    data_dir: Path = Field(
        Path.home() / ".local" / "share" / "rationale", description="Where the server's secret is kept."
    )
    host: str = Field("127.0.0.1", description="Address to listen on; without keys only loopback.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    keys_file: Path | None = Field(None, description="JSON file of API keys; absent: loopback only.")
    secret: SecretStr | None = Field(
        None, min_length=32, description="Secret behind every id; equal on all API processes of one Redis."
    )
    public_metrics: bool = Field(False, description="Whether /metrics answers without a key.")

    max_upload_bytes: int = Field(20 * MIB, ge=1024, le=1024 * MIB, description="Largest image file.")
    max_pixels: int = Field(25_000_000, ge=1, le=1_000_000_000, description="Largest decoded image.")
    decode_seconds: float = Field(0.8, gt=0, le=60, description="How long reading one image may take.")
    decoder_processes: int = Field(2, ge=1, le=64, description="Child processes that read images.")
    body_seconds: float = Field(60.0, gt=0, le=3600, description="How long a client may take to send a body.")

    max_set_images: int = Field(1000, ge=1, le=10_000, description="Images of one image set at most.")
    max_set_bytes: int = Field(
        256 * MIB,
        ge=1024,
        le=16 * 1024 * MIB,
        description="Largest body of an image set, and largest content of its archive.",
    )
    max_set_pixel_bytes: int = Field(
        1024 * MIB, ge=1024, description="Largest image set with its masks, decoded."
    )
    set_seconds: float = Field(
        300.0, gt=0, le=3600, description="How long an image set may take to arrive, and to be decoded."
    )

    max_evaluation_cells: int = Field(
        50_000, ge=1, le=1_000_000, description="Explanations of one evaluation at most."
    )
    evaluation_in_flight: int = Field(
        16, ge=1, le=256, description="Explanations of an evaluation that are queued at a time."
    )

    max_survey_images: int = Field(
        2000, ge=1, le=100_000, description="Pictures that one survey of an analysis may look at."
    )
    max_survey_bytes: int = Field(
        256 * MIB, ge=1024, description="Their pixels together: they are in a worker's memory at once."
    )
    max_repairs: int = Field(100, ge=1, le=10_000, description="Repaired models of one tenant at most.")

    queue_capacity: int = Field(1000, ge=1, description="Unfinished jobs of one model that are accepted.")
    tenant_capacity: int = Field(500, ge=1, description="Unfinished jobs of one tenant that are accepted.")
    queue_seconds: float = Field(
        3600.0, gt=0, description="Predicted wait beyond which a model accepts no more jobs."
    )
    tenant_seconds: float = Field(
        7200.0, gt=0, description="Predicted device time of one tenant's unfinished jobs of a lane."
    )
    max_wait_seconds: float = Field(60.0, ge=0, le=600, description="Longest `Prefer: wait` that is kept.")
    heartbeat_seconds: float = Field(
        15.0, gt=0, le=300, description="Silence before an event stream says so."
    )

    sanity_checks: bool = Field(
        True, description="Whether cheap methods are checked on noise, once for each model, in the bulk lane."
    )

    webhook_seconds: float = Field(
        10.0, gt=0, le=60, description="How long a call to a webhook may take, from name to answer."
    )
    webhook_private_addresses: bool = Field(
        False, description="Whether webhooks may go to private and loopback addresses."
    )
    webhook_ca_file: Path | None = Field(
        None, description="PEM file of the authorities to trust with webhooks, instead of the public ones."
    )

    picture_cache_bytes: int = Field(64 * MIB, ge=0, description="Memory for pictures that were drawn.")
    picture_max_age_seconds: int = Field(3600, ge=0, description="How long a client may keep a picture.")
