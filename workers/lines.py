"""A straight line through recent measurements: least squares that forget."""

from __future__ import annotations

KEPT = 0.9  # of the weight of what is known when something is learned: about ten points count
ANCHOR = 0.02  # weight of the point at zero


class Line:
    """`y = fixed + each * x`, neither of them negative.

    Each point is learned with a light one at x = 0, so that points of one x alone make a line, too.
    """

    def __init__(self, *, each: float = 0.0) -> None:
        """`each` is what is believed until the first point."""
        self.points = 0
        self.fixed = 0.0
        self.each = each
        self._w = self._x = self._y = self._xx = self._xy = 0.0

    def learn(self, x: float, y: float, *, at_zero: float = 0.0) -> None:
        """Take in one point; `at_zero` is what y is believed to be where x is 0."""
        self.points += 1
        self._w = KEPT * self._w + 1 + ANCHOR
        self._x = KEPT * self._x + x
        self._y = KEPT * self._y + y + ANCHOR * at_zero
        self._xx = KEPT * self._xx + x * x
        self._xy = KEPT * self._xy + x * y
        self._solve()

    def at(self, x: float) -> float:
        """What the line says there."""
        return self.fixed + self.each * x

    def _solve(self) -> None:
        spread = self._w * self._xx - self._x * self._x
        self.each = (self._w * self._xy - self._x * self._y) / spread if spread > 0 else 0.0
        self.fixed = (self._y - self.each * self._x) / self._w
        if self.each < 0:
            self.fixed, self.each = self._y / self._w, 0.0
        elif self.fixed < 0:
            self.fixed, self.each = 0.0, self._xy / self._xx
