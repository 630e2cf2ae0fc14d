"""What lies in folders of photos and is not to be translated."""

from pathlib import Path, PurePosixPath

# Where NAS, systems and viewers keep thumbnails and rubbish, in lower case. The hidden ones (.thumbnails,
# .Trash-1000) are not even looked into.
SERVICE_FOLDERS = {
    "@eadir", "@recycle", "@tmp", "#recycle", "#snapshot", "$recycle.bin", "__macosx", "lost+found",
    "system volume information", "thumbnails", "thumbs",
}  # fmt: skip
OURS = "colored by cyclecolor before"
COLORED = "Colors are inferred, not recorded"  # so begins what our outputs say of themselves
SEARCHED = 96 << 10  # bytes at an end of a file: more than EXIF, profile and our packet
BEHIND = (b"RIFF", b"II", b"MM")  # so begin files (WebP, TIFF) that may have them behind the picture


def service_folder(name: str) -> str | None:
    """The part of a relative name (POSIX) that is such a folder, if one is."""
    folders = PurePosixPath(name).parts[:-1]
    return next((folder for folder in folders if folder.lower() in SERVICE_FOLDERS), None)


def says_we_colored(path: Path) -> bool:
    """Whether a file carries the sentence of our outputs, looked for where we write it."""
    if not path.is_file():  # a pipe would wait for ever
        return False
    try:
        with path.open("rb") as file:
            ends = file.read(SEARCHED)
            if ends.startswith(BEHIND):
                file.seek(max(SEARCHED, file.seek(0, 2) - SEARCHED))
                ends += file.read()
    except OSError:
        return False
    return f"{COLORED}: cyclecolor ".encode() in ends
