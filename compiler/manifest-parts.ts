/** Parts of the manifest that follow from the model and its plan. */
import { modes } from '../passes/atp/modes/table.ts';
import { isDense, type AttentionPlan, type HeadGroup } from '../passes/atp/plan.ts';
import { formatShare, shareValue, wholeShare } from '../passes/atp/share.ts';
import type { AttentionShape } from '../passes/atp/site.ts';
import { weightsBase } from '../runtime/backends/one-memory/layout.ts';
import type { SizeExpression } from '../runtime/format/expression.ts';
import type { Manifest, ManifestPort, ManifestTarget } from '../runtime/format/manifest.ts';
import type { BufferElementType, EntryPoint, Program } from '../runtime/format/program.ts';
import { AtpcError } from '../runtime/errors.ts';
import type { Target } from './codegen/target.ts';
import type { Calibration } from './calibrate/calibrate.ts';
import { vocabularyOf } from './golden.ts';
import type { SourceModel } from './source-model.ts';

/** What is approximate on a target, in words. */
export function approximationsOf(
  plan: AttentionPlan,
  rounded: boolean,
  { queriesPerChoice, rounding }: Pick<Target, 'queriesPerChoice' | 'rounding'>,
): readonly string[] {
  const groups = plan.layers.flatMap((layer) => layer.groups).filter((group) => !isDense(group));
  const together = (mode: HeadGroup['mode']): string =>
    mode === 'expand' && queriesPerChoice > 1 ? `; ${queriesPerChoice} queries choose together` : '';
  const words = groups.map(
    ({ mode, keys }) => `attention mode ${mode} with ${formatShare(keys)} of the keys: ${modes[mode].summary}${together(mode)}`,
  );
  return [...new Set(words), ...roundingsOf(rounded, rounding)];
}

/** What is rounded, in words: weights in the package, and what a target multiplies. */
export function roundingsOf(weights: boolean, rounding: Target['rounding']): readonly string[] {
  return [...(weights ? ['weights rounded to f16'] : []), ...(rounding ? [rounding.words] : [])];
}

/** The groups of a layer; a layer without a plan is dense. */
export function groupsOf(plan: AttentionPlan, { layer, kvHeads }: AttentionShape): readonly HeadGroup[] {
  const all = Array.from({ length: kvHeads }, (_, head) => head);
  return (
    plan.layers.find((candidate) => candidate.layer === layer)?.groups ?? [{ mode: 'dense', kvHeads: all, keys: wholeShare }]
  );
}

export function attentionOf(
  plan: AttentionPlan,
  shapes: readonly AttentionShape[],
  keys: string | null,
  calibration: Pick<Calibration, 'keysRead' | 'textHash'>,
): Manifest['attention'] {
  const layers = shapes.map((shape) => ({
    layer: shape.layer,
    heads: groupsOf(plan, shape).map((group) => ({
      mode: group.mode,
      kvHeads: group.kvHeads,
      keys: shareValue(group.keys),
      measuredKeys: calibration.keysRead(shape.layer, group),
    })),
  }));
  return { keys, reason: plan.reason, calibration: calibration.textHash, layers };
}

/** Peak bytes as formulas: the arenas together, in one memory after the bytes that the runtime leaves free for address 0. */
export function memoryOf({ arenas, slots }: Program): ManifestTarget['memory'] {
  const total = Object.values(arenas).reduce<SizeExpression>(
    (sum, bytes) => (bytes === 0 ? sum : ['+', sum, bytes]),
    slots ? 0 : weightsBase,
  );
  return { ...arenas, total };
}

export function inputPorts({ graph, defaults }: SourceModel, program: Program): readonly ManifestPort[] {
  return entryOf(program).inputs.map(({ name, elementType, shape }) => {
    const node = graph.inputs.find((input) => input.attributes.name === name);
    const vocabulary = node ? vocabularyOf(graph, node) : null;
    const value = defaults[name];
    return {
      name,
      elementType: portType(elementType),
      shape,
      ...(value === undefined ? {} : { default: value }),
      ...(vocabulary === null ? {} : { vocabulary }),
    };
  });
}
export function outputPorts(program: Program): readonly ManifestPort[] {
  return entryOf(program).outputs.map(({ name, elementType, shape }) => ({ name, elementType: portType(elementType), shape }));
}
/** The entry point that gives all that the model gives. */
function entryOf({ entryPoints }: Program): EntryPoint {
  const entry = entryPoints.forward ?? entryPoints.score;
  if (entry) return entry;
  throw new AtpcError('ATPC-399', 'The program has no entry point.');
}
function portType(elementType: BufferElementType): ManifestPort['elementType'] {
  if (elementType !== 'u8' && elementType !== 'f16') return elementType;
  throw new AtpcError('ATPC-399', 'A port of the program holds quants.');
}

/** A name that npm takes: lower case, no spaces. */
export function packageNameOf(name: string): string {
  const plain = name.toLowerCase().replaceAll(/[^a-z0-9._-]+/g, '-');
  return plain.replace(/^[._-]+/, '') || 'model';
}
