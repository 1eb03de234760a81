/**
 * The memory of a state without what is zero: a session that has read little of what it has room for is saved in few bytes. A bit for
 * each block, whether it is there, then the blocks.
 */
const blockBytes = 4096;
const blocksOf = (bytes: number): number => Math.ceil(bytes / blockBytes);
const bitmapBytes = (bytes: number): number => Math.ceil(blocksOf(bytes) / 8);

/** Begins of the blocks that are not all zero. `bytes` starts and ends at a multiple of 4. */
function* filledBlocks(bytes: Uint8Array): Generator<number, void, void> {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const blockWords = blockBytes / 4;
  for (let begin = 0; begin < words.length; begin += blockWords) {
    const end = Math.min(words.length, begin + blockWords);
    let at = begin;
    while (at < end && words[at] === 0) at += 1;
    if (at < end) yield begin * 4;
  }
}

/** Makes all zero, and touches no memory that is: pages that were never written take no memory of the machine. */
export function clearBytes(bytes: Uint8Array): void {
  for (const begin of filledBlocks(bytes)) bytes.fill(0, begin, begin + blockBytes);
}
export function packSparse(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const begins = [...filledBlocks(bytes)];
  const packed = new Uint8Array(bitmapBytes(bytes.length) + begins.length * blockBytes);
  let to = bitmapBytes(bytes.length);
  for (const begin of begins) {
    const block = begin / blockBytes;
    packed[block >> 3] = (packed[block >> 3] as number) | (1 << (block & 7));
    packed.set(bytes.subarray(begin, begin + blockBytes), to);
    to += blockBytes;
  }
  return packed;
}
/** Fills memory that is all zero; returns whether the packed bytes are of just this length. */
export function unpackSparse(packed: Uint8Array, target: Uint8Array): boolean {
  let from = bitmapBytes(target.length);
  for (let block = 0; block < blocksOf(target.length); block++) {
    if ((((packed[block >> 3] ?? 0) >> (block & 7)) & 1) === 0) continue;
    const begin = block * blockBytes;
    const length = Math.min(blockBytes, target.length - begin);
    if (from + blockBytes > packed.length) return false;
    target.set(packed.subarray(from, from + length), begin);
    from += blockBytes;
  }
  return from === packed.length;
}
