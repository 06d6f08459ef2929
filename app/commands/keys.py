"""`rationale keys`: who may use the service, and as which tenant."""

from __future__ import annotations
