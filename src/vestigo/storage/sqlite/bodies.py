"""Spans and logs as rows: what repeats is stored once by content, the rest is compressed with a trained dictionary.

A body is a message, a list of tool definitions or a long text. An agent sends its whole history again with each call,
so a call's attribute holds the numbers of its messages only.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, TypeVar

import apsw
import msgspec

from vestigo.errors import StorageError
from vestigo.matching import message_text, tokens
from vestigo.record import Event, Link, NormalForm, Span, Value

try:
    from compression import zstd  # type: ignore[import-not-found]  # Python 3.14
except ImportError:
    from backports import zstd

K = TypeVar("K")
V = TypeVar("V")

LONG_TEXT: Final = 256  # characters; shorter texts cost less in the row than a body's own row does
_OPTIONS: Final[dict[int, int]] = {  # a checksum costs 4 bytes, and tells damage that would give another text
    int(zstd.CompressionParameter.compression_level): 3,
    int(zstd.CompressionParameter.checksum_flag): 1,
}
_DICTIONARY_BYTES: Final = 16_384
_TRAIN_AT: Final = (300, 20_000)  # samples: early, and once more when there is a good choice
_LIST: Final = 1  # msgpack extension types: a list of bodies, one body
_ONE: Final = 2

_encode = msgspec.msgpack.Encoder().encode
_decode_value = msgspec.msgpack.Decoder(ext_hook=lambda code, data: _Reference(code, bytes(data))).decode


class Recent(OrderedDict[K, V], Generic[K, V]):
    """The most recent entries of a lookup table, at most `limit`."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def remember(self, key: K, value: V) -> V:
        self[key] = value
        if len(self) > self._limit:
            self.popitem(last=False)
        return value


class _Reference:
    """Stands in a decoded record for bodies that are fetched afterwards."""

    __slots__ = ("code", "ids")

    def __init__(self, code: int, data: bytes) -> None:
        self.code = code
        self.ids: list[int] = unpack_ids(data)


class SpanRest(msgspec.Struct, array_like=True):
    """What a span row has no column for."""

    kind: str
    status_message: str
    attributes: dict[str, Any]
    events: list[Event]
    links: list[Link]
    trace_state: str
    normal: NormalForm | None


class Codec:
    """Compresses and decompresses with the dictionaries of one file. Belongs to one connection."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._dictionaries: dict[int, Any] = {}
        self._compressors: dict[str, Any] = {}
        self._samples: dict[str, list[bytes]] = {"body": [], "span": []}
        self._trained: dict[str, int] = {"body": 0, "span": 0}
        self.reload()

    def reload(self) -> None:
        """Read the dictionaries that the file has by now."""
        self._compressors.clear()
        self._trained = dict.fromkeys(self._trained, 0)
        for number, kind, content in self._db.execute("SELECT id, class, body FROM dictionary ORDER BY rowid"):
            self._use(number, kind, bytes(content))

    def _use(self, number: int, kind: str, content: bytes) -> None:
        dictionary = self._dictionaries.get(number) or zstd.ZstdDict(content)
        self._dictionaries[number] = dictionary
        self._compressors[kind] = zstd.ZstdCompressor(options=_OPTIONS, zstd_dict=dictionary)
        self._trained[kind] += 1

    def compress(self, kind: str, data: bytes) -> bytes:
        """Compress bytes of a kind (`body`, `span`), and keep them as a sample for its dictionary."""
        trained = self._trained[kind]
        if trained < len(_TRAIN_AT):
            samples = self._samples[kind]
            samples.append(data[:_DICTIONARY_BYTES])
            if len(samples) >= _TRAIN_AT[trained]:
                self._train(kind, samples[-2_000:])
        compressor = self._compressors.get(kind)
        if compressor is None:
            return zstd.compress(data, options=_OPTIONS)
        return compressor.compress(data, mode=compressor.FLUSH_FRAME)

    def _train(self, kind: str, samples: list[bytes]) -> None:
        """Make a dictionary in the running transaction; a file may get one more from another process, which is fine."""
        self._samples[kind] = []
        try:
            dictionary = zstd.train_dict(samples, _DICTIONARY_BYTES)
        except zstd.ZstdError:  # too little variety to learn from
            self._trained[kind] += 1
            return
        self._db.execute(
            "INSERT OR IGNORE INTO dictionary VALUES(?, ?, ?)", (dictionary.dict_id, kind, dictionary.dict_content)
        )
        self._use(dictionary.dict_id, kind, dictionary.dict_content)

    def decompress(self, data: bytes) -> bytes:
        """The bytes that `compress` got. Raises StorageError for damaged ones."""
        try:
            number = zstd.get_frame_info(data).dictionary_id
            if number == 0:
                return zstd.decompress(data)
            dictionary = self._dictionaries.get(number)
            if dictionary is None:
                self.reload()
                dictionary = self._dictionaries[number]
            return zstd.decompress(data, zstd_dict=dictionary)
        except (zstd.ZstdError, KeyError) as error:
            raise StorageError(f"a stored record is damaged: {error}; run `vestigo verify`") from None


class Bodies:
    """Message bodies of one file, for its writer."""

    def __init__(self, db: apsw.Connection, codec: Codec) -> None:
        self._db = db
        self._codec = codec
        self.known: Recent[bytes, tuple[int, bool]] = Recent(100_000)

    def id_of(self, value: Value, messages: dict[int, Value]) -> int:
        """The number of a body, stored if it is new.

        `messages` are the span's, by identity: the words of one that is among them are indexed, and it is taken out.
        """
        content = _encode(value)
        digest = hashlib.blake2b(content, digest_size=16).digest()
        message = messages.pop(id(value), None)
        known = self.known.get(digest)
        if known is not None and (message is None or known[1]):
            return known[0]
        number, indexed = known or self._stored(digest, content)
        if message is not None and not indexed:
            self._db.execute("INSERT INTO words(rowid, text) VALUES(?, ?)", (number, _index_text(message)))
            indexed = True
        self.known.remember(digest, (number, indexed))
        return number

    def _stored(self, digest: bytes, content: bytes) -> tuple[int, bool]:
        """The number of a body, stored now if it is new, and whether its words are indexed."""
        short = int.from_bytes(digest[:8], "big", signed=True)
        for number, stored in self._db.execute("SELECT id, content FROM body WHERE hash = ?", (short,)):
            if self._codec.decompress(stored) == content:
                return number, self._db.execute("SELECT 1 FROM words WHERE rowid = ?", (number,)).fetchone() is not None
        self._db.execute("INSERT INTO body(hash, content) VALUES(?, ?)", (short, self._codec.compress("body", content)))
        return self._db.last_insert_rowid(), False


def _index_text(message: Value) -> str:
    """Text for the word index: as it is where SQLite splits it as we do, else split beforehand."""
    text = message_text(message)
    return text if text.isascii() else " ".join(tokens(text))


def attributes_with_references(
    attributes: dict[str, Value], body_id: Callable[[Value, dict[int, Value]], int], messages: dict[int, Value]
) -> tuple[dict[str, Any], list[int]]:
    """Attributes whose long texts and lists of messages are replaced by references, and the bodies referred to."""
    kept: dict[str, Any] = {}
    used: list[int] = []
    for key, value in attributes.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            ids = [body_id(item, messages) for item in value]
            used += ids
            kept[key] = msgspec.msgpack.Ext(_LIST, pack_ids(ids))
        elif _is_long(value):
            number = body_id(value, messages)
            used.append(number)
            kept[key] = msgspec.msgpack.Ext(_ONE, pack_ids([number]))
        else:
            kept[key] = value
    return kept, used


def _is_long(value: Value) -> bool:
    if isinstance(value, str):
        return len(value) > LONG_TEXT
    return isinstance(value, dict | list) and len(_encode(value)) > LONG_TEXT


def encode_rest(span: Span, attributes: dict[str, Any]) -> bytes:
    """A span's part without columns, with its attributes as given."""
    rest = (span.kind, span.status_message, attributes, span.events, span.links, span.trace_state, span.normal)
    return _encode(rest)


def decode_rest(data: bytes) -> SpanRest:
    """What `encode_rest` encoded; attributes may hold references."""
    try:
        return msgspec.convert(_decode_value(data), SpanRest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise StorageError(f"a stored record is damaged: {error}; run `vestigo verify`") from None


def references(attributes: dict[str, Any]) -> Iterable[int]:
    """The bodies that decoded attributes refer to."""
    for value in attributes.values():
        if isinstance(value, _Reference):
            yield from value.ids


def resolve(attributes: dict[str, Any], bodies: dict[int, bytes]) -> None:
    """Put the bodies (encoded) in the place of their references. Each gets a copy of its own."""
    for key, value in attributes.items():
        if isinstance(value, _Reference):
            try:
                found = [msgspec.msgpack.decode(bodies[number]) for number in value.ids]
            except KeyError as missing:
                raise StorageError(f"message body {missing} is missing; run `vestigo verify`") from None
            attributes[key] = found if value.code == _LIST else found[0]


def pack_ids(ids: list[int]) -> bytes:
    """Numbers as differences in variable length: those of a history take one byte each."""
    out = bytearray()
    last = 0
    for number in ids:
        step = number - last
        step = step << 1 if step >= 0 else (-step << 1) - 1
        while step > 127:
            out.append(step & 127 | 128)
            step >>= 7
        out.append(step)
        last = number
    return bytes(out)


def unpack_ids(data: bytes) -> list[int]:
    """What `pack_ids` packed."""
    ids: list[int] = []
    last = step = shift = 0
    for byte in data:
        step |= (byte & 127) << shift
        if byte & 128:
            shift += 7
            continue
        last += step >> 1 if not step & 1 else -((step + 1) >> 1)
        ids.append(last)
        step = shift = 0
    return ids
