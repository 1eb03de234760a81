/** A graph of one cached attention over plain query, key and value inputs, and its run over a text cut into calls. */
import { stateTensorsOf, type CacheSpec } from '../../ir/cache.ts';
import { NodeTable, type Graph, type GraphState, type Node } from '../../ir/graph.ts';
import { emptyStates, interpretStep, type Precision } from '../../ir/interpret.ts';
import type { Tensor } from '../../ir/ops/definition.ts';

export interface CachedShape {
  readonly heads: number;
  readonly kvHeads: number;
  readonly size: number;
  /** Longest text. */
  readonly tokens: number;
}

export function cachedGraph(cache: CacheSpec, { heads, kvHeads, size, tokens }: CachedShape): Graph {
  const table = new NodeTable();
  const input = (name: string, count: number): Node<'input'> =>
    table.make('input', { name, elementType: 'f32', shape: [1, count, 'seq', size] }, []);
  const inputs = [input('query', heads), input('key', kvHeads), input('value', kvHeads)];
  const befores = stateTensorsOf(cache, { kvHeads, headSize: size, valueSize: size }).map((state) =>
    table.make('state', state, []),
  );
  const scale = 1 / Math.sqrt(size);
  const attention = table.make('cached_attention', { scale, past: 'past', cache }, [...inputs, ...befores]);
  const get = (index: number): Node => table.make('get', { index }, [attention]);
  return {
    name: `cached ${cache.kind}`,
    dims: [
      { name: 'seq', min: 1, max: tokens },
      { name: 'past', min: 0, max: tokens - 1 },
    ],
    inputs,
    outputs: [{ name: 'result', node: get(0) }],
    states: befores.map((before, index): GraphState => ({ before, after: get(index + 1) })),
    nodes: table,
  };
}

/**
 * The same of a model that rotates: a cache for each key/value head, whose keys, and their queries, are turned by their positions.
 * The positions of a call are one more input.
 */
export function rotatedGraph(caches: readonly CacheSpec[], { heads, kvHeads, size, tokens }: CachedShape): Graph {
  const table = new NodeTable();
  const input = (name: string, count: number): Node<'input'> =>
    table.make('input', { name, elementType: 'f32', shape: [1, count, 'seq', size] }, []);
  const positions = table.make('input', { name: 'positions', elementType: 'i32', shape: ['seq'] }, []);
  const inputs = [input('query', heads), input('key', kvHeads), input('value', kvHeads)];
  const [query, key, value] = inputs as [Node, Node, Node];
  const turn = (x: Node): Node => table.make('rope', { theta: 100, maxPositions: tokens, divisors: [] }, [x, positions]);
  const [turnedQuery, turnedKey] = [turn(query), turn(key)];
  const states: GraphState[] = [];
  const share = heads / kvHeads;
  const parts = caches.map((cache, head) => {
    const take = (of: Node, count: number): Node => table.make('slice', { axis: 1, start: head * count, length: count }, [of]);
    const befores = stateTensorsOf(cache, { kvHeads: 1, headSize: size, valueSize: size }).map((state) =>
      table.make('state', { ...state, name: `head${head}.${state.name}` }, []),
    );
    const attributes = { scale: 1 / Math.sqrt(size), past: 'past', cache };
    const operands = [take(turnedQuery, share), take(turnedKey, 1), take(value, 1)];
    const attention = table.make('cached_attention', attributes, [...operands, ...befores]);
    befores.forEach((before, at) => states.push({ before, after: table.make('get', { index: at + 1 }, [attention]) }));
    return table.make('get', { index: 0 }, [attention]);
  });
  return {
    name: 'rotated',
    dims: [
      { name: 'seq', min: 1, max: tokens },
      { name: 'past', min: 0, max: tokens - 1 },
    ],
    inputs: [...inputs, positions],
    outputs: [{ name: 'result', node: table.make('concat', { axis: 1 }, parts) }],
    states,
    nodes: table,
  };
}
/** The inputs of a call of a graph that reads the tokens [past, past + seq) of a text. */
export function callInputs({ inputs }: Graph, text: CachedText, past: number, seq: number): Record<string, Tensor> {
  const positions: Tensor = { elementType: 'i32', shape: [seq], data: Int32Array.from({ length: seq }, (_, row) => past + row) };
  return Object.fromEntries(
    inputs.map(({ attributes: { name } }) => [
      name,
      name === 'positions' ? positions : tokenRows(text[name as keyof CachedText], past, past + seq),
    ]),
  );
}

/** Rows [from, to) of axis 2. */
export function tokenRows({ elementType, shape, data }: Tensor, from: number, to: number): Tensor {
  const [, heads, rows, size] = shape as readonly [number, number, number, number];
  const part = Array.from({ length: heads }, (_, head) => [
    ...data.subarray((head * rows + from) * size, (head * rows + to) * size),
  ]);
  return { elementType, shape: [1, heads, to - from, size], data: Float64Array.from(part.flat()) };
}

export interface CachedText {
  readonly query: Tensor;
  readonly key: Tensor;
  readonly value: Tensor;
}
/** The results of all tokens, and the states after each call; `calls` are the lengths of the calls. */
export function runCached(
  graph: Graph,
  text: CachedText,
  calls: readonly number[],
  precision: Precision = 'f64',
): { readonly result: Tensor; readonly states: readonly Readonly<Record<string, Tensor>>[] } {
  let states: Readonly<Record<string, Tensor>> = emptyStates(graph, precision);
  const results: Tensor[] = [];
  const after: Readonly<Record<string, Tensor>>[] = [];
  let past = 0;
  for (const seq of calls) {
    const inputs = callInputs(graph, text, past, seq);
    const step = interpretStep(graph, {
      inputs,
      states,
      dims: { seq, past },
      precision,
      parameters: (name) => {
        throw new Error(`There is no parameter ${name}.`);
      },
    });
    states = step.states;
    results.push(step.outputs['result'] as Tensor);
    after.push(states);
    past += seq;
  }
  return { result: joinRows(results), states: after };
}
/** Calls of one text behind each other, along axis 2. */
export function joinRows(parts: readonly Tensor[]): Tensor {
  const [, heads, , size] = (parts[0] as Tensor).shape as readonly [number, number, number, number];
  const rows = Array.from({ length: heads }, (_, head) =>
    parts.flatMap((part) => {
      const count = part.shape[2] as number;
      return [...part.data.subarray(head * count * size, (head + 1) * count * size)];
    }),
  );
  const total = parts.reduce((sum, part) => sum + (part.shape[2] as number), 0);
  return { elementType: 'f32', shape: [1, heads, total, size], data: Float64Array.from(rows.flat()) };
}
