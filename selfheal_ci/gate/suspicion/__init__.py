"""What is suspicious in a candidate: signs that its code has, and the code before it, here or on green, has not."""

from __future__ import annotations

from selfheal_ci.gate.suspicion.search import Scene, Suspicion, suspicions
from selfheal_ci.gate.suspicion.signs import TABLE, Row, Sign

__all__ = ["TABLE", "Row", "Scene", "Sign", "Suspicion", "suspicions"]
