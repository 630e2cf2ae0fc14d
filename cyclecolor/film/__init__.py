"""Film: how emulsions, age and scanners turn color into gray, as pure torch functions, and some by name."""

from .films import FILMS, Film, film_named, render
from .physics import Noise, blur, damaged, grain, slow_field, tone, transmitted

__all__ = [
    "FILMS",
    "Film",
    "Noise",
    "blur",
    "damaged",
    "film_named",
    "grain",
    "render",
    "slow_field",
    "tone",
    "transmitted",
]
