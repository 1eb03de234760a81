/**
 * xoshiro128** 1.1 (Blackman and Vigna 2021, Scrambled Linear Pseudorandom Number Generators), seeded by SplitMix64 as its authors
 * recommend: 32-bit arithmetic, which is exact in every engine.
 */
export class Random {
  readonly #state = new Uint32Array(4);

  /** `seed` is a whole number from 0 to 2^53 - 1. */
  constructor(seed: number) {
    let at = BigInt(seed);
    for (const word of [0, 2]) {
      at = BigInt.asUintN(64, at + 0x9e3779b97f4a7c15n);
      let mixed = at;
      mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n);
      mixed = BigInt.asUintN(64, (mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
      mixed ^= mixed >> 31n;
      this.#state[word] = Number(mixed & 0xffffffffn);
      this.#state[word + 1] = Number(mixed >> 32n);
    }
  }

  /** A whole number from 0 to 2^32 - 1. */
  integer(): number {
    const [a, b, c, d] = this.#state as unknown as [number, number, number, number];
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    this.#state.set([a ^ d ^ b, b ^ c ^ a, c ^ a ^ (b << 9), rotate(d ^ b, 11)]);
    return result;
  }
  /** A number from 0 to below 1, of 53 random bits. */
  fraction(): number {
    const high = this.integer() >>> 5;
    return (high * 2 ** 26 + (this.integer() >>> 6)) / 2 ** 53;
  }
}
const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));
