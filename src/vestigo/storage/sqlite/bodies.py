"""Spans and logs as rows: what repeats is stored once by content, the rest is compressed with a trained dictionary.

A body is a message, a list of tool definitions or a long text. An agent sends its whole history again with each call,
so a call's attribute holds the numbers of its messages only; where the history is JSON text, as OpenTelemetry sends it,
its items are bodies and the text is put together again byte for byte.
"""

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import apsw
import msgspec
from msgspec import Struct

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
LIST: Final = 1
"""msgpack extension types: a list of bodies, one body, and JSON arrays as text with two ways of writing commas."""
ONE: Final = 2
_JOINED: Final = {3: b",", 4: b", "}

_encode = msgspec.msgpack.Encoder().encode
_decode_value = msgspec.msgpack.Decoder(ext_hook=lambda code, data: _Reference(code, bytes(data))).decode


class Recent(dict[K, V], Generic[K, V]):
    """The most recent entries of a lookup table, at most `limit`; the oldest quarter goes at a time."""

    __slots__ = ("_limit",)

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def remember(self, key: K, value: V) -> V:
        self[key] = value
        if len(self) > self._limit:
            for old in list(islice(self, self._limit // 4 + 1)):
                del self[old]
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
        self.settled: tuple[int, bytes] = (0, b"")
        """Number and content of the dictionary for bodies, once it will not be trained again."""
        self.reload()

    def reload(self) -> None:
        """Read the dictionaries that the file has by now."""
        self._compressors.clear()
        self.settled = (0, b"")
        self._trained = dict.fromkeys(self._trained, 0)
        for number, kind, content in self._db.execute("SELECT id, class, body FROM dictionary ORDER BY rowid"):
            self._use(number, kind, bytes(content))

    def _use(self, number: int, kind: str, content: bytes) -> None:
        dictionary = self._dictionaries.get(number) or zstd.ZstdDict(content)
        self._dictionaries[number] = dictionary
        self._compressors[kind] = zstd.ZstdCompressor(options=_OPTIONS, zstd_dict=dictionary)
        self._trained[kind] += 1
        if kind == "body" and self._trained[kind] >= len(_TRAIN_AT):
            self.settled = (number, content)

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


def compressor_of(dictionary: bytes) -> Any:
    """A compressor as `Codec` uses it."""
    return zstd.ZstdCompressor(options=_OPTIONS, zstd_dict=zstd.ZstdDict(dictionary))


class Bodies:
    """Message bodies of one file, for its writer: numbers at once, rows when `flush` is called."""

    def __init__(self, db: apsw.Connection, codec: Codec) -> None:
        self._db: Any = db  # rows are tuples of whatever the columns hold
        self._codec = codec
        self._known: Recent[bytes, int] = Recent(100_000)  # digest -> twice the number, plus 1 if its words are indexed
        self._next = 0
        self._rows: list[tuple[int, int, bytes]] = []
        self._words: list[tuple[int, str]] = []

    def begin(self) -> None:
        """Read which numbers are free; nobody else takes one until the transaction ends."""
        (self._next,) = self._db.execute("SELECT ifnull(max(id), 0) + 1 FROM body").fetchone() or (1,)

    def forget(self) -> None:
        """Drop what is known and what is not written yet."""
        self._known.clear()
        self._rows.clear()
        self._words.clear()

    def flush(self) -> None:
        """Write the rows of the numbers that were given since."""
        if self._rows:
            self._db.executemany("INSERT INTO body(id, hash, content) VALUES(?, ?, ?)", self._rows)
            self._rows.clear()
        if self._words:
            self._db.executemany("INSERT INTO words(rowid, text) VALUES(?, ?)", self._words)
            self._words.clear()

    def of_value(self, value: Value, *, words: bool) -> int:
        """The number of a value, such as a message; with `words` it is a message whose text is to be found."""
        content = _encode(value)
        digest = digest_of(content)
        known = self._known.get(digest, 0)
        if known and (known & 1 or not words):
            return known >> 1
        return self._settle(digest, known, lambda: content, (lambda: index_text(value)) if words else None)

    def of_json(self, item: bytes, *, words: bool) -> int:
        """The number of one item of a JSON array, kept as the text that it is."""
        digest = digest_of(item)
        known = self._known.get(digest, 0)
        if known and (known & 1 or not words):
            return known >> 1
        text = (lambda: item_text(item)) if words else None
        return self._settle(digest, known, lambda: _encode(item.decode()), text)

    def of_draft(
        self, digests: bytes, dictionary: int, fresh: Callable[[], dict[int, tuple[str, bytes]]]
    ) -> list[int] | None:
        """The numbers of drafted messages, whose words are found; None where the file has changed since.

        `fresh` gives words and compressed content of the items that the drafter had not seen, by place.
        """
        known = self._known
        numbers: list[int] = []
        told: dict[int, tuple[str, bytes]] | None = None
        for at in range(0, len(digests), 16):
            digest = digests[at : at + 16]
            found = known.get(digest, 0)
            if not found & 1:
                told = fresh() if told is None else told
                one = told.get(at // 16)
                if one is None or dictionary != self._codec.settled[0]:
                    return None
                found = self._settle_draft(digest, found >> 1, *one)
            numbers.append(found >> 1)
        return numbers

    def _settle_draft(self, digest: bytes, number: int, words: str, content: bytes) -> int:
        indexed = False
        if not number:
            short = _short(digest)
            for known, stored in self._db.execute("SELECT id, content FROM body WHERE hash = ?", (short,)):
                if stored and self._codec.decompress(stored) == self._codec.decompress(content):
                    number = known
                    indexed = self._is_indexed(known)
            if not number:
                number = self._next
                self._next = number + 1
                self._rows.append((number, short, content))
        if not indexed:
            self._words.append((number, words))
        return self._known.remember(digest, number << 1 | 1)

    def _is_indexed(self, number: int) -> bool:
        return self._db.execute("SELECT 1 FROM words WHERE rowid = ?", (number,)).fetchone() is not None

    def of_words(self, text: str) -> int:
        """The number of a body without content, which only makes the words of a text found."""
        digest = _digest(text.encode("utf-8", "replace"), key=b"words").digest()
        known = self._known.get(digest, 0)
        return known >> 1 if known else self._settle(digest, 0, lambda: b"", lambda: text)

    def _settle(self, digest: bytes, known: int, content: Callable[[], bytes], text: Callable[[], str] | None) -> int:
        number = known >> 1
        indexed = False
        if not number:
            number, indexed = self._stored(digest, content())
        if text is not None and not indexed:
            self._words.append((number, text()))
            indexed = True
        self._known.remember(digest, number << 1 | indexed)
        return number

    def _stored(self, digest: bytes, content: bytes) -> tuple[int, bool]:
        """The number of a body, given now if it is new, and whether its words are indexed."""
        short = _short(digest)
        for number, stored in self._db.execute("SELECT id, content FROM body WHERE hash = ?", (short,)):
            if (self._codec.decompress(stored) if stored else b"") == content:
                return number, self._is_indexed(number)
        number = self._next
        self._next = number + 1
        self._rows.append((number, short, self._codec.compress("body", content) if content else b""))
        return number, False


_digest = partial(hashlib.blake2b, digest_size=16)


def digest_of(content: bytes) -> bytes:
    """What a body is known by: 16 bytes."""
    return _digest(content).digest()


def _short(digest: bytes) -> int:
    """What a body is looked up by."""
    return int.from_bytes(digest[:8], "big", signed=True)


def index_text(message: Value) -> str:
    """Text for the word index: as it is where SQLite splits it as we do, else split beforehand."""
    text = _plain_text(message)
    if text is None:
        text = message_text(message)
    return text if text.isascii() else " ".join(tokens(text))


def item_text(item: bytes) -> str:
    """`index_text` of an item of a JSON array; of one that cannot be read, such as with 1e999, it is as it stands."""
    try:
        return index_text(msgspec.json.decode(item))
    except (msgspec.MsgspecError, RecursionError):
        return index_text(item.decode())


def _plain_text(message: Value) -> str | None:
    """`message_text` of a message that is one text and nothing else, as most are; None for any other."""
    if type(message) is dict and len(message) == 2 and "role" in message:
        parts = message.get("parts")
        if type(parts) is list and len(parts) == 1:
            part = parts[0]
            if type(part) is dict and len(part) == 2 and part.get("type") == "text":
                text = part.get("content")
                return text if type(text) is str else None
    return None


class History(Struct):
    """The last list of messages of a trace, which the next one mostly continues."""

    code: int
    text: str
    """Without its last bracket."""
    numbers: list[int]


class Items(Struct):
    """A JSON array in parts: `code` is the extension type that tells how it is written."""

    code: int
    items: list[bytes]
    """As they stand in the text; only those after the history where it `continues` one."""
    continues: bool = False


def split_json(text: str, history: History | None = None) -> Items | None:
    """The items of a JSON array, as they stand in its text.

    None where joining them would not give the same text: other spaces, or no array.
    """
    if history is not None and text.startswith(history.text):
        between = _JOINED[history.code].decode()
        at = len(history.text)
        if text[at : at + len(between)] == between:
            rest = split_json(f"[{text[at + len(between) :]}")
            if rest is not None and (rest.code == history.code or len(rest.items) == 1):
                return Items(history.code, rest.items, continues=True)
    try:
        data = text.encode()
        items = [bytes(item) for item in _decode_items(data)]
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    size = sum(map(len, items)) + 2
    for code, between in _JOINED.items():
        if items and size + len(between) * (len(items) - 1) == len(data):
            return Items(code, items) if b"[%b]" % between.join(items) == data else None
    return None


_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode


def reference(code: int, numbers: list[int]) -> msgspec.msgpack.Ext:
    """What stands in a record for bodies."""
    return msgspec.msgpack.Ext(code, pack_ids(numbers))


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
            if value.code in _JOINED:
                attributes[key] = f"[{_JOINED[value.code].decode().join(found)}]"
            else:
                attributes[key] = found if value.code == LIST else found[0]


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
