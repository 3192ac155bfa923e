"""The formats that can be imported."""

from typing import Literal

Format = Literal["locust", "k6", "k6-json", "jtl", "har", "common", "haproxy", "otlp"]
