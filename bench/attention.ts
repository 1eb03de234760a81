/**
 * The time of attention alone, through the WASM target: one head, one sequence without padding, random queries, keys and
 * values. Graphs are built from the rows of the mode table, as the compiler builds them; the work of a mode itself
 * (clustering, ranking) is part of its time.
 */
import { build, emit, moduleOf } from '../compiler/build.ts';
import { principalDirections } from '../compiler/calibrate/principal-directions.ts';
import { targetNamed } from '../compiler/codegen/targets.ts';
import { instantiateProgram, type RunInputs, type RunnableProgram } from '../compiler/program/run-program.ts';
import { hasFeature } from '../runtime/backends/wasm/feature-probe.ts';
import type { WasmFeature } from '../runtime/format/manifest.ts';
import { isOp, NodeTable, type Graph, type Node } from '../ir/graph.ts';
import { rewriteGraph } from '../ir/rewrite.ts';
import { modes, type ModeName } from '../passes/atp/modes/table.ts';
import { directionsParameter } from '../passes/atp/modes/topr.ts';
import { densePlan } from '../passes/atp/plan.ts';
import { countTokens, type AttentionSite, type MakeNode } from '../passes/atp/site.ts';
import type { Share } from '../passes/atp/share.ts';

export interface AttentionCase {
  readonly label: string;
  readonly mode: Exclude<ModeName, 'svd' | 'shared'>;
  readonly share: Share;
  /** Clusters that a query expands, where it is not the mode's own count. */
  readonly expanded?: number;
}
export interface AttentionTime {
  readonly headSize: number;
  readonly label: string;
  readonly tokens: number;
  /** Median of `runs`; null where one run would take longer than a minute. */
  readonly milliseconds: number | null;
  readonly runs: number;
}
export interface PrincipalRowsTime {
  readonly tokens: number;
  readonly width: number;
  readonly milliseconds: number;
}

const quarter: Share = [1, 4];
export const attentionCases: readonly AttentionCase[] = [
  { label: 'dense', mode: 'dense', share: [1, 1] },
  { label: 'expand 1/4', mode: 'expand', share: quarter },
  { label: 'expand, 16 clusters of 8', mode: 'expand', share: quarter, expanded: 16 },
  { label: 'topr 1/4', mode: 'topr', share: quarter },
  { label: 'cluster 1/4', mode: 'cluster', share: quarter },
  { label: 'segment 1/4', mode: 'segment', share: quarter },
];
export const attentionLengths: readonly number[] = [512, 1024, 2048, 4096, 8192, 16384, 32768];
export const headSizes: readonly number[] = [64, 32];

const longest = 32768;
const enoughMilliseconds = 600;
// A median of fewer than three runs is not one; but nobody waits long for it.
const fewestRuns = 3;
const longMilliseconds = 6000;
const mostRuns = 7;
const tooLongMilliseconds = 60_000;

/** Standard normal numbers (Box and Muller) from a fixed linear congruential generator: the same on every machine. */
function normals(count: number, seed: number): Float32Array<ArrayBuffer> {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

function attentionGraph({ mode, share, expanded }: AttentionCase, headSize: number): Graph {
  const nodes = new NodeTable();
  const make: MakeNode = (op, attributes, inputs) => nodes.make(op, attributes, inputs);
  const head = (name: string): Node<'input'> =>
    nodes.make('input', { name, elementType: 'f32', shape: [1, 1, 'seq', headSize] }, []);
  const [query, key, value] = [head('query'), head('key'), head('value')];
  const mask = nodes.make('input', { name: 'mask', elementType: 'bool', shape: [1, 'seq'] }, []);
  const site: AttentionSite = {
    layer: 0,
    make,
    query: query,
    key: key,
    value: value,
    mask: mask,
    tokens: countTokens(make, mask),
    scale: 1 / Math.sqrt(headSize),
    queriesPerChoice: targetNamed('wasm').queriesPerChoice,
    kvHeads: { chosen: [0], total: 1 },
    projections: null,
  };
  const graph: Graph = {
    name: 'attention',
    dims: [{ name: 'seq', min: 1, max: longest }],
    inputs: [query, key, value, mask],
    outputs: [{ name: 'out', node: modes[mode].build(site, share) }],
    nodes,
  };
  if (expanded === undefined) return graph;
  return rewriteGraph(graph, 'fixed number of expanded clusters', (node, inputs) =>
    isOp(node, 'select_clusters') ? make('select_clusters', { ...node.attributes, count: expanded }, inputs) : undefined,
  );
}

function attentionInputs(tokens: number, headSize: number): RunInputs {
  const count = tokens * headSize;
  return { query: normals(count, 1), key: normals(count, 2), value: normals(count, 3), mask: new Int32Array(tokens).fill(1) };
}

/** The build that `load` would choose in this engine for one thread. */
const features: readonly WasmFeature[] = hasFeature('relaxed-simd') ? ['simd128', 'relaxed-simd'] : ['simd128'];

async function compiled(graph: Graph, parameter: (name: string) => Promise<Float32Array>): Promise<RunnableProgram> {
  const target = targetNamed('wasm');
  const built = build(graph, { plan: densePlan, target, verify: false });
  const { files } = await emit(built, target, { build: features });
  const { derived } = built.stage;
  // One head's directions are used as they are: a derived parameter is that one under another name.
  return instantiateProgram(built.program, moduleOf(files, features), (name) =>
    parameter(derived.has(name) ? directionsParameter(0) : name),
  );
}

function directionsOf(headSize: number): Float32Array {
  const tokens = 2048;
  const key = { elementType: 'f32' as const, shape: [1, 1, tokens, headSize], data: normals(tokens * headSize, 2) };
  return principalDirections([{ query: key, key, value: key }]).data;
}

function timeOnce(program: RunnableProgram, tokens: number, inputs: RunInputs): number {
  const before = performance.now();
  program.run({ seq: tokens }, inputs);
  return performance.now() - before;
}

/** Median of several runs, fewer where a run is long. */
function timeRuns(
  program: RunnableProgram,
  tokens: number,
  inputs: RunInputs,
): { readonly milliseconds: number; readonly runs: number } {
  const times: number[] = [];
  const wanted = (total: number): boolean =>
    times.length < mostRuns && total < (times.length < fewestRuns ? longMilliseconds : enoughMilliseconds);
  for (let total = 0; wanted(total);) {
    const milliseconds = timeOnce(program, tokens, inputs);
    times.push(milliseconds);
    total += milliseconds;
  }
  times.sort((a, b) => a - b);
  return { milliseconds: times[times.length >> 1] as number, runs: times.length };
}

/** Every case at every length, for heads of each size. */
export async function measureAttention(
  lengths: readonly number[],
  progress: (text: string) => void,
): Promise<readonly AttentionTime[]> {
  const results: AttentionTime[] = [];
  for (const headSize of headSizes) {
    const directions = directionsOf(headSize);
    for (const attentionCase of attentionCases) {
      const { label } = attentionCase;
      const program = await compiled(attentionGraph(attentionCase, headSize), () => Promise.resolve(directions));
      // The engine compiles kernels twice, quickly and well, and swaps them while they run: not part of the measurement.
      const [shortest = 512] = lengths;
      const warmUp = attentionInputs(shortest, headSize);
      for (let total = 0; total < enoughMilliseconds;) total += timeOnce(program, shortest, warmUp);
      let last = { tokens: shortest, milliseconds: 0 };
      for (const tokens of lengths) {
        progress(`timing: ${label}, head of ${headSize}, ${tokens} tokens`);
        // No case grows faster than the square of the length.
        const expected = last.milliseconds * (tokens / last.tokens) ** 2;
        if (expected > tooLongMilliseconds) {
          results.push({ headSize, label, tokens, milliseconds: null, runs: 0 });
          continue;
        }
        const { milliseconds, runs } = timeRuns(program, tokens, attentionInputs(tokens, headSize));
        last = { tokens, milliseconds };
        results.push({ headSize, label, tokens, milliseconds, runs });
      }
    }
  }
  return results;
}

/** The decomposition behind mode svd, which works on the hidden states of a layer and not on a head. */
export async function measurePrincipalRows(
  lengths: readonly number[],
  width: number,
  progress: (text: string) => void,
): Promise<readonly PrincipalRowsTime[]> {
  const nodes = new NodeTable();
  const x = nodes.make('input', { name: 'x', elementType: 'f32', shape: [1, 'seq', width] }, []);
  const mask = nodes.make('input', { name: 'mask', elementType: 'bool', shape: [1, 'seq'] }, []);
  const principal = nodes.make('principal_rows', { count: ['ceil/', 'tokens', 4] }, [x as Node, mask as Node]);
  const graph: Graph = {
    name: 'principal rows',
    dims: [{ name: 'seq', min: 1, max: 512 }],
    inputs: [x, mask],
    outputs: [{ name: 'rows', node: nodes.make('get', { index: 0 }, [principal as Node]) }],
    nodes,
  };
  const program = await compiled(graph, () => Promise.reject(new Error('The graph has no parameters.')));
  return lengths.map((tokens) => {
    progress(`timing: principal rows of ${tokens} hidden states`);
    const inputs: RunInputs = { x: normals(tokens * width, 4), mask: new Int32Array(tokens).fill(1) };
    timeOnce(program, tokens, inputs);
    return { tokens, width, milliseconds: timeRuns(program, tokens, inputs).milliseconds };
  });
}
