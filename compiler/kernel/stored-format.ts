/** Which parameters stay in blocks on the way through the passes. */
import { isOp, type Node } from '../../ir/graph.ts';
import type { Stage } from '../../passes/pass.ts';
import { formatBlockFormat, sameBlockFormat, type BlockFormat } from '../weights/block-format.ts';

type FormatOf = (parameter: string) => BlockFormat | null;

/** What passes compare formats by. */
export function blockFormatKey(format: BlockFormat | null): string | null {
  return format && formatBlockFormat(format);
}

/**
 * The format of a parameter of a stage. A derived one stays in blocks where it stacks or takes rows of matrices of one format:
 * those can be copied block by block (compiler/weights/block-matrix.ts). Others are computed from plain numbers.
 */
export function formatInStage({ derived }: Stage, parameter: string, formatOf: FormatOf): BlockFormat | null {
  const node = derived.get(parameter);
  return node ? formatOfRows(node, formatOf) : formatOf(parameter);
}

function formatOfRows(node: Node, formatOf: FormatOf): BlockFormat | null {
  if (isOp(node, 'parameter')) return formatOf(node.attributes.name);
  const keepsRows = (isOp(node, 'concat') || isOp(node, 'slice')) && node.attributes.axis === 0;
  if (!keepsRows) return null;
  const [first = null, ...others] = node.inputs.map((input) => formatOfRows(input, formatOf));
  return others.every((other) => sameBlockFormat(first, other)) ? first : null;
}
