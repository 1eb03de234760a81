import type { TargetName } from '../../runtime/format/manifest.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { didYouMean } from '../schema/did-you-mean.ts';
import { cudaTarget, type Precision } from './cuda/target.ts';
import type { ActivationType } from './native/activations.ts';
import { nativeTarget, nativeTargetWith } from './native/target.ts';
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
/** What one target may be asked to compute in, each by an option of its own. */
export interface TargetChoices {
  readonly precision?: Precision;
  readonly activations?: ActivationType;
}
const choices: readonly ((options: TargetChoices) => Choice | null)[] = [
  ({ precision }) =>
    precision === undefined ? null : { from: targets.cuda, to: cudaTarget(precision), option: 'precision', value: precision },
  ({ activations }) =>
    activations === undefined
      ? null
      : { from: targets.native, to: nativeTargetWith(activations), option: 'activations', value: activations },
];
interface Choice {
  readonly from: Target;
  readonly to: Target;
  readonly option: keyof TargetChoices;
  readonly value: string;
}
/** Throws ATPC-307 for a name that is no target, ATPC-301 for none and for a choice without the target that has it. */
export function targetsNamed(names: readonly string[] = ['wasm'], options: TargetChoices = {}): Targets {
  const named = new Set(names.map(targetNamed));
  const [first, ...others] = targetNames.map((name) => targets[name]).filter((target) => named.has(target));
  if (!first) throw new AtpcError('ATPC-301', 'No target was given.', { hint: 'The default is wasm.' });
  const chosen = new Map<Target, Target>();
  for (const choice of choices.map((choose) => choose(options))) {
    if (choice === null) continue;
    const { from, to, option, value } = choice;
    if (!named.has(from)) {
      const words = `${option.slice(0, 1).toUpperCase()}${option.slice(1)} ${value}`;
      throw new AtpcError('ATPC-301', `${words} is for the target ${from.name}, and the targets are ${names.join(', ')}.`, {
        hint: `Leave --${option} out, or add -t ${from.name}.`,
      });
    }
    chosen.set(from, to);
  }
  const asChosen = (target: Target): Target => chosen.get(target) ?? target;
  return [asChosen(first), ...others.map(asChosen)];
}

/** The same targets, with what products of the target native read. */
export function withActivations([first, ...others]: Targets, activations: ActivationType): Targets {
  const reading = (target: Target): Target => (target.name === targets.native.name ? nativeTargetWith(activations) : target);
  return [reading(first), ...others.map(reading)];
}
