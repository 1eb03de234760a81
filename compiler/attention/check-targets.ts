import { AtpcError } from '../../runtime/errors.ts';
import type { Targets } from '../codegen/targets.ts';

/** The groups of heads of one layer. */
export interface PlannedLayer {
  readonly layer: number;
  readonly groups: readonly { readonly mode: string }[];
}

/** One plan is for all targets of a package. Throws ATPC-307 for one that a target has no kernels for, or not in so many dispatches. */
export function checkTargets(layers: readonly PlannedLayer[], targets: Targets): void {
  for (const { name, refusedModes, attentionsPerLayer } of targets) {
    for (const { layer, groups } of layers) {
      const refused = groups.find(({ mode }) => refusedModes[mode] !== undefined)?.mode;
      if (refused !== undefined) {
        throw new AtpcError('ATPC-307', `Mode ${refused} cannot be compiled for ${name}: ${refusedModes[refused]}.`, {
          hint: 'Compile for wasm alone (-t wasm), or take another mode, such as expand.',
        });
      }
      if (groups.length <= attentionsPerLayer) continue;
      throw new AtpcError(
        'ATPC-307',
        `Layer ${layer} has ${groups.length} groups of heads with a mode and numbers of their own; ${name} computes at most ${attentionsPerLayer} a layer.`,
        { hint: 'Give more of its heads the same mode and numbers, or compile for wasm alone (-t wasm).' },
      );
    }
  }
}
