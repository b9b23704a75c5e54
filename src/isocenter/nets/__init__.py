"""Networks, tensor to tensor; one network, one file. Listing them imports neither torch nor any of them."""

from __future__ import annotations

from isocenter.nets.catalogue import build, load, names, summary

__all__ = ["build", "load", "names", "summary"]
