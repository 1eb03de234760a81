/** Writes the golden files of emitted WGSL, CUDA and C (test/golden-kernels): `npm run golden-kernels`, then read the diff. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { emittedKernels, goldenLanguages } from '../test/golden-kernels/emitted.ts';

const folder = fileURLToPath(new URL('../test/golden-kernels/', import.meta.url));
for (const language of goldenLanguages) {
  for (const [name, text] of await emittedKernels(language)) {
    await writeFile(path.join(folder, name), text);
    process.stdout.write(`Written: test/golden-kernels/${name}\n`);
  }
}
