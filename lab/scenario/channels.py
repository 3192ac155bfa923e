"""Channels: parts that take messages of `publish` steps and have them worked on behind the publisher's back."""

from __future__ import annotations

from lab.scenario.queue import Queue
from lab.scenario.stream import Stream

Channel = Queue | Stream
