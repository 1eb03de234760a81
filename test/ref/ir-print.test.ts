import { expect } from 'chai';
import { generators } from './random-ops.ts';
import fc from 'fast-check';
import { opsOf, randomGraph } from './random-graph.ts';
import { largestDifference } from './tensors.ts';
import { graphNodes, type Graph } from '../../ir/graph.ts';
import { interpret } from '../../ir/interpret.ts';
import { opNames } from '../../ir/ops/table.ts';
import { parseGraph } from '../../ir/parse.ts';
import { parseSize } from '../../ir/parse-size.ts';
import { printGraph } from '../../ir/print.ts';
import { formatSize, type Size } from '../../ir/size.ts';
import { ParseError } from '../../ir/scanner.ts';
import { verifyGraph } from '../../ir/verify.ts';

const seeds = fc.integer({ min: 0, max: 2 ** 31 });
const sizes = fc.letrec<{ size: Size }>((tie) => ({
  size: fc.oneof(
    { depthSize: 'small' },
    fc.integer({ min: -9, max: 9 }),
    fc.constantFrom('seq', 'batch', 'min', 'tokens'),
    fc.tuple(fc.constantFrom('+', '*', 'floor/', 'ceil/', 'min', 'max'), tie('size'), tie('size')),
  ),
})).size;

/** Nodes as plain data, inputs by their place. */
function structure(graph: Graph): unknown {
  const order = graphNodes(graph);
  const places = new Map(order.map((node, place) => [node, place]));
  return {
    name: graph.name,
    dims: graph.dims,
    inputs: graph.inputs.map(({ attributes, type }) => ({ attributes, type })),
    nodes: order.map(({ op, attributes, inputs, type }) => ({
      op,
      attributes,
      type,
      inputs: inputs.map((input) => places.get(input)),
    })),
    outputs: graph.outputs.map(({ name, node }) => ({ name, node: places.get(node) })),
  };
}

describe('ir: text form', () => {
  it('comes back as the same graph', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { graph } = randomGraph({ seed });
        const text = printGraph(graph);
        const back = parseGraph(text);
        expect(printGraph(back)).to.equal(text);
        expect(structure(back)).to.deep.equal(structure(graph));
      }),
      { numRuns: 100 },
    );
  });

  it('covers every op and passes the verifier', () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 150; seed += 1) {
      const { graph } = randomGraph({ seed });
      verifyGraph(graph);
      for (const op of opsOf(graph)) seen.add(op);
    }
    // Ops without a generator have round trips of their own (ir-caches.test.ts).
    expect(opNames.filter((op) => !seen.has(op) && generators[op] !== null)).to.deep.equal([]);
  });

  it('computes the same when it has come back', () => {
    for (let seed = 0; seed < 20; seed += 1) {
      const { graph, ...options } = randomGraph({ seed });
      const before = interpret(graph, options);
      const after = interpret(parseGraph(printGraph(graph)), options);
      for (const { name } of graph.outputs) {
        const [a, b] = [before[name], after[name]];
        if (a === undefined || b === undefined) throw new Error(`The output ${name} is missing.`);
        expect(largestDifference(a, b)).to.equal(0);
      }
    }
  });

  it('carries provenance', () => {
    const { graph } = randomGraph({ seed: 7 });
    const node = graph.outputs[0]?.node;
    if (node === undefined) throw new Error('A graph has outputs.');
    graph.nodes.setProvenance(node, { name: 'query "x"', file: 'bert.ts', line: 12, passes: ['atp: expand 1/4'] });
    const text = printGraph(graph, { provenance: true });
    const back = parseGraph(text);
    expect(printGraph(back, { provenance: true })).to.equal(text);
    expect(back.nodes.provenance(back.outputs[0]?.node ?? node)).to.deep.equal(graph.nodes.provenance(node));
    expect(printGraph(graph)).to.not.contain('bert.ts');
  });

  it('writes a graph that a person can read', () => {
    const text = [
      'graph "tiny" {',
      '  dim seq 1..512',
      '  %0 = input {name: "ids", elementType: i32, shape: [seq]} : i32[seq]',
      '  %1 = parameter {name: "table", elementType: f32, shape: [100, 8]} : f32[100, 8]',
      '  %2 = gather(%1, %0) {batchAxes: 0} : f32[seq, 8]',
      '  %3 = constant {elementType: f32, value: -Infinity} : f32[]',
      '  %4 = maximum(%2, %3) : f32[seq, 8]',
      '  output "embedding" = %4',
      '}',
      '',
    ].join('\n');
    expect(printGraph(parseGraph(text))).to.equal(text);
  });

  const broken: readonly (readonly [string, string, string])[] = [
    ['an op that does not exist', '  %0 = inputt {name: "x"} : f32[]', 'Line 2: "inputt" is not an op.'],
    [
      'a wrong type',
      '  %0 = constant {elementType: f32, value: 1} : f32[3]',
      'Line 2: constant gives f32[], but the line says "f32[3]".',
    ],
    ['a missing attribute', '  %0 = constant {value: 1} : f32[]', 'Line 2: constant lacks its attribute "elementType".'],
    [
      'an unknown attribute',
      '  %0 = constant {valu: 1} : f32[]',
      'Line 2: constant has no attribute "valu"; it has elementType, value.',
    ],
    ['a node that is not there', '  %1 = exp(%0) : f32[]', 'Line 2: %0 is used before it is defined.'],
    [
      'a number that is none',
      '  %0 = constant {elementType: f32, value: x} : f32[]',
      'Line 2: expected a number but found "x} : f32[]".',
    ],
    [
      'an unknown function',
      '  %0 = iota {shape: [mod(seq, 2)], axis: 0} : i32[2]',
      'Line 2: "mod" is not a function of sizes; there are floordiv, ceildiv, min, max.',
    ],
  ];
  for (const [what, line, message] of broken) {
    it(`names the line of ${what}`, () => {
      expect(() => parseGraph(`graph "g" {\n${line}\n}\n`)).to.throw(ParseError, message);
    });
  }
  it('names the end of a graph that is cut off', () => {
    expect(() => parseGraph('graph "g" {\n  dim seq 1..2')).to.throw(ParseError, 'Line 2: the graph lacks its closing "}".');
  });

  it('reads back every size as it was written', () => {
    fc.assert(
      fc.property(sizes, (size) => {
        expect(parseSize(formatSize(size))).to.deep.equal(size);
      }),
    );
  });
});
