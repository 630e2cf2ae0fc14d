"""The page: photos in a browser, on this machine. Needs the extra `demo`, whose packages `serve` imports."""
