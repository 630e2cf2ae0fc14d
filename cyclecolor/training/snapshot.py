"""What a forward pass changes besides gradients: so that a step can be left out without trace."""

from ..methods import Method


class Snapshot:
    """A method's buffers and pools as they are now."""

    def __init__(self, method: Method):
        self._buffers = [(b, b.clone()) for n in method.networks.values() for b in n.buffers()]
        self._pools = [(p, None if p.images is None else p.images.clone()) for p in method.pools.values()]

    def restore(self) -> None:
        """Put everything back."""
        for buffer, before in self._buffers:
            buffer.copy_(before)
        for pool, images in self._pools:
            now = pool.images
            if pool.full and now is not None and images is not None and len(now) == len(images):
                now.copy_(images)  # a recorded step looks for them where they are
            else:
                pool.images = images
