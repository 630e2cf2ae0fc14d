"""TIFF read as its files declare it, not as a decoder guesses, and written."""

from .directory import MAX_PAGES, Directory, Tag, TooManyPages, directories
from .page import Page, read_page

__all__ = ["MAX_PAGES", "Directory", "Page", "Tag", "TooManyPages", "directories", "read_page"]
