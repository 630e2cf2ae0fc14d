"""RGB itself as a space of networks that see and make whole images, lightness included."""

from torch import Tensor

from .lab import rgb_to_lab
from .srgb import linear_to_srgb
from .xyz import lightness_to_y, rgb_to_lightness


class RGBSpace:
    """What a `ColorSpace` is to networks of chroma, to networks of whole images.

    Networks see and make images (N, 3, H, W) in [-1, 1], where black is -1 and white 1; gray ones too. No
    lightness passes by construction.
    """

    name = "rgb"

    def color(self, rgb: Tensor) -> Tensor:
        """SRGB (N, 3, H, W) in [0, 1] as `G_gray` sees it."""
        return 2 * rgb - 1

    def gray(self, rgb: Tensor) -> Tensor:
        """SRGB (N, 3, H, W) in [0, 1] as `G_color` sees it: the gray image of equal lightness."""
        return self.neutral(self.lightness(rgb))

    def lightness(self, rgb: Tensor) -> Tensor:
        """SRGB (N, 3, H, W) in [0, 1] to scaled lightness (N, 1, H, W)."""
        return rgb_to_lightness(rgb) / 50 - 1

    def neutral(self, lightness: Tensor) -> Tensor:
        """The gray image (N, 3, H, W) of a scaled lightness (N, 1, H, W)."""
        level = linear_to_srgb(lightness_to_y((lightness + 1) * 50))
        return (2 * level - 1).clamp(-1, 1).expand(-1, 3, -1, -1)

    def rgb(self, image: Tensor) -> Tensor:
        """What a network made (N, 3, H, W) as sRGB in [0, 1]."""
        return ((image.float() + 1) / 2).clamp(0, 1)

    def target(self, color: Tensor) -> Tensor:
        """What `G_color` should make, of a photo as `G_gray` sees it: all of it."""
        return color

    def units(self, made: Tensor) -> Tensor:
        """What `G_color` made (N, 3, H, W) as chroma (N, 2, H, W) in units of Lab."""
        return rgb_to_lab(self.rgb(made))[:, 1:]

    def saved(self, gray: Tensor) -> Tensor:
        """What `G_gray` made, as it comes back from an image of 8 bits."""
        return ((gray + 1) * 127.5).round() / 127.5 - 1

    def quantize(self, rgb: Tensor, lightness: Tensor, levels: int) -> Tensor:
        """Round sRGB in [0, 1] to whole numbers in [0, levels]; there is no lightness to keep."""
        return (rgb * levels).round()


RGB = RGBSpace()
