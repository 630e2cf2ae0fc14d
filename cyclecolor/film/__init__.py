"""Film: how emulsions, age and scanners turn color into gray, as pure torch functions, and some by name."""

from .films import BOXES, EVER_NEW, FILMS, Film, film_of, render
from .physics import Noise, blur, damaged, grain, slow_field, tone, transmitted

__all__ = [
    "BOXES",
    "EVER_NEW",
    "FILMS",
    "Film",
    "Noise",
    "blur",
    "damaged",
    "film_of",
    "grain",
    "render",
    "slow_field",
    "tone",
    "transmitted",
]
