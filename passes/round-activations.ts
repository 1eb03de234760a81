/**
 * What products in integers do to a model, as a graph: the left side of a product with a weight in blocks is rounded to 8 bits, block by
 * block of its last axis, x = scale * q with q from -127 to 127 and scale the largest |x| of the block over 127. Backends with such
 * products round inside of their kernels; this is for measuring what it costs on a backend that has none.
 */
import { isOp, tensorOf, type Graph, type Node } from '../ir/graph.ts';
import { rewriteGraph } from '../ir/rewrite.ts';
import type { Size } from '../ir/size.ts';
import type { MakeNode } from './atp/site.ts';

const largestQuant = 127;

/** Elements of a block of a parameter; null for plain numbers, whose products stay as they are. */
export type BlockOf = (parameter: string) => number | null;

/** Elements of the blocks that the left side of a product is rounded in; null for nodes of which nothing is. */
export function roundedBlock(node: Node, blockOf: BlockOf): number | null {
  const [, right] = node.inputs;
  if (!isOp(node, 'matmul') || !node.attributes.transposeRight || !right || !isOp(right, 'parameter')) return null;
  return blockOf(right.attributes.name);
}

export function roundActivations(graph: Graph, blockOf: BlockOf): Graph {
  const make: MakeNode = (op, attributes, inputs) => graph.nodes.make(op, attributes, inputs);
  return rewriteGraph(graph, 'round activations', (node, [left, right]) => {
    const block = roundedBlock(node, blockOf);
    if (block === null || !left || !right || !isOp(node, 'matmul')) return undefined;
    return make('matmul', node.attributes, [rounded(make, left, block), right]);
  });
}

function rounded(make: MakeNode, x: Node, block: number): Node {
  const number = (value: number): Node => make('constant', { elementType: 'f32', value }, []);
  const { shape } = tensorOf(x);
  const depth = shape.at(-1);
  if (typeof depth !== 'number' || depth % block !== 0)
    throw new RangeError(`Rows of ${String(depth)} have no blocks of ${block}.`);
  const blocks = make('reshape', { shape: [...shape.slice(0, -1), depth / block, block] satisfies readonly Size[] }, [x]);
  const absolute = make('maximum', {}, [blocks, make('negate', {}, [blocks])]);
  const largest = make('reduce_max', { axis: shape.length }, [absolute]);
  const isZero = make('equal', {}, [largest, number(0)]);
  const inverse = make('where', {}, [isZero, number(0), make('divide', {}, [number(largestQuant), largest])]);
  const scaled = make('multiply', {}, [blocks, inverse]);
  // A cast cuts off what is behind the point.
  const half = make('where', {}, [make('less', {}, [scaled, number(0)]), number(-0.5), number(0.5)]);
  const quants = make('cast', { to: 'f32' }, [make('cast', { to: 'i32' }, [make('add', {}, [scaled, half])])]);
  const back = make('multiply', {}, [quants, make('divide', {}, [largest, number(largestQuant)])]);
  return make('reshape', { shape }, [back]);
}
