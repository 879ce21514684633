"""Copy a bucket to a folder or back, in a container beside the store: `python bucket.py save|load BUCKET FOLDER`.

What docs/operations.md does with rclone, which is not in the image.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import botocore.session
from botocore.config import Config


def main(direction: str, bucket: str, folder: str) -> None:
    """Copy all objects."""
    store = botocore.session.Session().create_client(
        "s3",
        endpoint_url="http://object-store:7070",
        region_name="us-east-1",
        aws_access_key_id=os.environ["STORE_ACCESS_KEY"],
        aws_secret_access_key=os.environ["STORE_SECRET_KEY"],
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
    count = 0
    if direction == "save":
        for page in store.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for found in page.get("Contents", ()):
                target = Path(folder, found["Key"])
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(store.get_object(Bucket=bucket, Key=found["Key"])["Body"].read())
                count += 1
    else:
        for file in sorted(Path(folder).rglob("*")):
            if file.is_file():
                store.put_object(Bucket=bucket, Key=str(file.relative_to(folder)), Body=file.read_bytes())
                count += 1
    print(count)


if __name__ == "__main__":
    main(*sys.argv[1:])
