"""A cluster on paper, and what a core needs for a page of a listing."""

import time


def page(keys: int = 1000, turns: int = 20) -> dict:
    """Processor time of botocore for an answer, without the way to it."""
    import botocore.parsers
    import botocore.session

    operation = botocore.session.get_session().get_service_model("s3").operation_model("ListObjectsV2")
    parser = botocore.parsers.create_parser("rest-xml")
    rows = "".join(
        f"<Contents><Key>box-{i // 1000:05}/scan-{i:08}.jpg</Key><LastModified>2026-11-29T12:00:00.000Z"
        f"</LastModified><ETag>&quot;{i:032x}&quot;</ETag><Size>1048576</Size></Contents>"
        for i in range(keys)
    )
    body = f"<ListBucketResult>{rows}</ListBucketResult>".encode()
    times = []
    for _ in range(turns):
        begun = time.process_time()
        found = parser.parse({"status_code": 200, "headers": {}, "body": body}, operation.output_shape)
        times.append(time.process_time() - begun)
        assert len(found["Contents"]) == keys
    return {"keys": keys, "CPU ms": round(1000 * sorted(times)[turns // 2], 1)}


def model(
    files: int,
    machines: int,
    cores: int,
    seconds: float,
    before: float,
    after: float,
    answer: tuple,
    lists: int,
) -> dict:
    """Hours of a cluster: what all cores do side by side, and what one driver does alone.

    Parameters
    ----------
    seconds : float
        Of a core, for a photo.
    before, after : float
        Microseconds of the driver for a file, as `driver` measures them.
    answer : tuple of float
        Seconds for a request that lists 1,000 keys: until the store answers, and of a core to read that.
    lists : int
        Such requests at a time: folders that are listed side by side. Their answers are read one by one.
    """
    listing = files / 1000 * max(sum(answer) / lists, answer[1])
    coloring, records = files * seconds / (machines * cores), files * after / 1e6
    parts = {
        "listing inputs": listing,
        "naming": files * before / 1e6,
        "coloring": coloring,
        "records, side by side with coloring": records,
        "listing outputs": listing,
    }
    total = listing * 2 + files * before / 1e6 + max(coloring, records)
    most = {"files/s of the cores": machines * cores / seconds, "files/s of the driver": 1e6 / after}
    hours = {name: round(value / 3600, 2) for name, value in parts.items()}
    return hours | {"hours in all": round(total / 3600, 2)} | {k: round(v) for k, v in most.items()}
