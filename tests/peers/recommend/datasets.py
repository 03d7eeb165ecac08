"""Copies MovieLens out of packages that carry it; nothing in them is run.

usage: datasets.py recbole WHEEL DIRECTORY      writes ml-100k.inter and ml-100k.item
       datasets.py dslabs DIRECTORY_OF_RDB DIRECTORY   writes ml-latest-small.csv
"""

import gzip
import sys
import warnings
import zipfile
import zlib
from pathlib import Path


def recbole(wheel, directory):
    with zipfile.ZipFile(wheel) as archive:
        for name in ("ml-100k.inter", "ml-100k.item"):
            data = archive.read(f"recbole/dataset_example/ml-100k/{name}")
            (Path(directory) / name).write_bytes(data)


def dslabs(source, directory):
    import rdata

    warnings.simplefilter("ignore")

    def read(data):
        return rdata.conversion.convert(rdata.parser.parse_data(data))

    source = Path(source)
    index = read(gzip.decompress((source / "Rdata.rdx").read_bytes()))
    offset, length = (int(number) for number in index["variables"]["movielens"])
    slot = (source / "Rdata.rdb").read_bytes()[offset : offset + length]
    # Four bytes of length, then a stream of zlib.
    table = read(zlib.decompress(slot[4:]))
    columns = ["userId", "movieId", "rating", "timestamp", "title", "year", "genres"]
    table[columns].to_csv(Path(directory) / "ml-latest-small.csv", index=False)


if __name__ == "__main__":
    {"recbole": recbole, "dslabs": dslabs}[sys.argv[1]](*sys.argv[2:])
