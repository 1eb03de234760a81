/**
 * SHA-256 (FIPS 180-4) for pages on plain http, to which browsers give no crypto.subtle. The libraries for it take three
 * times the bytes, which every package would carry twice.
 */
const primes = Array.from({ length: 310 }, (_, at) => at + 2).filter((n) => {
  for (let divisor = 2; divisor * divisor <= n; divisor++) if (n % divisor === 0) return false;
  return true;
});
/** The first 32 bits of the fractions of roots of primes (4.2.2 and 5.3.3). */
const fractions = (root: (prime: number) => number, count: number): Int32Array =>
  Int32Array.from(primes.slice(0, count), (prime) => (root(prime) % 1) * 2 ** 32);
const constants = fractions(Math.cbrt, 64);
const blockBytes = 64;

/** Lower-case hexadecimal. */
export function sha256(bytes: Uint8Array): string {
  const state = fractions(Math.sqrt, 8);
  const whole = bytes.length - (bytes.length % blockBytes);
  compress(state, bytes.subarray(0, whole));
  // The rest, a one bit, zeros, and the length in bits, to the end of a block (5.1.1).
  const rest = bytes.subarray(whole);
  const tail = new Uint8Array(rest.length + 9 > blockBytes ? 2 * blockBytes : blockBytes);
  tail.set(rest);
  tail[rest.length] = 0x80;
  new DataView(tail.buffer).setBigUint64(tail.length - 8, BigInt(bytes.length) * 8n);
  compress(state, tail);
  return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

/** Takes whole blocks into the state (6.2.2). */
function compress(state: Int32Array, blocks: Uint8Array): void {
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.length);
  const words = new Int32Array(64);
  const word = (at: number): number => words[at] as number;
  const value = (at: number): number => state[at] as number;
  for (let block = 0; block < blocks.length; block += blockBytes) {
    for (let at = 0; at < 16; at++) words[at] = view.getInt32(block + 4 * at);
    for (let at = 16; at < 64; at++) {
      const early = word(at - 15);
      const late = word(at - 2);
      const first = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
      const second = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
      words[at] = word(at - 16) + first + word(at - 7) + second;
    }
    // Spelt out: destructuring halves the speed.
    let a = value(0);
    let b = value(1);
    let c = value(2);
    let d = value(3);
    let e = value(4);
    let f = value(5);
    let g = value(6);
    let h = value(7);
    for (let at = 0; at < 64; at++) {
      const chosen = (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g));
      const one = (h + chosen + (constants[at] as number) + word(at)) | 0;
      const two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
    }
    state[0] = value(0) + a;
    state[1] = value(1) + b;
    state[2] = value(2) + c;
    state[3] = value(3) + d;
    state[4] = value(4) + e;
    state[5] = value(5) + f;
    state[6] = value(6) + g;
    state[7] = value(7) + h;
  }
}
const rotate = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits));
