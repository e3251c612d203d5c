"""Slices for tests."""

from typing import Any

from chalicelib.web.service import Service
from chalicelib.web.slice import Slice


def slice_of(service: Service, *paths: str, **more: Any) -> Slice:
    """A slice with this service on these paths."""
    return Slice(name=service.name, service=service, routes=(), paths=paths, no_events="toys are private", **more)
