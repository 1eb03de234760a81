import { AtpcError } from '../../runtime/errors.ts';
import type { CompileOptions } from '../compile-options.ts';

/** Throws ATPC-301 for a plan that has to be found by measuring, where nothing is measured: reports of a model read no text. */
export function refuseAuto({ attention }: Pick<CompileOptions, 'attention'>): void {
  if (attention !== 'auto') return;
  throw new AtpcError(
    'ATPC-301',
    '--attn auto finds its plan by running the model, which `atpc compile` does and a report does not.',
    {
      hint: 'Compile with --attn auto --write-plan plan.yaml, then look at the package, or at the model with --plan plan.yaml.',
    },
  );
}
