/** A model under a plan, compiled for the target that runs here, and the rows that its loss is measured on. */
import type { Graph } from '../../ir/graph.ts';
import { withCaches, pastDim, positionsInput, seqDim } from '../../passes/cache.ts';
import type { CachePlan } from '../../passes/atp/cache-plan.ts';
import { densePlan, type AttentionPlan } from '../../passes/atp/plan.ts';
import { roundActivations } from '../../passes/round-activations.ts';
import { hasFeature } from '../../runtime/backends/wasm/feature-probe.ts';
import { AtpcError } from '../../runtime/errors.ts';
import { evaluateExpression } from '../../runtime/format/expression.ts';
import { build, buildEntries, emit, moduleOf, type Built } from '../build.ts';
import type { captureCalibration } from '../calibrate/calibrate.ts';
import { calibrate, encoderInput, type Encode } from '../calibrate/calibrate.ts';
import type { ActivationType } from '../codegen/native/activations.ts';
import type { Target } from '../codegen/target.ts';
import { hostTarget } from '../codegen/targets.ts';
import { withCodes } from '../pass-fault.ts';
import { Parameters, plainStorage, type ParameterOptions } from '../program/parameters.ts';
import { instantiateProgram, type RunnableProgram } from '../program/run-program.ts';
import { longestSequence, type SourceModel } from '../source-model.ts';
import { formatsOf } from '../weights/tensor-source.ts';
import type { WeightType } from '../compile-options.ts';
import type { TokenIds } from './documents.ts';

/** Receives a row of the task's output; the array is only valid during the call. */
export type OnRow = (index: number, row: Float32Array) => void;
/** Positions of a document whose rows are wanted, ascending; a model that reads a text at once has one row, of position 0. */
export type Positions = readonly number[];

/** How long a document took as far as here. */
export interface ReadTime {
  readonly tokens: number;
  /** From its first token on, what receives the rows left out. */
  readonly milliseconds: number;
}
export interface PlannedModel {
  /** Runs one document. Gives the rows of the positions in order; lets others run in between. Returns the time after each call. */
  rows(document: TokenIds, positions: Positions, onRow: OnRow): Promise<readonly ReadTime[]>;
  /** What a session keeps; 0 for a model without state. */
  readonly stateBytes: number;
}
export interface PlannedModelOptions {
  readonly source: SourceModel;
  readonly encode: Encode;
  /** Where several plans are compiled, what keeps the activations that they are calibrated on. */
  readonly capture?: typeof captureCalibration;
  /** As weights are stored in the package: dense and planned model are compared with the same ones. */
  readonly storage?: WeightType;
  /** What products with weights in blocks read on their left; f32 without it. Here both are multiplied in f32. */
  readonly activations?: ActivationType;
}

/** The same model with other left sides of products. */
export function readingIn<O extends PlannedModelOptions>(model: O, activations: ActivationType | undefined): O {
  return activations === undefined ? model : { ...model, activations };
}
function asRounded(graph: Graph, { source, activations = 'f32' }: PlannedModelOptions): Graph {
  const formatOf = formatsOf(source.tensors);
  return activations === 'int8' ? roundActivations(graph, (parameter) => formatOf(parameter)?.block ?? null) : graph;
}

export async function instantiateHere(
  built: Built,
  target: Target,
  parameters: Omit<ParameterOptions, 'derived' | 'formats'>,
): Promise<RunnableProgram> {
  const features = hasFeature('relaxed-simd') ? ['simd128', 'relaxed-simd'] : target.features;
  const { files } = await emit(built, target, { build: features });
  const values = new Parameters({ ...parameters, derived: built.stage.derived, formats: built.formats });
  return await instantiateProgram(built.program, moduleOf(files, features), (name) => values.readTensor(name));
}

function outputOf({ name, task }: SourceModel): string {
  if (task.kind !== 'tensors') return task.output;
  throw new AtpcError('ATPC-311', `${name} has no task, and so no output that could be compared.`);
}

/** A model without state under a plan, with the bases and directions that its package will have. */
export async function plannedForward(options: PlannedModelOptions, plan: AttentionPlan): Promise<PlannedModel> {
  const { source, encode, storage, capture } = options;
  const { graph, defaults } = source;
  const target = hostTarget;
  const output = outputOf(source);
  const calibration = await calibrate(source, plan, encode, target, longestSequence(graph), capture);
  const built = build(asRounded(graph, options), { plan, target, verify: false, formatOf: formatsOf(source.tensors) });
  const { tensors, computed } = calibration;
  const program = await instantiateHere(built, target, { source: tensors, computed, storage: plainStorage(storage) });
  return {
    stateBytes: 0,
    async rows(document, _positions, onRow) {
      const input = encoderInput(graph, defaults, document);
      if (!input) {
        throw new AtpcError('ATPC-311', `${source.name} takes more than input_ids: a loss cannot be measured on text.`);
      }
      const before = performance.now();
      const result = program.run({ batch: 1, seq: input.tokens }, input.inputs)[output];
      const milliseconds = performance.now() - before;
      if (!(result?.data instanceof Float32Array)) throw new AtpcError('ATPC-399', `The model gave no output '${output}'.`);
      onRow(0, result.data);
      await otherWork();
      return [{ tokens: input.tokens, milliseconds }];
    },
  };
}

/** Logits of every row of a call: about 0.2 MB a token for a vocabulary of 50,000. */
const pieceTokens = 256;

/** A causal model over the caches of a plan, for documents of at most `maxTokens` tokens. */
export async function plannedCausal(options: PlannedModelOptions, plan: CachePlan, maxTokens: number): Promise<PlannedModel> {
  const { source, storage } = options;
  const { graph, tensors } = source;
  const target = hostTarget;
  const output = outputOf(source);
  const cached = asRounded(
    withCodes(() => withCaches(graph, plan, maxTokens)),
    options,
  );
  const entries = [{ name: 'score', graph: cached }] as const;
  const built = buildEntries(graph.name, entries, densePlan, { target, verify: false, formatOf: formatsOf(tensors) });
  const program = await instantiateHere(built, target, { source: tensors, computed: {}, storage: plainStorage(storage) });
  const longest = Math.min(pieceTokens, graph.dims.find(({ name }) => name === seqDim)?.max ?? 1);
  return {
    stateBytes: evaluateExpression(built.program.arenas.state, {}),
    async rows(document, positions, onRow) {
      const state = program.openState();
      const times: ReadTime[] = [];
      try {
        let next = 0;
        let milliseconds = 0;
        for (let past = 0; past < document.length;) {
          const piece = document.slice(past, past + longest);
          const inputs = {
            input_ids: Int32Array.from(piece),
            [positionsInput]: Int32Array.from(piece, (_, index) => past + index),
          };
          const before = performance.now();
          const result = program.run({ [seqDim]: piece.length, [pastDim]: past }, inputs, { entry: 'score', state })[output];
          if (!(result?.data instanceof Float32Array)) throw new AtpcError('ATPC-399', `The model gave no output '${output}'.`);
          milliseconds += performance.now() - before;
          times.push({ tokens: past + piece.length, milliseconds });
          const width = result.data.length / piece.length;
          for (; next < positions.length && (positions[next] as number) < past + piece.length; next += 1) {
            const row = (positions[next] as number) - past;
            onRow(next, result.data.subarray(row * width, (row + 1) * width));
          }
          past += piece.length;
          await otherWork();
        }
        return times;
      } finally {
        program.closeState(state);
      }
    },
  };
}

/** The command line must be able to hear an interrupt. */
const otherWork = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
