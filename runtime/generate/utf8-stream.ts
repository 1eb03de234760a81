/** Bytes in any pieces to whole characters. Bytes that are no UTF-8 become U+FFFD, as in every decoder. */
export class Utf8Stream {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #begun: Uint8Array = new Uint8Array();

  /** The characters that are complete now. */
  push(bytes: Uint8Array): string {
    const all = new Uint8Array(this.#begun.length + bytes.length);
    all.set(this.#begun);
    all.set(bytes, this.#begun.length);
    const whole = all.length - begunLength(all);
    this.#begun = all.subarray(whole);
    return this.#decoder.decode(all.subarray(0, whole));
  }
  /** Whether a character has begun and is not complete. */
  get isOpen(): boolean {
    return this.#begun.length > 0;
  }
}

/** Length of a character at the end whose last bytes are missing (RFC 3629, section 3). */
function begunLength(bytes: Uint8Array): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length] as number;
    if (byte >= 0xc2 && byte <= 0xf4) return length < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? length : 0;
    if ((byte & 0xc0) !== 0x80) return 0;
  }
  return 0;
}
