/** Golden vectors: small inputs with the outputs of the reference interpreter, which a package checks itself against. */
import { graphNodes, isOp, tensorOf, type Graph, type Node } from '../ir/graph.ts';
import { interpret } from '../ir/interpret.ts';
import { evaluateSize } from '../ir/size.ts';
import type { Tensor } from '../ir/ops/definition.ts';
import type { Manifest, ManifestGolden } from '../runtime/format/manifest.ts';
import { prepareInputs } from '../runtime/inputs.ts';
import { goldenFault } from '../runtime/self-test.ts';
import { denseBelowTokens } from '../passes/atp/site.ts';
import type { Rounding } from './codegen/target.ts';
import type { Parameters } from './program/parameters.ts';
import type { RunnableProgram } from './program/run-program.ts';

/** Kept elements of each output: enough to notice any fault, and few enough for a manifest. */
const keptElements = 64;
// f32 kernels against float64 sums: 1e-4 is what the reference models are held to.
const goldenTolerance = 1e-4;

/** What outputs may differ by: of products of rounded numbers, a part of the largest of an output, whatever the size of the others. */
export function toleranceFor(rounding: Rounding | undefined): Pick<ManifestGolden, 'tolerance' | 'toleranceOf'> {
  return rounding ? { tolerance: rounding.tolerance, toleranceOf: 'largest' } : { tolerance: goldenTolerance };
}

/** Rows of the smallest table that an integer input is an index of; null where it is none. */
export function vocabularyOf(graph: Graph, input: Node): number | null {
  const reaches = (node: Node): boolean =>
    node === input || (['cast', 'reshape', 'broadcast', 'slice', 'transpose'].includes(node.op) && node.inputs.some(reaches));
  const sizes = graphNodes(graph).flatMap((node) => {
    const [table, indices] = node.inputs;
    if (!isOp(node, 'gather') || !table || !indices || !reaches(indices)) return [];
    const rows = tensorOf(table).shape[node.attributes.batchAxes];
    return typeof rows === 'number' ? [rows] : [];
  });
  return sizes.length === 0 ? null : Math.min(...sizes);
}

// xorshift32 (Marsaglia 2003): the same inputs in every compilation.
function randomSource(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export interface GoldenSource {
  readonly graph: Graph;
  readonly defaults: Readonly<Record<string, number>>;
  /** Token ids of a text, for models with `input_ids` and a tokenizer. */
  readonly ids: readonly number[] | null;
}

/** One input of `length` tokens: real ids from `offset` on where there are any, else values from a seed. */
function goldenInputs({ graph, defaults, ids }: GoldenSource, length: number, offset: number): Record<string, Tensor> {
  const dims = Object.fromEntries(
    graph.dims.map(({ name, min, max }) => [name, name === 'batch' ? Math.max(1, min) : Math.min(max, Math.max(min, length))]),
  );
  const random = randomSource(0x2545f491 + offset);
  return Object.fromEntries(
    graph.inputs.map((node): [string, Tensor] => {
      const { name, elementType } = node.attributes;
      const shape = node.attributes.shape.map((size) => evaluateSize(size, dims));
      const count = shape.reduce((product, size) => product * size, 1);
      const vocabulary = vocabularyOf(graph, node);
      const value = (index: number): number => {
        if (name === 'input_ids' && ids?.[offset + index] !== undefined) return ids[offset + index] as number;
        if (defaults[name] !== undefined) return defaults[name];
        if (elementType === 'f32') return Math.fround(2 * random() - 1);
        return elementType === 'bool' ? 1 : Math.floor(random() * (vocabulary ?? 2));
      };
      const values = Array.from({ length: count }, (_, index) => value(index));
      const data =
        elementType === 'f32'
          ? Float32Array.from(values)
          : elementType === 'i32'
            ? Int32Array.from(values)
            : Uint8Array.from(values);
      return [name, { elementType, shape, data }];
    }),
  );
}

/** Lengths in tokens: one short; one long enough for principal keys where the plan has any. */
export function goldenLengths(graph: Graph, approximate: boolean, maxTokens: number): readonly number[] {
  const lengths = approximate && maxTokens >= denseBelowTokens ? [12, denseBelowTokens] : [12];
  return graph.dims.some((dim) => dim.name !== 'batch') ? lengths.map((length) => Math.min(length, maxTokens)) : [1];
}

// Stretches of the calibration text that are tried in turn.
const goldenCandidates = 4;

/** Whether other arithmetic gives what was recorded for these inputs. */
export type AcceptGolden = (golden: ManifestGolden, inputs: Readonly<Record<string, Tensor>>) => boolean;

/**
 * Golden vectors of a compiled graph, in float64. Principal keys are chosen: on an input where two keys score the same to
 * f32 rounding, another backend may rightly choose the other one. `accept` computes again in f32, or with errors of that size; an
 * input on which it differs is near such a tie, and the next stretch of text is taken. The last candidate stays whatever it gives:
 * a program that differs on all of them is wrong, and the check of the package says so. Not so where products are rounded, which turns
 * choices that are no ties: there the shortest input, which chooses nothing, is enough.
 */
export function goldenVectors(
  compiled: Graph,
  source: GoldenSource,
  values: (name: string) => Tensor,
  lengths: readonly number[],
  accept: AcceptGolden,
  rounding?: Rounding,
): ManifestGolden[] {
  return lengths.flatMap((length, index) => {
    for (let candidate = 0; ; candidate += 1) {
      const inputs = goldenInputs(source, length, candidate * length);
      const golden = goldenVector(compiled, inputs, values, rounding);
      if (accept(golden, inputs)) return [golden];
      if (candidate + 1 === goldenCandidates) return rounding && index > 0 ? [] : [golden];
    }
  });
}

/** The parameters that a graph names, as the package will hold them. */
export async function parameterValues(graph: Graph, parameters: Parameters): Promise<(name: string) => Tensor> {
  const values = new Map<string, Tensor>();
  for (const node of graphNodes(graph)) {
    if (!isOp(node, 'parameter')) continue;
    const { name } = node.attributes;
    if (values.has(name)) continue;
    values.set(name, { elementType: 'f32', shape: parameters.shape(name), data: await parameters.read(name) });
  }
  return (name) => values.get(name) as Tensor;
}

function goldenVector(
  compiled: Graph,
  inputs: Record<string, Tensor>,
  values: (name: string) => Tensor,
  rounding: Rounding | undefined,
): ManifestGolden {
  const outputs = interpret(compiled, { inputs, parameters: values, precision: 'f64' });
  return recordedGolden(inputs, outputs, rounding);
}

export function recordedGolden(
  inputs: Readonly<Record<string, Tensor>>,
  outputs: Readonly<Record<string, Tensor>>,
  rounding?: Rounding,
): ManifestGolden {
  const plain = ({ shape, data }: Tensor): { shape: readonly number[]; data: number[] } => ({ shape, data: Array.from(data) });
  const kept = ({ shape, data }: Tensor): { shape: readonly number[]; data: number[] } => ({
    shape,
    // Digits beyond those of f32 say nothing.
    data: Array.from(data.subarray(0, keptElements), (value) => Number(value.toPrecision(8))),
  });
  return {
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, tensor]) => [name, plain(tensor)])),
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, tensor]) => [name, kept(tensor)])),
    ...toleranceFor(rounding),
  };
}

/** Whether a program gives the recorded outputs, by the rule of a package's self-test. */
export function agreesWith(program: RunnableProgram, ports: Pick<Manifest, 'inputs' | 'dims'>, golden: ManifestGolden): boolean {
  const { dims, tensors } = prepareInputs(ports, golden.inputs);
  const inputs = Object.fromEntries(tensors.map(({ name, data }) => [name, data]));
  return goldenFault(golden, program.run(dims, inputs)) === undefined;
}

// Sums of some hundred products in f32 are off by a few units in the last place (2^-24), in whatever order they are summed; eight such
// units in every weight move all that is computed from them by more than that. The same errors with the other sign move it the other
// way: of a choice that they can turn, one of the two turns it.
const perturbation = 2 ** -21;
const signs = [1, -1] as const;
/**
 * Of rounded products the weights alone are disturbed here, and not what they are multiplied by: by more than both are, and what comes of it
 * has to be well within the tolerance.
 */
const roundedUnits = 4;
const roundedMargin = 4;

/**
 * Whether a recorded output is the same to its tolerance when every parameter is off by random errors of the arithmetic: then no choice is near
 * enough to a tie for the arithmetic of a backend to turn it. For targets that the compiler cannot run.
 */
export function isSteady(
  compiled: Graph,
  inputs: Readonly<Record<string, Tensor>>,
  values: (name: string) => Tensor,
  golden: ManifestGolden,
  rounding?: Rounding,
): boolean {
  const size = rounding ? roundedUnits * rounding.unit : perturbation;
  const expected = rounding ? { ...golden, tolerance: golden.tolerance / roundedMargin } : golden;
  return signs.every((sign) => {
    const random = randomSource(0x9e3779b9);
    const error = (): number => 1 + sign * size * (2 * random() - 1);
    const parameters = (name: string): Tensor => {
      const tensor = values(name);
      if (tensor.elementType !== 'f32') return tensor;
      return { ...tensor, data: Float64Array.from(tensor.data, (value) => value * error()) };
    };
    const outputs = interpret(compiled, { inputs, parameters, precision: 'f64' });
    return goldenFault(expected, outputs) === undefined;
  });
}
