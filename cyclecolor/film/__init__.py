"""Film: how emulsions, age and scanners turn colour into gray, as pure torch functions, and some by name."""

from .films import FILMS, Film, film_named, render
from .physics import blur, grain, slow_field, tone, transmitted

__all__ = ["FILMS", "Film", "blur", "film_named", "grain", "render", "slow_field", "tone", "transmitted"]
