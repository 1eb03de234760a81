/**
 * The conformance suite of backends: what any target must compute, compared with the reference interpreter. A backend joins
 * with one line: `conformance(wasmBackend)`.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { build, emit } from '../../compiler/build.ts';
import type { Target, TargetFile } from '../../compiler/codegen/target.ts';
import type { RunInputs, StatefulCall } from '../../compiler/program/run-program.ts';
import { graphNodes, NodeTable, type Graph, type Node } from '../../ir/graph.ts';
import { evaluateNodes, interpret } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';
import type { OpName } from '../../ir/ops/attributes.ts';
import { opNames } from '../../ir/ops/table.ts';
import { densePlan, type AttentionPlan } from '../../passes/atp/plan.ts';
import type { TensorOutput } from '../../runtime/api.ts';
import type { Program } from '../../runtime/format/program.ts';
import { requires, type Requirement } from '../requirements.ts';
import { generators } from '../ref/random-ops.ts';
import { opsOf, randomGraph, type RandomGraph } from '../ref/random-graph.ts';

type Awaitable<T> = T | Promise<T>;
/** A program on a backend, as `RunnableProgram` (compiler/program/run-program.ts); a device may take its time. */
export interface BackendProgram {
  run(
    dims: Readonly<Record<string, number>>,
    inputs: RunInputs,
    call?: StatefulCall,
  ): Awaitable<Readonly<Record<string, TensorOutput>>>;
  openState(): Awaitable<number>;
  closeState(state: number): void;
  readState(state: number, name: string): Awaitable<Float32Array | Int32Array>;
  readonly memoryBytes: number;
}

export interface Backend {
  readonly name: string;
  readonly target: Target;
  /** The build of the target's kernels, by the features that it needs. */
  readonly build: readonly string[];
  /** Ops that the target has no kernel for, which is said with ATPC-307; and modes that need them. */
  readonly refuses?: { readonly ops: readonly OpName[]; readonly modes: readonly string[] };
  /** What the engine may lack for it. */
  readonly needs?: { readonly requirement: Requirement; readonly isThere: () => boolean };
  /** Bytes that it holds at these dims beside the arenas of a program; none by default. */
  besidesArenas?(program: Program, dims: Readonly<Record<string, number>>): number;
  /** Loads emitted kernels; the tensors are asked for by the names in the program. */
  instantiate(
    program: Program,
    files: readonly TargetFile[],
    tensor: (name: string) => Promise<Float32Array | Uint8Array>,
  ): Promise<BackendProgram>;
}

/** f32 kernels against float64 sums over the small tensors of random graphs. */
const tolerance = 1e-4;
/** Where a target rounds what it multiplies, its results are as close as its rounding lets them be. */
export const within = ({ target }: Backend, exact: number): number => Math.max(exact, target.rounding?.tolerance ?? 0);
/**
 * Of a whole model: number by number where nothing is rounded, and else by the length of the error, since roundings of all layers meet in
 * some number or other.
 */
export function expectModel(
  { target }: Backend,
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  exact: number,
  what: string,
): void {
  if (target.rounding === undefined) return expectClose(found, expected, exact, what);
  expect(found.length, what).to.equal(expected.length);
  const length = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  const errors = Array.from(expected, (value, index) => (found[index] ?? NaN) - value);
  expect(length(errors), what).to.be.at.most(target.rounding.tolerance * length(Array.from(expected)));
}

export function asRunInputs(inputs: Readonly<Record<string, Tensor>>): RunInputs {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { elementType, data }]) => [
      name,
      elementType === 'f32' ? Float32Array.from(data) : Int32Array.from(data),
    ]),
  );
}
export function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, allowed: number, what: string): void {
  expect(found.length, what).to.equal(expected.length);
  for (let index = 0; index < expected.length; index += 1) {
    const [a, b] = [found[index] as number, expected[index] as number];
    if (Object.is(a, b) || a === b) continue;
    expect(Math.abs(a - b), `${what}[${index}]: ${a} against ${b}`).to.be.at.most(allowed * Math.max(1, Math.abs(b)));
  }
}

export interface CompiledGraph {
  readonly program: BackendProgram;
  /** The graph after all passes. */
  readonly graph: Graph;
}
/** Compiles a graph for a backend, with the given values of its parameters. */
export async function compileFor(
  backend: Backend,
  graph: Graph,
  parameters: (name: string) => Tensor,
  plan: AttentionPlan = densePlan,
): Promise<CompiledGraph> {
  const built = build(graph, { plan, target: backend.target, verify: true });
  const { files } = await emit(built, backend.target, { build: backend.build });
  const { derived } = built.stage;
  const read = async (name: string): Promise<Float32Array> => {
    const node = derived.get(name);
    const tensor = node ? (evaluateNodes([node], { parameters }).get(node)?.[0] as Tensor) : parameters(name);
    return Float32Array.from(tensor.data);
  };
  return { program: await backend.instantiate(built.program, files, read), graph: built.stage.graph };
}

async function compareWithInterpreter(backend: Backend, random: RandomGraph): Promise<void> {
  const { program } = await compileFor(backend, random.graph, random.parameters);
  const found = await program.run(random.dims, asRunInputs(random.inputs));
  const expected = interpret(random.graph, {
    inputs: random.inputs,
    parameters: random.parameters,
    dims: random.dims,
    precision: 'f64',
  });
  for (const [name, tensor] of Object.entries(expected)) {
    expect(found[name]?.shape, name).to.deep.equal(tensor.shape);
    expectClose(found[name]?.data ?? [], tensor.data, within(backend, tolerance), name);
  }
}

/** Selections exist only inside the attention that reads them: outputs that are one are left out; null if another op reads one. */
function withoutSelections(random: RandomGraph): RandomGraph | null {
  const isSelection = (node: Node): boolean =>
    node.op === 'select_clusters' || node.op === 'rank_keys' || (node.op === 'get' && node.inputs.some(isSelection));
  const outputs = random.graph.outputs.filter(({ node }) => !isSelection(node));
  const graph = { ...random.graph, outputs };
  const readers = graphNodes(graph).filter((node) => node.op !== 'get' && node.inputs.some(isSelection));
  return outputs.length > 0 && readers.every((node) => node.op === 'attention') ? { ...random, graph } : null;
}

/** Tensors of a small attention problem: two sequences, the second one padded. */
export function attentionProblem(
  tokens: number,
  padded: number,
): { readonly nodes: NodeTable; readonly inputs: Record<string, Tensor>; readonly node: Record<string, Node> } {
  const nodes = new NodeTable();
  const [heads, size] = [3, 8];
  let state = 7;
  const random = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32) * 2 - 1;
  };
  const values = (): Tensor => ({
    elementType: 'f32',
    shape: [2, heads, tokens, size],
    data: Float32Array.from({ length: 2 * heads * tokens * size }, () => 2 * random()),
  });
  const mask = Uint8Array.from({ length: 2 * tokens }, (_, index) => (index < 2 * tokens - padded ? 1 : 0));
  const inputs: Record<string, Tensor> = {
    query: values(),
    key: values(),
    value: values(),
    mask: { elementType: 'bool', shape: [2, tokens], data: mask },
    tokens: { elementType: 'i32', shape: [2], data: Int32Array.of(tokens, tokens - padded) },
  };
  const node = Object.fromEntries(
    Object.entries(inputs).map(([name, { elementType, shape }]) => [
      name,
      nodes.make('input', { name, elementType, shape }, []) as Node,
    ]),
  );
  return { nodes, inputs, node };
}

export function conformance(backend: Backend): void {
  describe(`backend ${backend.name}`, () => {
    before(function () {
      if (backend.needs) requires(this, backend.needs.requirement, backend.needs.isThere());
    });
    // Selections live inside the attention that reads them; random attention draws them. What outlives a call has a suite of
    // its own (cache-conformance.ts).
    const drawn = opNames.filter(
      (op) => generators[op] !== null && op !== 'select_clusters' && op !== 'rank_keys' && !backend.refuses?.ops.includes(op),
    );
    // Rounding reaches nothing but these; other ops have the kernels that the target has without it.
    const rounded: readonly OpName[] = ['matmul', 'attention'];
    for (const op of backend.target.rounding ? rounded : drawn) {
      it(`computes ${op} as the interpreter does`, async () => {
        let seen = 0;
        for (let seed = 1; seed <= 6; seed += 1) {
          const random = withoutSelections(randomGraph({ seed: seed * 7919, ops: [op], length: 2 }));
          if (!random) continue;
          if (opsOf(random.graph).has(op)) seen += 1;
          await compareWithInterpreter(backend, random);
        }
        expect(seen).to.be.greaterThan(0);
      });
    }
    it('computes random graphs as the interpreter does', async () => {
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 30 }), fc.integer({ min: 2, max: 14 }), async (seed, length) => {
          const random = withoutSelections(randomGraph({ seed, length, ops: drawn }));
          fc.pre(random !== null);
          await compareWithInterpreter(backend, random);
        }),
        { numRuns: 40, seed: 20240305 },
      );
    });
    describe('laws of principal keys', () => {
      const attributes = (
        rules: readonly { rule: 'padding' }[],
      ): { scale: number; segments: { scored: boolean; bias: boolean; visible: readonly { rule: 'padding' }[] }[] } => ({
        scale: 0.35,
        segments: [{ scored: false, bias: false, visible: rules }],
      });
      const graphOf = (nodes: NodeTable, node: Record<string, Node>, output: Node): Graph => ({
        name: 'law',
        dims: [],
        inputs: Object.values(node) as Node<'input'>[],
        outputs: [{ name: 'out', node: output }],
        nodes,
      });
      const run = async (
        nodes: NodeTable,
        node: Record<string, Node>,
        inputs: Record<string, Tensor>,
        output: Node,
      ): Promise<ArrayLike<number>> => {
        const graph = graphOf(nodes, node, output);
        const { program } = await compileFor(backend, graph, () => inputs['query'] as Tensor);
        return (await program.run({}, asRunInputs(inputs)))['out']?.data ?? [];
      };
      const [tokens, padded] = [150, 37];
      /** Queries that choose clusters together: one by itself, and as many as the target would have it. */
      const tiles = [...new Set([1, backend.target.queriesPerChoice])];
      /** Attention to clusters of which each tile of queries reads `count` by their tokens. */
      const expand = (nodes: NodeTable, node: Record<string, Node>, count: number, tile: number): Node => {
        const { query, key, value, mask, tokens: unpadded } = node as Record<'query' | 'key' | 'value' | 'mask' | 'tokens', Node>;
        const clusters = nodes.make('cluster', { blockTokens: 64, keysPerBlock: 8, iterations: 5 }, [key, value, mask]) as Node;
        const part = (index: number): Node => nodes.make('get', { index }, [clusters]);
        const choosers = [query, part(2), part(4), part(5), unpadded];
        const selection = nodes.make('select_clusters', { scale: 0.35, count, tile }, choosers) as Node;
        const sorted = (x: Node): Node => nodes.make('gather', { batchAxes: 2 }, [x, part(0)]);
        const segments = [
          { scored: false, bias: true, visible: [{ rule: 'notChosen' } as const] },
          { scored: false, bias: false, visible: [{ rule: 'chosen' } as const] },
        ];
        const operands = [query, part(2), part(3), part(4), selection, sorted(key), sorted(value), selection, part(1)];
        return nodes.make('attention', { scale: 0.35, segments }, operands);
      };

      for (const tile of tiles) {
        it(`reads the tokens of the clusters that the op chooses for ${tile} queries together`, async () => {
          const { nodes, inputs, node } = attentionProblem(tokens, padded);
          const output = expand(nodes, node, 3, tile);
          const expected = interpret(graphOf(nodes, node, output), {
            inputs,
            parameters: () => inputs['query'] as Tensor,
            precision: 'f64',
          });
          expectClose(
            await run(nodes, node, inputs, output),
            (expected['out'] as Tensor).data,
            within(backend, 1e-5),
            `${tile} together`,
          );
        });
      }

      it('all clusters expanded, all keys ranked and one token a segment equal dense to 1e-5', async () => {
        const { nodes, inputs, node } = attentionProblem(tokens, padded);
        const { query, key, value, mask } = node as { query: Node; key: Node; value: Node; mask: Node };
        const dense = nodes.make('attention', attributes([{ rule: 'padding' }]), [query, key, value, mask]) as Node;
        const expanded = tiles.map((tile) => expand(nodes, node, 1000, tile));
        const means = nodes.make('segment_means', { count: 'tokens' }, [key, value, mask]) as Node;
        const mean = (index: number): Node => nodes.make('get', { index }, [means]);
        const single = nodes.make('attention', { scale: 0.35, segments: [{ scored: false, bias: true, visible: [] }] }, [
          query,
          mean(0),
          mean(1),
          mean(2),
        ]) as Node;
        const ranked = nodes.make('rank_keys', { scale: 0.35, count: 'tokens' }, [query, key, mask]) as Node;
        const best = nodes.make(
          'attention',
          {
            scale: 0.35,
            segments: [{ scored: false, bias: false, visible: [{ rule: 'selected' }, { rule: 'tokens', atLeast: 0 }] }],
          },
          [query, key, value, nodes.make('get', { index: 0 }, [ranked]) as Node, node['tokens'] as Node],
        ) as Node;
        const expected = await run(nodes, node, inputs, dense);
        for (const [name, output] of [
          ...expanded.map((output) => ['expanded', output] as const),
          ['single', single],
          ['best', best],
        ] as const) {
          expectClose(await run(nodes, node, inputs, output), expected, within(backend, 1e-5), name);
        }
      });
      it('keys split into segments anywhere and merged are the same', async () => {
        const { nodes, inputs, node } = attentionProblem(tokens, 0);
        const { query, key, value } = node as { query: Node; key: Node; value: Node };
        const expected = await run(nodes, node, inputs, nodes.make('attention', attributes([]), [query, key, value]));
        for (const at of [1, 63, 128]) {
          const part = (x: Node, start: number, length: number): Node => nodes.make('slice', { axis: 2, start, length }, [x]);
          const segment = { scored: false, bias: false, visible: [] };
          const operands = [part(key, 0, at), part(value, 0, at), part(key, at, tokens - at), part(value, at, tokens - at)];
          const split = nodes.make('attention', { scale: 0.35, segments: [segment, segment] }, [query, ...operands]) as Node;
          expectClose(await run(nodes, node, inputs, split), expected, within(backend, 1e-5), `split at ${at}`);
        }
      });
    });
  });
}
