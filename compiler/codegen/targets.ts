import type { TargetName } from '../../runtime/format/manifest.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { didYouMean } from '../schema/did-you-mean.ts';
import { cudaTarget, type Precision } from './cuda/target.ts';
import { nativeTarget } from './native/target.ts';
import type { Target } from './target.ts';
import { wasmTarget } from './wasm/target.ts';
import { webgpuTarget } from './wgsl/target.ts';

/** Every target; a new one is a folder beside this file and a row here. */
const targets = { wasm: wasmTarget, webgpu: webgpuTarget, cuda: cudaTarget('f32'), native: nativeTarget } as const satisfies {
  readonly [K in TargetName]: Target;
};
export const targetNames = Object.keys(targets) as readonly TargetName[];

/** What the compiler itself runs programs on, whatever it compiles for: calibration, and a look at golden inputs. */
export const hostTarget: Target = wasmTarget;

/** Throws ATPC-307 for a name that is no target. */
export function targetNamed(name: string): Target {
  const found = targetNames.find((target) => target === name);
  if (found) return targets[found];
  const near = didYouMean(name, targetNames);
  throw new AtpcError('ATPC-307', `'${name}' is not a target.`, { hint: near.hint ?? `Targets: ${targetNames.join(', ')}.` });
}

/** The targets of one package, at least one. In the order of the table whatever the order of names, so that packages do not depend on it. */
export type Targets = readonly [Target, ...Target[]];
/** Throws ATPC-307 for a name that is no target, ATPC-301 for none and for a precision without the target that has a choice. */
export function targetsNamed(names: readonly string[] = ['wasm'], precision?: Precision): Targets {
  const named = new Set(names.map(targetNamed));
  const [first, ...others] = targetNames.map((name) => targets[name]).filter((target) => named.has(target));
  if (!first) throw new AtpcError('ATPC-301', 'No target was given.', { hint: 'The default is wasm.' });
  if (precision === undefined) return [first, ...others];
  if (!named.has(targets.cuda)) {
    throw new AtpcError('ATPC-301', `Precision ${precision} is for the target cuda, and the targets are ${names.join(', ')}.`, {
      hint: 'Leave --precision out, or add -t cuda.',
    });
  }
  const precise = (target: Target): Target => (target === targets.cuda ? cudaTarget(precision) : target);
  return [precise(first), ...others.map(precise)];
}
