import { AtpcError } from '../../errors.ts';
import { evaluateExpression } from '../../format/expression.ts';
import type { Manifest, ManifestTarget } from '../../format/manifest.ts';
import type { UseTarget } from '../targets.ts';
import { chooseVariant } from './feature-probe.ts';
import { wasmLimit } from './memory-limit.ts';
import { withOwnMemory } from './own-memory.ts';
import { chooseThreads } from './threads.ts';

/** Throws ATPC-501 for an engine that can run no build, ATPC-502 for a model whose least call does not fit. */
export const useWasm: UseTarget<'wasm'> = (manifest, target, { platform, threads: asked }) => {
  checkLeastMemory(manifest, target);
  const threads = chooseThreads(asked, platform, target.variants);
  const { file, features } = chooseVariant(target.variants, threads.used > 1);
  return {
    target,
    threads,
    files: [target.program, file],
    workerFiles: [],
    kernels: (fileOf) => (features.includes('threads') ? fileOf(file) : withOwnMemory(fileOf(file))),
  };
};

/** Refuses a package whose smallest call does not fit, before any weight is read. */
function checkLeastMemory(manifest: Manifest, { memory }: ManifestTarget): void {
  const least = Object.fromEntries(manifest.dims.map((dim) => [dim.name, dim.min]));
  const needed = evaluateExpression(memory.total, least);
  if (needed <= wasmLimit.bytes) return;
  const weights = evaluateExpression(memory.weights, least);
  throw new AtpcError(
    'ATPC-502',
    `The model '${manifest.name}' needs at least ${needed} bytes, ${weights} of them weights; WebAssembly has ${wasmLimit.bytes}.`,
  );
}
