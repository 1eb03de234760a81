/** The text of native kernels, which no compiler is needed for. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { emittedKernels } from '../golden-kernels/emitted.ts';

const folder = fileURLToPath(new URL('../golden-kernels/', import.meta.url));

describe('emitted C', () => {
  it('is what the golden files have (after a change that is meant: npm run golden-kernels, and read the diff)', async () => {
    for (const [name, text] of await emittedKernels('c')) {
      expect(text === readFileSync(path.join(folder, name), 'utf8'), name).to.equal(true);
    }
  });
});
