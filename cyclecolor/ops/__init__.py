"""Operations: convolutions and norms that are quicker than PyTorch's own, and padding."""
