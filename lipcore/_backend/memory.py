"""What the host's allocator does with memory that was given back."""

from __future__ import annotations

import functools

import numpy as np

# The largest block that moves glibc's limits, less what the allocator keeps beside it.
_LARGEST = (32 << 20) - (64 << 10)


@functools.cache
def keep_freed_memory() -> None:
    """Let the C library keep up to 64 MiB that was freed, for a loop over arrays of some megabytes.

    glibc returns larger blocks to the system, and every page of the next array is a fault again: half of the time of
    such a loop. Its limits grow with the largest block (up to 32 MiB) that the process has freed, so freeing one that
    was never touched is enough. Other allocators are not impressed.
    """
    np.empty(_LARGEST, dtype=np.uint8)
