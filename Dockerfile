# cyclecolor for photos of this folder, and its page:
#
#   docker build -t cyclecolor .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/photos" cyclecolor translate scans --output colored
#   docker run --rm -p 127.0.0.1:7860:7860 cyclecolor demo --host 0.0.0.0
#
# Some 6 GB, as PyTorch brings what GPUs need; to use one, add `--gpus all`.
FROM python:3.12-slim
COPY . /source
RUN pip install --no-cache-dir '/source[demo,archive]' && rm -r /source
# What numba compiles at the first photo it keeps here; anybody may be the user.
ENV HOME=/tmp NUMBA_CACHE_DIR=/tmp/numba
RUN useradd --create-home --uid 1000 somebody
USER 1000
WORKDIR /photos
ENTRYPOINT ["cyclecolor"]
CMD ["--help"]
