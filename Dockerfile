# The package with the CPU's jax, at the versions of constraints.txt.
#   docker build -t redo-dopamine .
#   docker run --rm -v "$PWD/runs:/runs" redo-dopamine train --base_dir=/runs/short \
#     --gin_files=demo.gin
# Runs are written by user 1000: '--user' takes another.
FROM python:3.11-slim AS build
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src
COPY . .
# An image has no OpenGL library, which OpenCV's other build would need.
RUN pip install --no-cache-dir -c constraints.txt '.[minatar,mujoco]' \
    && pip uninstall --yes opencv-python \
    && pip install --no-cache-dir -c constraints.txt --no-deps opencv-python-headless

FROM python:3.11-slim
RUN useradd --create-home --uid 1000 redo
COPY --from=build /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
USER 1000
WORKDIR /home/redo
ENTRYPOINT ["redo-dopamine"]
CMD ["--help"]
