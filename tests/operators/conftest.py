"""Makes the assertions of the shared suite explain themselves."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("operators.conformance")
