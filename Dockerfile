# The zoo in a container, for CPUs and NVIDIA GPUs, without root and without a compiler.
#
#   docker build -t bdd100k-models .                                            any GPU that torch knows, and CPUs
#   docker build -t bdd100k-models:cpu --build-arg TORCH_INDEX=URL .            smaller: CPUs only
#
# URL is the package index of torch's CPU build, which the "Get Started" page of pytorch.org shows.
#
#   docker run --rm --shm-size 2g -v $PWD:/work bdd100k-models demo --out /work/demo
#   docker run --rm --gpus all --shm-size 8g -v DATA:/data/bdd100k -v $PWD:/work bdd100k-models \
#       test det NAME --checkpoint /work/NAME.pth --format-dir /work/out
#
# Processes that load pictures hand them over in shared memory, of which a container has 64 MiB unless
# --shm-size says more: 1g for each loader process of a large picture is plenty. Without it: --workers 0.

ARG PYTHON=3.13

FROM python:${PYTHON}-slim AS build
ARG TORCH_INDEX=
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
COPY . /source
WORKDIR /source
RUN python tools/setup_environment.py --venv /opt/zoo --no-tools \
    ${TORCH_INDEX:+--torch-index "$TORCH_INDEX"}

FROM python:${PYTHON}-slim
COPY --from=build /opt/zoo /opt/zoo
RUN useradd --create-home --uid 1000 zoo && mkdir -p /work /data/bdd100k && chown zoo /work
ENV PATH=/opt/zoo/bin:$PATH PYTHONUNBUFFERED=1 BDD100K_DATA_ROOT=/data/bdd100k
USER zoo
WORKDIR /work
ENTRYPOINT ["bdd100k-models"]
CMD ["--help"]
