"""A stream: its ``partition`` keeps records, its ``group`` deals partitions to those who read, each a ``consumer``."""
