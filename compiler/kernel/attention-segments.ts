/** From the segments of an attention node to those of an attention kernel: which runs of segments are one structure. */
import { isOp, tensorOf, type Node } from '../../ir/graph.ts';
import type { AttentionSegment, VisibleRule } from '../../ir/ops/attributes.ts';
import { segmentOperands, type RuleOperands } from '../../ir/ops/segments.ts';
import { AtpcError } from '../../runtime/errors.ts';
import type { AttentionKernelSegment, TokenRange } from './kernel.ts';

/** How an operand must lie in memory, and the integers that go with it. */
export type OperandLayout =
  | 'heads' // [b, heads, rows, size], any strides but 1 for the last: hands over (batch, head, row)
  | 'perHead' // [b, heads, keys]: hands over (batch, head)
  | 'contiguous';
export interface SegmentOperand {
  readonly node: Node;
  readonly layout: OperandLayout;
}
export interface KernelSegment {
  readonly segment: AttentionKernelSegment;
  /** In the order of kernel.ts. */
  readonly operands: readonly SegmentOperand[];
  /** Nodes whose numbers of keys (axis 2) come first among the integers: s; or C in use, C in all and s. */
  readonly counts: readonly Node[];
}

interface ParsedSegment {
  readonly attributes: AttentionSegment;
  readonly keyOrScore: Node;
  readonly value: Node;
  readonly bias: Node | null;
  readonly rules: ReadonlyMap<VisibleRule['rule'], RuleOperands<Node>>;
}

function parseSegments(node: Node<'attention'>): readonly ParsedSegment[] {
  return segmentOperands(node.attributes.segments, node.inputs).map(({ segment, key, value, bias, rules }) => ({
    attributes: segment,
    keyOrScore: key,
    value,
    bias,
    rules: new Map(rules.map((operands) => [operands.rule.rule, operands])),
  }));
}

function tokenRange(segment: ParsedSegment): { readonly range: TokenRange | null; readonly tokens: Node | null } {
  const found = segment.rules.get('tokens');
  if (found?.rule.rule !== 'tokens') return { range: null, tokens: null };
  const { atLeast, below } = found.rule;
  const range = { ...(atLeast === undefined ? {} : { atLeast }), ...(below === undefined ? {} : { below }) };
  return { range, tokens: found.inputs[0] ?? null };
}

function only(segment: ParsedSegment, rules: readonly VisibleRule['rule'][]): boolean {
  return [...segment.rules.keys()].every((rule) => rules.includes(rule));
}
function sourceOf(node: Node | undefined, op: 'select_clusters' | 'rank_keys'): Node | undefined {
  const source = node && isOp(node, 'get') ? node.inputs[0] : node;
  return source?.op === op ? source : undefined;
}
const heads = (node: Node): SegmentOperand => ({ node, layout: 'heads' });
const contiguous = (node: Node): SegmentOperand => ({ node, layout: 'contiguous' });

function keysSegment(parsed: ParsedSegment): KernelSegment | null {
  if (parsed.attributes.scored || !only(parsed, ['padding', 'causal', 'window', 'tokens'])) return null;
  const { range, tokens } = tokenRange(parsed);
  const window = parsed.rules.get('window')?.rule;
  const mask = parsed.rules.get('padding')?.inputs[0];
  return {
    segment: {
      kind: 'keys',
      bias: parsed.bias !== null,
      mask: mask !== undefined,
      causal: parsed.rules.has('causal'),
      window: window?.rule === 'window' ? window.size : null,
      tokens: range,
    },
    operands: [
      heads(parsed.keyOrScore),
      heads(parsed.value),
      ...(parsed.bias ? [{ node: parsed.bias, layout: 'perHead' } as const] : []),
      ...(mask ? [contiguous(mask)] : []),
      ...(tokens ? [contiguous(tokens)] : []),
    ],
    counts: [parsed.keyOrScore],
  };
}

function expandSegment(means: ParsedSegment, exact: ParsedSegment | undefined): KernelSegment | null {
  const selection = means.rules.get('notChosen')?.inputs[0];
  const chosen = exact?.rules.get('chosen');
  const select = sourceOf(selection, 'select_clusters');
  if (!exact || !chosen || !select || !isOp(select, 'select_clusters') || chosen.inputs[0] !== selection || !means.bias)
    return null;
  const [, meanKey, logMass, radius, tokens] = select.inputs as [Node, Node, Node, Node, Node];
  if (
    meanKey !== means.keyOrScore ||
    logMass !== means.bias ||
    !only(means, ['notChosen', 'tokens']) ||
    !only(exact, ['chosen', 'tokens'])
  )
    return null;
  const { range } = tokenRange(means);
  if (JSON.stringify(range) !== JSON.stringify(tokenRange(exact).range)) return null;
  return {
    segment: { kind: 'clusters', expand: { count: select.attributes.count, tile: select.attributes.tile }, tokens: range },
    operands: [meanKey, means.value, logMass, radius, chosen.inputs[1] as Node, exact.keyOrScore, exact.value, tokens].map(
      contiguous,
    ),
    counts: [meanKey, meanKey, exact.keyOrScore],
  };
}

function rankedSegment(
  best: ParsedSegment,
  rest: ParsedSegment | undefined,
): { readonly segment: KernelSegment; readonly taken: number } | null {
  const rank = sourceOf(best.rules.get('selected')?.inputs[0], 'rank_keys');
  if (!rank || !isOp(rank, 'rank_keys') || best.bias || !only(best, ['selected', 'tokens'])) return null;
  const [query, key, mask] = rank.inputs as [Node, Node, Node];
  const { range, tokens } = tokenRange(best);
  const hasRest = rest !== undefined && rest.attributes.scored && sourceOf(rest.keyOrScore, 'rank_keys') === rank;
  const size = tensorOf(query).shape[3];
  if (typeof size !== 'number' || !tokens) return null;
  return {
    taken: hasRest ? 2 : 1,
    segment: {
      segment: { kind: 'ranked', projectedSize: size, count: rank.attributes.count, rest: hasRest, tokens: range },
      operands: [
        ...[query, key, best.keyOrScore, best.value].map(heads),
        contiguous(mask),
        contiguous(tokens),
        ...(hasRest && rest ? [contiguous(rest.value)] : []),
      ],
      counts: [best.keyOrScore],
    },
  };
}

export function kernelSegments(node: Node<'attention'>): readonly KernelSegment[] {
  const parsed = parseSegments(node);
  const segments: KernelSegment[] = [];
  for (let index = 0; index < parsed.length;) {
    const [current, next] = [parsed[index] as ParsedSegment, parsed[index + 1]];
    const expanded = expandSegment(current, next);
    const ranked = expanded ? null : rankedSegment(current, next);
    const segment = expanded ?? ranked?.segment ?? keysSegment(current);
    if (!segment) {
      const rules = current.attributes.visible.map(({ rule }) => rule).join(' and ');
      throw new AtpcError(
        'ATPC-307',
        `No kernel reads segment ${index} of attention node %${node.id} (visible: ${rules || 'all'}).`,
      );
    }
    segments.push(segment);
    index += expanded ? 2 : (ranked?.taken ?? 1);
  }
  return segments;
}
