import { expect } from 'chai';
import { sha256 as expected } from '../../compiler/package/files.ts';
import { sha256 } from '../../runtime/platform/browser/sha256.ts';

describe('SHA-256 for pages without crypto.subtle', () => {
  it("gives what Node's gives, around every boundary of a block, and for views into a buffer", () => {
    const bytes = Uint8Array.from({ length: 1 << 17 }, (_, at) => (at * 2654435761) >>> 24);
    const lengths = [...Array.from({ length: 200 }, (_, length) => length), 4095, 4096, 65_600, bytes.length];
    for (const length of lengths) {
      for (const begin of [0, 3]) {
        const part = bytes.subarray(begin, Math.min(bytes.length, begin + length));
        expect(sha256(part), `${length} bytes from ${begin}`).to.equal(expected(part));
      }
    }
  });
});
