"""Entry for `torch.hub`: `torch.hub.load("OWNER/REPOSITORY:COMMIT", "colorizer")`."""

dependencies = ["albumentations", "cv2", "numba", "numpy", "PIL", "pydantic", "safetensors", "torch"]


def colorizer(checkpoint=None, **options):
    """Load a `Colorizer`: a file, a run's folder or a released checkpoint; by default `default`."""
    from cyclecolor import load

    return load(checkpoint, **options)
