"""Bytes as they arrive, made into text as soon as a character is whole. Knows nothing of constraints."""

from __future__ import annotations

import codecs

from heedful.errors import InputError


class Utf8Decoder:
    """Decodes a UTF-8 stream that is cut anywhere, also inside a character; a byte order mark at its start is taken off.

    The pieces joined are what the whole would be decoded to.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._taken = 0

    def feed(self, data: bytes) -> str:
        """The characters that `data` completes, perhaps none.

        Raises:
            InputError: the bytes are not UTF-8; the message gives their offset in the stream.
        """
        return self._decode(data, final=False)

    def close(self) -> str:
        """What is left, which is nothing: a stream that ends inside a character is an error.

        Raises:
            InputError: the stream ends inside a character.
        """
        return self._decode(b"", final=True)

    def _decode(self, data: bytes, *, final: bool) -> str:
        waiting = len(self._decoder.getstate()[0])
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError as error:
            offset = self._taken - waiting + error.start
            cause = "ends inside a character" if final else f"is not UTF-8: {error.reason}"
            raise InputError(
                f"the byte stream {cause} at offset {offset}", "send UTF-8, and do not drop bytes between chunks"
            ) from error
        self._taken += len(data)
        return text
