/**
 * What the compiler learns from text before it writes a package: the basis in which keys are clustered, principal directions,
 * and the keys that are really read.
 */
import { createHash } from 'node:crypto';
import type { Graph } from '../../ir/graph.ts';
import { sharedProjectionParameter } from '../../passes/atp/modes/shared.ts';
import type { ModeName } from '../../passes/atp/modes/table.ts';
import { directionsParameter } from '../../passes/atp/modes/topr.ts';
import type { AttentionPlan, HeadGroup } from '../../passes/atp/plan.ts';
import { isWhole } from '../../passes/atp/share.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { Target } from '../codegen/target.ts';
import { hostTarget } from '../codegen/targets.ts';
import type { SourceModel } from '../source-model.ts';
import type { MemoryTensor, TensorSource } from '../weights/tensor-source.ts';
import { balanceHeads } from './balance-heads.ts';
import { captureAttention, type CalibrationInput, type CapturedLayer } from './capture.ts';
import { measureKeysRead, type KeysRead } from './keys-read.ts';
import { principalDirections } from './principal-directions.ts';
import { sharedProjection } from './shared-projection.ts';
import { calibrationTexts } from './texts.ts';

export interface Calibration {
  /** Parameters that calibration computed, by name. */
  readonly computed: Readonly<Record<string, MemoryTensor>>;
  /** The model's tensors, with balanced heads where the plan clusters keys. */
  readonly tensors: TensorSource;
  /** SHA-256 of the text that was calibrated on; null where none was. */
  readonly textHash: string | null;
  /** Token ids of the calibration texts in a row; empty without a tokenizer. */
  readonly ids: readonly number[];
  keysRead(layer: number, group: HeadGroup): KeysRead | null;
}

/** What a mode learns from text: a parameter of each layer that uses it. */
interface Learned {
  readonly words: string;
  parameter(layer: number): string;
  compute(graph: Graph, layer: number, tensors: TensorSource, captured: readonly CapturedLayer[]): Promise<MemoryTensor>;
}
const learned: { readonly [M in ModeName]?: Learned } = {
  topr: {
    words: 'its principal directions',
    parameter: directionsParameter,
    compute: (_graph, _layer, _tensors, captured) => Promise.resolve(principalDirections(captured)),
  },
  shared: { words: 'its projection of hidden states', parameter: sharedProjectionParameter, compute: sharedProjection },
};

// Heads that are measured a layer: shares differ little between heads, and a minute of measuring would tell no more.
const measuredHeads = 4;

// Heads may look at positions, and behave otherwise far from the start: calibration inputs are as long as the model allows,
// up to this. The basis of 32 or 64 dimensions needs no more than two of them.
const longestPassage = 512;
const passageStarts = [0, 2];
/** All calibration texts behind one another, from the given one on. */
function passageFrom(start: number): string {
  return [...calibrationTexts.slice(start), ...calibrationTexts.slice(0, start)].join('\n');
}

/** The inputs of an encoder for a row of token ids; null where the model takes something else. */
export function encoderInput(
  graph: Graph,
  defaults: Readonly<Record<string, number>>,
  ids: readonly number[],
): CalibrationInput | null {
  const names = graph.inputs.map((input) => input.attributes.name);
  const known = graph.inputs.every(
    ({ attributes: { name, elementType } }) => elementType === 'i32' && (name === 'input_ids' || defaults[name] !== undefined),
  );
  if (!known || !names.includes('input_ids')) return null;
  const values = (name: string): Int32Array<ArrayBuffer> =>
    name === 'input_ids' ? Int32Array.from(ids) : new Int32Array(ids.length).fill(defaults[name] ?? 0);
  return { tokens: ids.length, inputs: Object.fromEntries(names.map((name) => [name, values(name)])) };
}

/** Token ids of a text, at most `maxTokens` where that is given, or the model's own limit. */
export type Encode = (text: string, maxTokens?: number) => readonly number[];

/** The activations of the dense model on the compiler's own text, by passage and layer; none for a model that takes no text. */
export async function captureCalibration(
  { graph, defaults, tensors }: Pick<SourceModel, 'graph' | 'defaults' | 'tensors'>,
  encode: Encode,
  maxTokens: number,
): Promise<readonly (readonly CapturedLayer[])[]> {
  const passages = passageStarts.map((start) => encode(passageFrom(start), Math.min(longestPassage, maxTokens)));
  const inputs = passages.map((ids) => encoderInput(graph, defaults, ids)).filter((input) => input !== null);
  return inputs.length > 0 ? await captureAttention(graph, tensors, inputs, hostTarget) : [];
}

/** `capture`: where several plans of one model are calibrated, what keeps its activations. */
export async function calibrate(
  source: Pick<SourceModel, 'graph' | 'defaults' | 'tensors'>,
  plan: AttentionPlan,
  encode: Encode | null,
  { queriesPerChoice }: Pick<Target, 'queriesPerChoice'>,
  maxTokens: number,
  capture: typeof captureCalibration = captureCalibration,
): Promise<Calibration> {
  const { graph, tensors } = source;
  const texts = encode ? calibrationTexts.map((text) => encode(text).slice(0, maxTokens)) : [];
  const groups = plan.layers.flatMap(({ groups: all }) => all);
  const approximate = groups.some(({ mode, keys }) => mode !== 'dense' && !isWhole(keys));
  const captured = approximate && encode ? await capture(source, encode, maxTokens) : [];
  const learning = plan.layers.flatMap(({ layer, groups: all }) =>
    [...new Set(all.filter(({ keys }) => !isWhole(keys)).map(({ mode }) => mode))].flatMap((mode) => {
      const own = learned[mode];
      return own ? [{ mode, layer, ...own }] : [];
    }),
  );
  const [untaught] = learning;
  if (untaught && captured.length === 0) {
    throw new AtpcError(
      'ATPC-311',
      `Mode ${untaught.mode} finds ${untaught.words} on text, and this model takes none: it has no tokenizer, or inputs other than input_ids.`,
      {
        hint: 'Use expand, which needs no calibration.',
      },
    );
  }
  const balanced = await balanceHeads(graph, tensors, plan, captured);
  const ofLayer = (layer: number): readonly CapturedLayer[] => balanced.captured.map((layers) => layers[layer] as CapturedLayer);
  const computed: Record<string, MemoryTensor> = {};
  for (const { layer, parameter, compute } of learning)
    computed[parameter(layer)] = await compute(graph, layer, balanced.tensors, ofLayer(layer));
  return {
    computed,
    tensors: balanced.tensors,
    textHash: captured.length > 0 ? createHash('sha256').update(calibrationTexts.join('\n')).digest('hex') : null,
    ids: texts.flat(),
    keysRead: (layer, group) =>
      measureKeysRead(ofLayer(layer), { ...group, kvHeads: group.kvHeads.slice(0, measuredHeads) }, queriesPerChoice),
  };
}
