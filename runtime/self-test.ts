import { AtpcError } from './errors.ts';
import type { NamedResults } from './backends/backend.ts';
import type { Manifest, ManifestGolden, ManifestTarget } from './format/manifest.ts';
import { prepareInputs, type PreparedInputs } from './inputs.ts';
import type { TextTokenizer } from './tokenizer.ts';

/**
 * Compares a backend with the outputs of the reference interpreter, and the tokenizer with the ids of the compiler's.
 * Rejects with ATPC-405 naming the first value that differs.
 */
export async function selfTest(
  manifest: Manifest,
  { golden: recorded = manifest.golden }: ManifestTarget,
  tokenizer: TextTokenizer | undefined,
  run: (inputs: PreparedInputs) => Promise<NamedResults>,
): Promise<void> {
  for (const { text, ids } of manifest.tokenizer?.fixtures ?? []) {
    const found = tokenizer?.encode(text).ids ?? [];
    if (JSON.stringify(found) === JSON.stringify(ids)) continue;
    throw new AtpcError(
      'ATPC-405',
      `The tokenizer gives [${found.join(', ')}] for ${JSON.stringify(text)}; recorded are [${ids.join(', ')}].`,
    );
  }
  for (const golden of recorded) {
    const fault = goldenFault(golden, await run(prepareInputs(manifest, golden.inputs)));
    if (fault) throw fault;
  }
}

type ComputedOutputs = Readonly<Record<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number> }>>;

/** The first difference between results and a golden vector as ATPC-405; undefined where they agree. */
export function goldenFault(golden: ManifestGolden, results: ComputedOutputs): AtpcError | undefined {
  for (const [name, expected] of Object.entries(golden.outputs)) {
    const found = results[name];
    if (found === undefined || JSON.stringify(found.shape) !== JSON.stringify(expected.shape)) {
      return new AtpcError(
        'ATPC-405',
        `The output '${name}' has the shape [${found?.shape.join(', ') ?? ''}]; recorded is [${expected.shape.join(', ')}].`,
      );
    }
    const largest = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    for (const [at, value] of expected.data.entries()) {
      const difference = Math.abs((found.data[at] ?? NaN) - value);
      // Relative for large values: f32 has 24 bits, whatever the magnitude.
      const scale = golden.toleranceOf === 'largest' ? largest : Math.max(1, Math.abs(value));
      if (difference <= golden.tolerance * scale) continue;
      return new AtpcError(
        'ATPC-405',
        `The output '${name}' is ${found.data[at]} at position ${at}; recorded is ${value}, tolerance ${golden.tolerance * scale}.`,
        { hint: 'This backend computes something else than the compiler did; do not use its results.' },
      );
    }
  }
  return undefined;
}
