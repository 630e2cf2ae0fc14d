"""Data: piles of photographs or generated scenes, augmentation, resumable data sets."""

from .augment import Augment
from .datasets import UNREADABLE, PairedDataset, UnpairedDataset, batches
from .open import SCENES, open_dataset, open_piles
from .piles import FolderPile, Pile, ScenePile
from .scenes import render_scene

__all__ = [
    "SCENES",
    "UNREADABLE",
    "Augment",
    "FolderPile",
    "PairedDataset",
    "Pile",
    "ScenePile",
    "UnpairedDataset",
    "batches",
    "open_dataset",
    "open_piles",
    "render_scene",
]
