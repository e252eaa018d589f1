# An image with lading and nothing else. The project is mounted at /project; see docs/schedule.md.
FROM python:3.12-slim AS build
WORKDIR /source
COPY requirements requirements
RUN python -m venv /tools && /tools/bin/pip install --no-cache-dir --require-hashes -r requirements/dev.txt
COPY . .
RUN /tools/bin/python -m build --wheel --no-isolation --outdir /wheels
RUN python -m venv /opt/lading \
    && /opt/lading/bin/pip install --no-cache-dir --require-hashes -r requirements/runtime.txt \
    && /opt/lading/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.12-slim
COPY --from=build /opt/lading /opt/lading
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /project lading \
    && install -d -o lading -g lading /project
ENV PATH=/opt/lading/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /project
ENTRYPOINT ["lading"]
CMD ["--help"]
