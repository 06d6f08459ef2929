"""What an operator can set about a worker: environment variables that begin with RATIONALE_."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class WorkerSettings(BaseSettings):
    """Settings of one worker process; only `workers/main.py` reads them."""

    model_config = SettingsConfigDict(env_prefix="RATIONALE_", frozen=True)

    redis_url: str = Field(
        "redis://127.0.0.1:6379/0", description="Address of the Redis that holds the queue."
    )
    namespace: str = Field("rationale", description="First word of every key; equal to that of the API.")
    models: Path | None = Field(None, description="Folder of models, each with a model.toml.")
    phantoms: bool = Field(
        True, description="Whether the phantom models that come with the package are served."
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps; auto takes a GPU if there is one.")
    threads: int = Field(0, ge=0, le=1024, description="CPU threads of one operation; 0 leaves it to torch.")
    max_batch: int = Field(32, ge=1, le=1024, description="Jobs that are computed together at most.")
    max_batch_bytes: int = Field(
        128 * 2**20, ge=1, description="Pixels of one batch at most; a larger image runs alone."
    )
    window: int = Field(0, ge=0, description="Jobs held at once; 0 means four batches.")
    chunk_rows: int = Field(
        0,
        ge=0,
        le=4096,
        description="Images that one pass through a network takes; 0 means 8 on a CPU, 32 elsewhere.",
    )
    model_bytes: int = Field(
        0, ge=0, description="Weights kept loaded; the least recently used go first. 0 means no limit."
    )
    lease_seconds: float = Field(6.0, ge=1.0, le=60.0, description="How long a silent worker keeps its jobs.")
    job_deadline_seconds: float = Field(
        600.0,
        gt=0.0,
        description="A batch that has the device longer is killed; methods that sample end at 80 % of it.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is worth a log line."
    )
    worker_id: str = Field(
        default_factory=lambda: f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
        pattern=r"^[A-Za-z0-9._-]{1,128}$",
        description="Name of this worker among all; never shared by two.",
    )

    @property
    def held_jobs(self) -> int:
        """Jobs that are claimed at once: a few batches, so that full ones can be formed."""
        return self.window or 4 * self.max_batch
